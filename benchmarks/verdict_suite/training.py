"""Trains the sampled configs and their variants once, and keeps the results on disk.

A sample keeps its whole history, so that changed rules can be tested without training again. A
variant (a reference, an intervention, a remedy) keeps only its outcome.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.verdict_suite.alterations import Alteration, AlteredRun
from benchmarks.verdict_suite.oracle import Facts, facts

from caveats.config import RunConfig
from caveats.config.declared import declared_layers, declared_optimizer
from caveats.data import Dataset, load
from caveats.data.splitting import hold_out
from caveats.facts import DataFacts, RunFacts
from caveats.history import Event, History
from caveats.measures import LAYER_MEASURES, SCALARS
from caveats.measuring.data_facts import data_facts
from caveats.measuring.yardsticks import Reach, kernel_reach
from caveats.remedies import Remedies
from caveats.run import Run, probe_rows

__all__ = ["Outcome", "Sample", "Store"]

Outcome = dict[str, float]
Alterations = tuple[Alteration, ...]
NEW = 0.2  # of the rows, which a reference does not learn
LOOKS = 40  # at their loss
REACHED: dict[tuple[str, str], tuple[Reach, DataFacts]] = {}


class Sample:
    """A trained config: its history, and what the oracle counted at the start and at the end."""

    def __init__(self, path: Path, config: RunConfig, dataset: Dataset) -> None:
        with np.load(path) as arrays:
            about = json.loads(str(arrays["about"]))
            steps, table, cube = arrays["steps"], arrays["table"], arrays["cube"]
        self.config = config
        self.baseline = float(about["baseline"])
        self.outcome: Outcome = about["outcome"]
        self.start, self.end = Facts(**about["start"]), Facts(**about["end"])
        reach, data = reached(config, dataset)
        run_facts = RunFacts(
            self.baseline,
            config.training.steps,
            reach.loss,
            reach.accuracy,
            declared_layers(config, dataset.features, dataset.outputs),
            declared_optimizer(config),
            Remedies(config),
            data,
        )
        self.history = History(tuple(about["layers"]), facts=run_facts)
        scalars, measures = about["scalars"], about["measures"]
        for index, step in enumerate(steps):
            self.history.append(
                int(step),
                {n: v for n, v in zip(scalars, table[index], strict=True) if n in SCALARS},
                {n: v for n, v in zip(measures, cube[index], strict=True) if n in LAYER_MEASURES},
            )
        for step, kind, text in about["events"]:
            self.history.note(Event(step, kind, text))


class Store:
    """Results in a folder, by config and by the alterations of the network; nothing is trained
    twice. ``load`` gives the data that a [data] section names."""

    def __init__(self, folder: Path, load: Callable[[Mapping[str, Any]], Dataset] = load) -> None:
        self.folder = folder
        self._load = load
        folder.mkdir(parents=True, exist_ok=True)
        self._outcomes: dict[str, Outcome] = {}
        self._log = folder / "outcomes.jsonl"
        if self._log.exists():
            for line in self._log.read_text().splitlines():
                key, outcome = json.loads(line)
                self._outcomes[key] = outcome

    def dataset(self, config: RunConfig) -> Dataset:
        return self._load(config.data.settings())

    def sample(self, config: RunConfig, alterations: Alterations = ()) -> Sample:
        path = self.folder / f"{key_of(config, alterations)}.npz"
        if not path.exists():
            self._train_sample(config, alterations, path)
        return Sample(path, config, self.dataset(config))

    def _train_sample(self, config: RunConfig, alterations: Alterations, path: Path) -> None:
        run = AlteredRun(config, self.dataset(config), alterations)
        start = facts(run)
        run.trainer.network.zero_grad(set_to_none=True)
        end = facts(finished(run))
        snapshot = run.history.snapshot()
        about = {
            "layers": run.history.layers,
            "baseline": run.baseline,
            "outcome": outcome(run),
            "start": asdict(start),
            "end": asdict(end),
            "scalars": list(SCALARS),
            "measures": list(LAYER_MEASURES),
            "events": [(e.step, e.kind, e.text) for e in snapshot.events],
        }
        np.savez_compressed(
            path,
            about=json.dumps(about),
            steps=snapshot.steps,
            table=snapshot.table,
            cube=snapshot.cube,
        )

    def outcome(self, config: RunConfig, alterations: Alterations = ()) -> Outcome:
        """The outcome of a run, measured only at its end."""

        def train() -> Outcome:
            run = AlteredRun(config, self.dataset(config), alterations, config.training.steps)
            return outcome(finished(run))

        return self._once(key_of(config, alterations), train)

    def on_new_rows(self, config: RunConfig) -> Outcome:
        """The outcome on a fifth of the rows, of a network that learns the others: at the record
        at which the loss there is lowest. Inputs are scaled by the rows that are learnt."""

        def train() -> Outcome:
            rows = hold_out(self.dataset(config), NEW, 0, standardize=True)
            every = max(1, config.training.steps // LOOKS)
            size = min(config.training.batch_size, rows.rows)
            run = finished(Run(config.changed({"training.batch_size": size}), rows, every))
            snapshot = run.history.snapshot()
            losses = snapshot.scalar("validation_loss")
            least = int(np.argmin(np.where(np.isfinite(losses), losses, math.inf)))
            accuracy = float(snapshot.scalar("validation_accuracy")[least])
            return outcome(run) | {"loss": float(losses[least]), "accuracy": accuracy}

        return self._once(f"new rows {key_of(config)}", train)

    def _once(self, key: str, train: Callable[[], Outcome]) -> Outcome:
        if key not in self._outcomes:
            self._outcomes[key] = train()
            with self._log.open("a") as log:
                log.write(json.dumps([key, self._outcomes[key]]) + "\n")
        return self._outcomes[key]

    def changed(self, config: RunConfig, change: dict[str, Any]) -> Outcome:
        return self.outcome(config.changed(change))


def finished(run: Run) -> Run:
    while not run.finished:
        run.advance()
    return run


def outcome(run: Run) -> Outcome:
    loss = float(run.history.snapshot().scalar("loss")[-1])
    diverged = run.divergence is not None or not math.isfinite(loss)
    return {
        "loss": math.inf if diverged else loss,
        "accuracy": float(run.history.snapshot().scalar("accuracy")[-1]),
        "diverged": float(diverged),
        "steps": run.step,
        "baseline": run.baseline,
    }


def reached(config: RunConfig, rows: Dataset) -> tuple[Reach, DataFacts]:
    """The result of kernel regression on these data and their facts, as a run measures them."""
    key = json.dumps(config.data.settings()), config.training.loss
    if key not in REACHED:
        probed = torch.from_numpy(probe_rows(rows.rows))
        x, y = torch.tensor(rows.x)[probed], torch.tensor(rows.y)[probed]
        reach = kernel_reach(x, y, config.training.loss)
        REACHED[key] = reach, data_facts(x, y, reach.recall)
    return REACHED[key]


def key_of(config: RunConfig, alterations: Alterations = ()) -> str:
    text = config.to_toml()
    if alterations:
        text += json.dumps([astuple(alteration) for alteration in alterations])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


warnings.filterwarnings("ignore", category=UserWarning)
