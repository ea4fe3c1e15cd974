"""One run: trains what a config describes and watches it.

It joins the config, the trainer and the observer, and uses no threads: `caveats.session` drives it
from a worker thread, the command line from its own loop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from caveats.config import RunConfig
from caveats.data import Dataset, load
from caveats.facts import RunFacts, is_linear
from caveats.history import Event, History
from caveats.measuring.cadence import Cadence, cadence_of
from caveats.measuring.constants import constant_loss
from caveats.measuring.data_facts import data_facts
from caveats.measuring.divergence import Divergence, locate
from caveats.measuring.optimizing import optimizer_facts
from caveats.measuring.probe import PROBE_ROWS, Probe
from caveats.measuring.scores import HELD_OUT_ROWS, HeldOut
from caveats.measuring.yardsticks import kernel_reach, linear_reach
from caveats.models.mlp import activations, layer_name
from caveats.observer import Observer
from caveats.remedies import Remedies
from caveats.training.memory import check_memory
from caveats.training.trainer import Trainer, device_for

__all__ = ["Run", "probe_rows"]


def probe_rows(rows: int, most: int = PROBE_ROWS) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The indices of the training rows that form the probe set: all rows, or 512 (``most``) drawn
    with a fixed seed."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.Generator(np.random.PCG64(0)).permutation(rows)[:most])


class Stopwatch:
    """Adds up the seconds spent inside its ``with`` blocks; a call returns the sum so far."""

    def __init__(self) -> None:
        self.before = 0.0
        self._since: float | None = None

    def __enter__(self) -> None:
        self._since = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self.before, self._since = self(), None

    def __call__(self) -> float:
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return self.before + running


class Run:
    """Trains a config and measures it: every N steps (``every`` = N), at the automatic cadence
    (None) or at any other cadence. Records come at fixed steps and never depend on a clock.

    Step 0 is measured at once. `advance` makes one step; `record` measures at once.

    Raises:
        ConfigError: as `caveats.training.trainer.Trainer` and `caveats.data.load`, or if memory
            cannot hold the network.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset | None = None,
        every: int | Cadence | None = None,
    ) -> None:
        settings, seed = config.data.settings(), config.training.seed
        self.dataset = load(settings, seed) if dataset is None else dataset
        self._config = config = config.fitted(self.dataset.rows)
        data, network = self.dataset, config.network
        check_memory(
            data.features, network.widths, data.outputs,
            config.training.batch_size or data.rows, device_for(config, data).device,
        )  # fmt: skip
        self.trainer = trainer = Trainer(config, self.dataset)
        rows = torch.from_numpy(probe_rows(len(self.dataset.x))).to(trainer.device)
        hidden = len(config.network.widths)
        names = tuple(layer_name(i, hidden) for i in range(hidden + 1))
        objective = trainer.loss_function
        probe = Probe(
            trainer.network,
            objective,
            trainer.x[rows],
            trainer.y[rows],
            names,
            predicted=objective.predicted,
            unit=trainer.unit,
        )
        loss, weights = config.training.loss, trainer.loss_function.weights
        self.baseline = constant_loss(probe.y, loss, weights, self.dataset.classes)
        self.reach = kernel_reach(probe.x, probe.y, loss, weights)
        linear = math.nan
        if is_linear(probe.anatomy.layers):
            linear = linear_reach(probe.x, probe.y, loss, weights)
        self._data = data_facts(probe.x, probe.y, self.reach.recall, linear)
        self._clock = Stopwatch()
        self.observer = Observer(
            probe,
            trainer.optimizer,
            History(names, facts=self._facts(probe)),
            cadence_of(every),
            clock=self._clock,
            planned=config.training.steps,
            activations=lambda: activations(trainer.network),
            rows=trainer.x,
            held_out=self._held_out(),
        )
        self.record()

    def _held_out(self) -> HeldOut | None:
        """The rows held out, at most `HELD_OUT_ROWS` of them, always the same ones."""
        if self.dataset.held_out is None:
            return None
        chosen = probe_rows(len(self.dataset.held_out[0]), HELD_OUT_ROWS)
        x, y = (
            torch.tensor(array[chosen], device=self.trainer.device)
            for array in self.dataset.held_out
        )
        objective = self.trainer.loss_function
        return HeldOut(self.trainer.network, objective, objective.predicted, x, y)

    @property
    def config(self) -> RunConfig:
        return self._config

    @property
    def step(self) -> int:
        return self.trainer.step

    @property
    def seconds(self) -> float:
        """Seconds spent training and measuring so far."""
        return self._clock()

    @property
    def probe(self) -> Probe:
        return self.observer.probe

    @property
    def history(self) -> History:
        return self.observer.history

    @property
    def outputs(self) -> int:
        """The units of the output layer."""
        return self.trainer.outputs

    @property
    def divergence(self) -> Divergence | None:
        return self.observer.divergence

    @property
    def units(self) -> list[int]:
        """The number of units of each layer, the output layer last."""
        return self.observer.units

    @property
    def device(self) -> str:
        return self.observer.device

    @property
    def finished(self) -> bool:
        return self.observer.finished

    @property
    def speed(self) -> float:
        """Steps a second over the last second or so, measuring included."""
        return self.observer.speed

    def advance(self) -> None:
        """Make one step, and measure if a record is due; one always is after the last step."""
        trainer = self.trainer
        with self._clock:
            with self.observer.watching() as listened:
                loss = trainer.train_step(listened=bool(listened))
            if trainer.stuck:
                with trainer.own_dropout():  # the dropout mask of the pass that failed
                    where = locate(trainer.network, self.probe.names, trainer.last_x)
                self.observer.diverge(where)
            else:
                self.observer.advance(loss)

    def record(self) -> None:
        """Measure now, unless this step was measured already."""
        with self._clock:
            self.observer.record()

    def change(self, config: RunConfig) -> None:
        """Continue with a config that differs only in live keys, and note the change as an event.

        Raises:
            ConfigError: where the new config does not fit the data.
            ValueError: where the change would need new weights or new data.
        """
        if self.config.restarts(config):
            raise ValueError("these changes need a restart")
        config = config.fitted(self.dataset.rows)
        before, after = self.config.flat(), config.flat()
        changes = {
            key: after.get(key) for key in (*after, *before) if before.get(key) != after.get(key)
        }
        self.trainer.change(config)
        self._config = config
        self.observer.optimizer = self.trainer.optimizer
        self.observer.planned = config.training.steps
        self.history.facts = self._facts(self.probe)
        if changes:
            # Settings that the new optimizer does not have are None in ``changes``; the text omits
            # them.
            text = ", ".join(f"{key} → {after[key]}" for key in changes if key in after)
            self.history.note(Event(self.step, "change", text, changes))

    def state(self) -> dict[str, Any]:
        """All that `load` needs to continue as if the run had never stopped, except the history: a
        copy, in nested dicts whose structure depends only on the config."""
        return {
            "trainer": self.trainer.state(),
            "seconds": self.seconds,
            **self.observer.state(),
        }

    def load(self, state: Mapping[str, Any], history: History) -> None:
        """Continue from a `state` of a run of the same config, with its records in ``history``."""
        self.trainer.load(state["trainer"])
        self._clock.before = state["seconds"]
        self.observer.load(state, self.step, history)
        history.facts = self._facts(self.probe)

    def _facts(self, probe: Probe) -> RunFacts:
        """What is observed of network and optimizer. The rate before the schedule and the clipping
        come from the trainer, because the optimizer does not show them."""
        settings = self.config.optimizer
        optimizer = replace(
            optimizer_facts(self.trainer.optimizer), lr=settings.lr, clip_norm=settings.clip_norm
        )
        return RunFacts(
            self.baseline,
            self.config.training.steps,
            self.reach.loss,
            self.reach.accuracy,
            probe.anatomy.layers,
            optimizer,
            Remedies(self.config),
            self._data,
        )
