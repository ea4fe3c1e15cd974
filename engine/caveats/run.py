"""One run: trains a config step by step and keeps what is measured on the way.

It joins the trainer, the probe, the cadence and the history, and knows no thread and no screen:
`caveats.session` drives it from a worker thread, the command line from its own loop.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from caveats.cadence import Cadence
from caveats.capture import capture
from caveats.config import RunConfig
from caveats.datasets import Dataset, load
from caveats.firing import LISTEN_EVERY, Firing
from caveats.history import Event, Facts, History
from caveats.network import layer_name, linears
from caveats.probe import PROBE_ROWS, Measurement, Probe
from caveats.training import Trainer

__all__ = ["Run", "constant_loss", "probe_rows"]


def probe_rows(rows: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Which training rows are the probe set: all, or 512 drawn once and for ever the same."""
    if rows <= PROBE_ROWS:
        return np.arange(rows)
    return np.sort(np.random.Generator(np.random.PCG64(0)).permutation(rows)[:PROBE_ROWS])


def constant_loss(y: Tensor, loss: str) -> float:
    """The loss of the best network that ignores its input, on targets y.

    Cross-entropy: the entropy of the class frequencies; mse: the variance of the targets.
    """
    if y.is_floating_point():
        return float(y.double().var(0, correction=0).mean())
    share = torch.bincount(y).double() / len(y)
    if loss == "mse":
        return float((share * (1 - share)).mean())
    return float(torch.special.entr(share).sum())


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first number that was not finite: after ``step`` updates, and where."""

    step: int
    where: str


class Run:
    """A config in training, measured at ``every`` N steps or at the automatic cadence (None).

    Step 0 is measured at once. `advance` makes one step; `record` measures out of turn.

    Raises:
        ConfigError: as `caveats.training.Trainer` and `caveats.datasets.load`.
    """

    def __init__(
        self, config: RunConfig, dataset: Dataset | None = None, every: int | None = None
    ) -> None:
        self.dataset = load(config.data.settings()) if dataset is None else dataset
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
        self.baseline = constant_loss(self.probe.y, config.training.loss)
        self.history = History(
            tuple(layer_name(i, hidden) for i in range(hidden + 1)),
            facts=Facts(self.baseline, config.training.steps, config),
        )
        self.divergence: Divergence | None = None
        self.seconds = 0.0
        self.measuring_seconds = 0.0
        self._speed = 0.0
        self._speed_since = (0, 0.0)  # step, seconds
        self._cadence = Cadence(every)
        self._firing = Firing()
        self._losses = torch.zeros((), dtype=torch.float64, device=self.trainer.device)
        self._losses_since = 0
        self._deep_cost = 0.0
        self._confirmed_dead = -1.0
        self._checks_each_step = self.trainer.device.type == "cpu"
        self.record()

    @property
    def config(self) -> RunConfig:
        return self.trainer.config

    @property
    def step(self) -> int:
        return self.trainer.step

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
        due = self._cadence.due(step, self.seconds) or step >= self.config.training.steps
        if due:
            self.probe.remember()
        if step % LISTEN_EVERY == 0:
            with capture(trainer.network, self.probe.names, deltas=False) as sites:
                loss = trainer.train_step()
            self._firing.update(sites)
        else:
            loss = trainer.train_step()
        self._losses += loss
        self._losses_since += 1
        # Reading the loss costs 1 µs on the CPU; on a GPU it would wait, so the next record does.
        if self._checks_each_step and not math.isfinite(loss.item()):
            self._diverge(step)
            due = True
        self.seconds += time.perf_counter() - start
        if due:
            self.record()
        from_step, from_seconds = self._speed_since
        if self.seconds - from_seconds >= 0.5 or self.finished:
            self._speed = (self.step - from_step) / (self.seconds - from_seconds)
            self._speed_since = self.step, self.seconds

    def record(self) -> None:
        """Measure now, unless this very step was."""
        snapshot = self.history.snapshot()
        if len(snapshot) and snapshot.steps[-1] == self.step:
            return
        start = time.perf_counter()
        deep = self.step == 0 or self.finished or self._affords_deep()
        measurement = self.probe.measure(self._firing.silent(), deep)
        if deep:
            self._confirm(measurement)
            self._deep_cost = time.perf_counter() - start
        batch_loss = float(self._losses) / self._losses_since if self._losses_since else math.nan
        self._losses.zero_()
        self._losses_since = 0
        cost = time.perf_counter() - start
        self.seconds += cost
        self.measuring_seconds += cost
        self._cadence.measured(self.step, self.seconds, cost)
        self.history.append(
            self.step,
            {
                "loss": measurement.loss,
                "accuracy": measurement.accuracy,
                "batch_loss": batch_loss,
                "lr": self.trainer.lr,
                "seconds": self.seconds,
            },
            measurement.layers,
            measurement.states,
        )
        broken = not math.isfinite(measurement.loss) or math.isinf(batch_loss)
        if self.divergence is None and (broken or (self.step and math.isnan(batch_loss))):
            self._diverge(self.step)

    def change(self, config: RunConfig) -> None:
        """Go on under a config that differs in live keys alone, and note it as an event."""
        before, after = self.config.flat(), config.flat()
        changes = {
            key: after.get(key) for key in (*after, *before) if before.get(key) != after.get(key)
        }
        self.trainer.change(config)
        self.history.facts = Facts(self.baseline, config.training.steps, config)
        if changes:
            text = ", ".join(f"{key} → {value}" for key, value in changes.items())
            self.history.note(Event(self.step, "change", text, changes))

    def _affords_deep(self) -> bool:
        return self._cadence.affords(4 * self._deep_cost, self.seconds)

    def _confirm(self, measurement: Measurement) -> None:
        """Count the dead units again on every training row, if the probe's count has changed."""
        counted = float(np.nansum(measurement.layers["dead"]))
        if len(self.probe.x) == len(self.trainer.x):
            measurement.layers["confirmed_dead"][:] = measurement.layers["dead"]
        elif counted != self._confirmed_dead:
            measurement.layers["confirmed_dead"][:] = self.probe.confirm(self.trainer.x)
            self._confirmed_dead = counted

    def _diverge(self, step: int) -> None:
        self.divergence = Divergence(step, self._first_nonfinite())
        self.history.note(Event(step, "diverged", self.divergence.where))

    def _first_nonfinite(self) -> str:
        """Where the first number that is not finite stands, in the order of computing."""
        names = self.history.layers
        for name, linear in zip(names, linears(self.trainer.network), strict=True):
            if not bool(linear.weight.isfinite().all()):
                return f"weights of {name}"
        with torch.no_grad(), capture(self.trainer.network, self.probe.names) as sites:
            output = self.trainer.network(self.trainer.x)
        for site in sites:
            if not bool(site.z.isfinite().all()):
                return f"pre-activations of {site.name}"
        return "the loss" if bool(output.isfinite().all()) else "the output"
