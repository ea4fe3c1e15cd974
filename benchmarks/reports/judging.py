"""Trains a rebuilt report, its cures and the program's remedies, and says what came of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from benchmarks.reports.report import Array, Cure, Report, Rows
from benchmarks.trials import Measure, Trials, Tried

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.run import Run

__all__ = ["HALF", "LEARNABLE", "Result", "judged"]

HALF = 0.5  # of what the best cure reaches: a cure got at least so far, a failed network did not
LEARNABLE = 0.2  # of the way to perfection, which the best cure must reach


@dataclass(frozen=True)
class Result:
    """``own`` and ``cures`` are shares of the way from the constant predictor to perfection,
    ``attempts`` shares of the best cure's way: one for each remedy that was tried."""

    report: Report
    waits: str  # why it cannot run yet
    own: float = math.nan
    cures: dict[str, float] | None = None
    flags: tuple[str, ...] = ()
    remedies: tuple[dict[str, Any], ...] = ()
    attempts: tuple[tuple[float, tuple[str, ...]], ...] = ()

    @property
    def best(self) -> float:
        return max((self.cures or {}).values(), default=math.nan)

    @property
    def sound(self) -> bool:
        """Whether it is a failure with a known cause: the data can be learnt, the network did not,
        and every cause's cure works alone."""
        worked = all(got >= HALF * self.best for got in (self.cures or {}).values())
        return self.best >= LEARNABLE and self.own < HALF * self.best and worked

    @property
    def named(self) -> bool:
        return bool(set(self.flags) & set(self.report.causes))

    @property
    def headline(self) -> bool:
        return bool(self.flags) and self.flags[0] in self.report.causes

    def cured(self, place: int) -> bool:
        """Whether the remedy of that place left no warning and got half of the way."""
        if place >= len(self.attempts):
            return False
        share, flags = self.attempts[place]
        return share >= HALF and not flags

    @property
    def cured_by(self) -> int | None:
        """The place of the first remedy that cures."""
        return next((i for i in range(len(self.attempts)) if self.cured(i)), None)


def judged(report: Report, trials: Trials, raced: bool = False) -> Result:
    """If ``raced``, the remedies are tried in the order of their race."""
    rows = None if report.rows is None else report.rows(np.random.default_rng(7))
    try:
        config = configured(report, rows, trials)
    except ConfigError as error:
        return Result(report, str(error))
    cures = {
        name: trials.trained(cured_config(report, cure, rows, trials), *measured(report, rows)).gain
        for name, cure in report.causes.items()
    }
    first = trials.judged(config, *measured(report, rows), (lambda result: True) if raced else None)
    best = max(cures.values())
    attempts = []
    for change in first.remedies:
        tried = attempted(config, change, report, rows, trials)
        attempts.append((tried.gain / best, tried.flags))
        if tried.gain >= HALF * best and not tried.flags:
            break
    return Result(report, "", first.gain, cures, first.flags, first.remedies, tuple(attempts))


def attempted(
    config: RunConfig, change: dict[str, Any], report: Report, rows: Rows | None, trials: Trials
) -> Tried:
    try:
        return trials.judged(config.changed(change), *measured(report, rows))
    except ConfigError as error:  # a remedy that the data refuse cures nothing
        return Tried(-math.inf, (str(error),))


def configured(report: Report, rows: Rows | None, trials: Trials) -> RunConfig:
    tree = {section: dict(values) for section, values in report.config.items()}
    if rows is not None:
        tree["data"] = {"file": trials.file(report.name, rows.x, rows.y), **tree.get("data", {})}
    return RunConfig.from_dict(tree, report.name)


def cured_config(report: Report, cure: Cure, rows: Rows | None, trials: Trials) -> RunConfig:
    """The config with one cure; what a cure does to the data is done here, not by the program."""
    if rows is not None and cure.scaled_target:
        rows = replace(rows, y=(rows.y - rows.y.mean(0)) / rows.y.std(0))
    if rows is not None and cure.balanced:
        rows = balanced(rows)
    config = {
        section: {k: v for k, v in values.items() if f"{section}.{k}" not in cure.without}
        for section, values in report.config.items()
    }
    return configured(replace(report, config=config), rows, trials).changed(cure.change)


def balanced(rows: Rows) -> Rows:
    counts = np.bincount(rows.y)
    index = np.concatenate(
        [np.resize(np.flatnonzero(rows.y == kind), counts.max()) for kind in range(len(counts))]
    )
    return replace(rows, x=rows.x[index], y=rows.y[index])


def measured(report: Report, rows: Rows | None) -> tuple[Measure | None, str]:
    if report.measure == "balanced accuracy":
        return balanced_accuracy, report.measure
    if report.measure == "new rows" and rows is not None:
        return (lambda run: gain_on_new_rows(run, rows)), report.measure
    return None, ""


@torch.no_grad()
def outputs(run: Run, x: Array) -> torch.Tensor:  # (rows, outputs)
    network = run.trainer.network
    network.eval()
    device = run.trainer.x.device
    return network(torch.tensor(x, dtype=torch.float32, device=device)).cpu()


def balanced_accuracy(run: Run) -> float:
    """The mean recall of the classes, from that of a constant (0) to 1."""
    y = run.dataset.y
    right = outputs(run, run.dataset.x).argmax(1).numpy() == y
    classes = int(y.max()) + 1
    recall = float(np.mean([right[y == kind].mean() for kind in range(classes)]))
    return (recall - 1 / classes) / (1 - 1 / classes)


def gain_on_new_rows(run: Run, rows: Rows) -> float:
    """The gain of the cross entropy on rows that were not trained on. Inputs must be as the program
    reads them, so such a report is not standardized."""
    assert rows.x_new is not None
    assert rows.y_new is not None
    loss = torch.nn.functional.cross_entropy(outputs(run, rows.x_new), torch.tensor(rows.y_new))
    shares = np.bincount(rows.y_new) / len(rows.y_new)
    constant = -float((shares * np.log(shares)).sum())
    return (constant - float(loss)) / constant
