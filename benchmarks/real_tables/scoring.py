"""Tries one network of the real tables, and counts over many."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from benchmarks.real_tables.networks import Network
from benchmarks.real_tables.references import Reference, reference, standardized
from benchmarks.real_tables.tables import table
from benchmarks.trials import Trials
from benchmarks.verdict_suite.table_scoring import wilson

from caveats.config import RunConfig
from caveats.errors import ConfigError

__all__ = ["GOALS", "Case", "report", "tried"]

WELL, FAILED = 0.75, 0.5  # shares of what the best reference network learns

GOALS = {
    "well-trained flagged": "≤ .03",
    "failed flagged": "≥ .97",
    "first remedy reaches .75": "≥ .80",
    "one of five reaches .75": "≥ .95",
    "it changes one setting": "≥ .60",
    "it changes at most two": "≥ .85",
}


@dataclass(frozen=True)
class Case:
    """``share`` is what the network learnt, of what the best reference network of this table
    learns; ``attempts`` the same for each remedy, up to the first that reaches `WELL`."""

    index: int
    network: Network
    share: float
    flags: tuple[str, ...]
    remedies: tuple[dict[str, Any], ...] = ()
    attempts: tuple[float, ...] = ()

    @property
    def kind(self) -> str:
        if self.share >= WELL:
            return "well-trained"
        return "failed" if self.share < FAILED else "between"

    @property
    def cured_by(self) -> int | None:
        return next((i for i, share in enumerate(self.attempts) if share >= WELL), None)

    @property
    def settings(self) -> int:
        """How many settings the first remedy that works changes; 0 if none works."""
        return 0 if self.cured_by is None else len(self.remedies[self.cured_by])


def tried(index: int, network: Network, trials: Trials, raced: bool = False) -> Case | None:
    """None where the table cannot be learnt. If ``raced``, the remedies of a failed network are
    tried in the order of their race."""
    best = reference(table(network.table), trials)
    if not best.learnable:
        return None
    config = network.on(file_of(network, trials))
    failed = (lambda result: result.gain < FAILED * best.goal) if raced else None
    own = trials.judged(config, raced=failed)
    case = Case(index, network, own.gain / best.goal, own.flags)
    if case.kind != "failed":
        return case
    attempts = []
    for change in own.remedies:
        attempts.append(reached(config, change, best, trials))
        if attempts[-1] >= WELL:
            break
    return Case(index, network, case.share, own.flags, own.remedies, tuple(attempts))


def reached(config: RunConfig, change: dict[str, Any], best: Reference, trials: Trials) -> float:
    try:
        return trials.trained(config.changed(change)).gain / best.goal
    except ConfigError:  # the data refuse this remedy
        return -math.inf


def file_of(network: Network, trials: Trials) -> str:
    rows = table(network.table)
    y = rows.y
    if rows.task == "regression" and not network.raw_target:
        y = standardized(y, y)
    return trials.file(f"{network.table}-{'raw' if network.raw_target else 'scaled'}", rows.x, y)


def report(cases: list[Case]) -> dict[str, Any]:
    well = [c for c in cases if c.kind == "well-trained"]
    failed = [c for c in cases if c.kind == "failed"]
    cured = [c for c in failed if c.cured_by is not None]
    at_once = [c for c in failed if c.cured_by == 0]
    return {
        "networks": {kind: sum(c.kind == kind for c in cases)
                     for kind in ("well-trained", "between", "failed")},
        "well-trained flagged": counted(well, lambda c: bool(c.flags)),
        "failed flagged": counted(failed, lambda c: bool(c.flags)),
        "first remedy reaches .75": counted(failed, lambda c: c.cured_by == 0),
        "one of five reaches .75": counted(failed, lambda c: c.cured_by is not None),
        "it changes one setting": counted(cured, lambda c: c.settings == 1),
        "it changes at most two": counted(cured, lambda c: c.settings <= 2),
        "where the first works, one setting": counted(at_once, lambda c: c.settings == 1),
        "where the first works, at most two": counted(at_once, lambda c: c.settings <= 2),
        "faults": {name: by_fault(name, cases) for name in names(cases)},
    }  # fmt: skip


def names(cases: list[Case]) -> list[str]:
    return sorted({fault for c in cases for fault in c.network.faults})


def by_fault(name: str, cases: list[Case]) -> dict[str, int]:
    having = [c for c in cases if name in c.network.faults]
    failed = [c for c in having if c.kind == "failed"]
    return {
        "networks": len(having),
        "failed": len(failed),
        "flagged": sum(bool(c.flags) for c in failed),
        "first": sum(c.cured_by == 0 for c in failed),
        "any": sum(c.cured_by is not None for c in failed),
    }


def counted(cases: list[Case], true: Callable[[Case], bool]) -> dict[str, Any]:
    count = sum(true(c) for c in cases)
    low, high = wilson(count, len(cases))
    share = count / len(cases) if cases else float(np.nan)
    return {"count": count, "of": len(cases), "share": share, "interval": (low, high)}
