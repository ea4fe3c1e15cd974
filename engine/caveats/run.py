"""One run: trains a config step by step and keeps what is measured on the way.

It joins the trainer, the probe, the cadence and the history, and knows no thread and no screen:
`caveats.session` drives it from a worker thread, the command line from its own loop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caveats.config import RunConfig
from caveats.config.declared import declared_layers, declared_optimizer
from caveats.data import Dataset, load
from caveats.history import Event, Facts, History
from caveats.measuring.cadence import Cadence, cadence_of
from caveats.measuring.divergence import Divergence, locate
from caveats.measuring.firing import LISTEN_EVERY, Firing
from caveats.measuring.probe import PROBE_ROWS, Measurement, Probe
from caveats.measuring.readings import Readings
from caveats.measuring.yardsticks import constant_loss, kernel_reach
from caveats.models.isolation import undisturbed
from caveats.models.mlp import activations, layer_name, linears
from caveats.remedies import Remedies
from caveats.training.trainer import Trainer

__all__ = ["Run", "probe_rows"]


def probe_rows(rows: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Which training rows are the probe set: all, or 512 drawn once and for ever the same."""
    if rows <= PROBE_ROWS:
        return np.arange(rows)
    return np.sort(np.random.Generator(np.random.PCG64(0)).permutation(rows)[:PROBE_ROWS])


class Run:
    """A config in training, measured at ``every`` N steps, at the automatic cadence (None) or at
    any other cadence: at fixed steps, never by a clock.

    Step 0 is measured at once. `advance` makes one step; `record` measures out of turn.

    Raises:
        ConfigError: as `caveats.training.trainer.Trainer` and `caveats.data.load`.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset | None = None,
        every: int | Cadence | None = None,
    ) -> None:
        self.dataset = load(config.data.settings()) if dataset is None else dataset
        self._config = config
        self.trainer = Trainer(config, self.dataset)
        rows = torch.from_numpy(probe_rows(len(self.dataset.x))).to(self.trainer.device)
        hidden = len(config.network.widths)
        self.probe = Probe(
            self.trainer.network,
            self.trainer.loss_function,
            self.trainer.x[rows],
            self.trainer.y[rows],
            [layer_name(i, hidden) for i in range(hidden + 1)],
        )
        loss = config.training.loss
        self.baseline = constant_loss(self.probe.y, loss)
        self.reach = kernel_reach(self.probe.x, self.probe.y, loss)
        self.history = History(
            tuple(layer_name(i, hidden) for i in range(hidden + 1)), facts=self._facts()
        )
        self.divergence: Divergence | None = None
        self.seconds = 0.0
        self.measuring_seconds = 0.0
        self._speed = 0.0
        self._speed_since = (0, 0.0)  # step, seconds
        self._cadence = cadence_of(every)
        self._firing = Firing(self.units, self.trainer.device)
        self._losses: float | Tensor = 0.0
        self._losses_since = 0
        self._readings = Readings(self.probe)
        self._confirmed_dead = -1.0
        self._on_cpu = self.trainer.device.type == "cpu"
        self.record()

    @property
    def config(self) -> RunConfig:
        return self._config

    @property
    def step(self) -> int:
        return self.trainer.step

    @property
    def units(self) -> list[int]:
        """Units of each layer, the output layer last."""
        return [len(linear.weight) for linear in linears(self.trainer.network)]

    @property
    def finished(self) -> bool:
        return self.divergence is not None or self.step >= self.config.training.steps

    @property
    def speed(self) -> float:
        """Steps a second over the last second or so, measuring included."""
        return self._speed

    def advance(self) -> None:
        """Make one step, and measure it where it is due; the last step always is."""
        start = time.perf_counter()
        trainer = self.trainer
        step = trainer.step + 1
        planned = self.config.training.steps
        due = self._cadence.due(step, planned) or step >= planned
        if due:
            self.probe.remember()
        if step % LISTEN_EVERY == 0:
            with self._firing.listening(activations(trainer.network)):
                loss = trainer.train_step()
        else:
            loss = trainer.train_step()
        if trainer.stuck:
            with trainer.own_dropout():  # the mask that the failing pass had
                where = locate(trainer.network, self.probe.names, trainer.last_x)
            self._diverge(where)
            due = True
        else:
            # On the CPU a float, which costs less than a tensor; on a GPU a float would wait.
            self._losses += loss.item() if self._on_cpu else loss.double()
            self._losses_since += 1
        self.seconds += time.perf_counter() - start
        if due:
            self.record()
        from_step, from_seconds = self._speed_since
        if self.seconds - from_seconds >= 0.5 or self.finished:
            self._speed = (self.step - from_step) / (self.seconds - from_seconds)
            self._speed_since = self.step, self.seconds

    def record(self) -> None:
        """Measure now, unless this very step was."""
        newest = self.history.version[0]
        if newest == self.step:
            return
        start = time.perf_counter()
        deep = self.step == 0 or self.finished or self._cadence.deep(self.step)
        measurement = self.probe.measure(self._firing.silent(), deep)
        if deep:
            self._confirm(measurement)
        made = self._losses_since
        batch_loss = float(self._losses) / made if made else math.nan
        self._losses = 0.0
        self._losses_since = 0
        readings = {}
        if self.step and not self.divergence and (self.finished or self._cadence.reads(self.step)):
            readings = self._readings.take(self.trainer.optimizer)
        spent = time.perf_counter() - start
        self.seconds += spent
        self.measuring_seconds += spent
        self.history.append(
            self.step,
            {
                "loss": measurement.loss,
                "accuracy": measurement.accuracy,
                "batch_loss": batch_loss,
                "lr": self.trainer.lr,
                "seconds": self.seconds,
                **readings,
            },
            measurement.layers,
            measurement.states,
        )
        broken = not math.isfinite(measurement.loss) or (made and not math.isfinite(batch_loss))
        if self.divergence is None and broken:
            self._diverge(self._place_on_probe_rows(newest))

    def change(self, config: RunConfig) -> None:
        """Go on under a config that differs in live keys alone, and note it as an event.

        Raises:
            ConfigError: where the new config does not fit the data.
            ValueError: where it would need new weights or new data.
        """
        if self.config.restarts(config):
            raise ValueError("these changes need a restart")
        before, after = self.config.flat(), config.flat()
        changes = {
            key: after.get(key) for key in (*after, *before) if before.get(key) != after.get(key)
        }
        self.trainer.change(config)
        self._config = config
        self.history.facts = self._facts()
        if changes:
            # The settings of an optimizer that went are in ``changes`` as None, not in the text.
            text = ", ".join(f"{key} → {after[key]}" for key in changes if key in after)
            self.history.note(Event(self.step, "change", text, changes))

    def state(self) -> dict[str, Any]:
        """All that `load` needs to go on as if the run had never stopped: a copy, in nested dicts
        whose shape depends on the config alone. The history is not in it."""
        units = self.units
        born = self.probe.born_dead or {}
        return {
            "trainer": self.trainer.state(),
            "born_dead": torch.cat(
                [
                    torch.from_numpy(born[i]) if i in born else torch.zeros(n, dtype=torch.bool)
                    for i, n in enumerate(units)
                ]
            ),
            "quiet_for": self._firing.state(),
            "losses": float(self._losses),
            "losses_since": self._losses_since,
            "seconds": self.seconds,
            "measuring_seconds": self.measuring_seconds,
            "confirmed_dead": self._confirmed_dead,
        }

    def load(self, state: Mapping[str, Any], history: History) -> None:
        """Go on from a `state` of a run of the same config, its records in ``history``."""
        self.trainer.load(state["trainer"])
        units = self.units
        born = state["born_dead"].split(units)
        self.probe.born_dead = {i: layer.numpy() for i, layer in enumerate(born)}
        self._firing.load(state["quiet_for"])
        self._losses, self._losses_since = state["losses"], state["losses_since"]
        self.seconds = state["seconds"]
        self.measuring_seconds = state["measuring_seconds"]
        self._confirmed_dead = state["confirmed_dead"]
        self._speed_since = self.step, self.seconds
        self.history = history
        history.facts = self._facts()
        for event in history.snapshot().events:
            if event.kind == "diverged":
                self.divergence = Divergence(event.step, event.text)

    def _facts(self) -> Facts:
        return Facts(
            self.baseline,
            self.config.training.steps,
            *self.reach,
            declared_layers(self.config, self.dataset.features, self.dataset.outputs),
            declared_optimizer(self.config),
            Remedies(self.config),
        )

    def _confirm(self, measurement: Measurement) -> None:
        """Count the dead units again on every training row, if the probe's count has changed."""
        counted = float(np.nansum(measurement.layers["dead"]))
        if len(self.probe.x) == len(self.trainer.x):
            measurement.layers["confirmed_dead"][:] = measurement.layers["dead"]
        elif counted != self._confirmed_dead or self.finished:
            measurement.layers["confirmed_dead"][:] = self.probe.confirm(self.trainer.x)
            self._confirmed_dead = counted

    def _diverge(self, where: str) -> None:
        self.divergence = Divergence(self.step, where)
        self.history.note(Event(self.step, "diverged", where))

    def _place_on_probe_rows(self, since: int) -> str:
        """Where a record found what is not finite. On a GPU nobody looked since the record at
        ``since``, and one broken step breaks every weight: then only that much is known."""
        network = self.trainer.network
        with undisturbed(network, self.trainer.device):
            where = locate(network, self.probe.names, self.probe.x)
        if self._on_cpu or not where.startswith(("weights", "parameter")):
            return where
        return f"a loss or a gradient between the steps {since} and {self.step}"
