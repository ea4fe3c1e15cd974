"""Watches a network in training: decides at each step whether to measure, and writes the records
to a history.

It needs a probe, an optimizer and a cadence, but no config, so it can also watch a network that a
user trains in a loop of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caveats.history import Event, History
from caveats.measuring.cadence import Cadence
from caveats.measuring.divergence import Divergence, locate
from caveats.measuring.firing import LISTEN_EVERY, Firing
from caveats.measuring.probe import Measurement, Probe
from caveats.measuring.readings import Readings
from caveats.measuring.scores import HeldOut
from caveats.models.isolation import undisturbed

__all__ = ["Observer"]

NOTHING = nullcontext()
TIMED_EVERY = 16  # steps: asking the clock at each would take as long as the rest of `advance`


class Observer:
    """Measures a training at the steps that ``cadence`` names and at the last one, and writes the
    records to ``history``.

    The caller makes each training step inside `watching` and then reports it: with `advance` and
    the loss, or with `diverge` and the place where it broke. `record` measures at once.

    The layers of ``history`` are those of the probe's anatomy. Of ``optimizer`` only
    ``param_groups`` and ``state`` are read. ``planned`` is the number of steps, 0 where unknown.
    ``clock`` gives the seconds since training began. ``activations`` lists the activations of the
    first layers, whose firing is counted in some training steps. ``rows`` are all training rows, on
    which dead units are counted again. ``held_out`` are rows on which each record also measures the
    loss.

    ``optimizer``, ``planned`` and ``history`` may be replaced between two steps.
    """

    def __init__(
        self,
        probe: Probe,
        optimizer: Any,
        history: History,
        cadence: Cadence,
        *,
        clock: Callable[[], float],
        planned: int = 0,
        activations: Callable[[], Sequence[nn.Module]] = list,
        rows: Tensor | None = None,
        held_out: HeldOut | None = None,
    ) -> None:
        self.probe, self.optimizer, self.history = probe, optimizer, history
        self.planned = planned
        self.step = 0
        self._next_is_due = False
        self.speed = 0.0  # steps a second over the last second or so, measuring included
        self.divergence: Divergence | None = None
        self._speed_since = (0, 0.0)  # step, seconds
        self._cadence, self._clock = cadence, clock
        self._activations, self._rows, self._held_out = activations, rows, held_out
        # Of each layer, in the order of the anatomy and of the records.
        self.units = [layer.units for layer in probe.anatomy.layers]
        self._firing = Firing(self.units, probe.x.device)
        self._readings = Readings(probe)
        self._losses: float | Tensor = 0.0
        self._losses_since = 0
        self._confirmed_dead = -1.0
        self._on_cpu = probe.x.device.type == "cpu"

    @property
    def seconds(self) -> float:
        """Seconds since training began, by the given clock."""
        return self._clock()

    @property
    def device(self) -> str:
        return str(self.probe.x.device)

    @property
    def finished(self) -> bool:
        return self.divergence is not None or 0 < self.planned <= self.step

    def watching(self) -> AbstractContextManager[bool | None]:
        """A context for the next training step: the step has to run inside it. It gives True where
        hooks listen to the step's pass."""
        step = self.step + 1
        self._next_is_due = self._due(step)
        if self._next_is_due:
            self.probe.remember()
        if step % LISTEN_EVERY:
            return NOTHING
        return self._firing.listening(self._activations())

    def advance(self, loss: Tensor) -> None:
        """Report that a step was made with this minibatch ``loss``; measures if a record is due."""
        self.step += 1
        # On the CPU a float, which costs less than a tensor; on a GPU a float would wait.
        self._losses += loss.item() if self._on_cpu else loss.double()
        self._losses_since += 1
        if self._next_is_due or self.finished:
            self.record()
        if self.step % TIMED_EVERY == 0 or self.finished:
            self._time()

    def diverge(self, where: str) -> None:
        """Report that the next step cannot be made, and measure the network as it is."""
        self._note_divergence(where)
        self.record()
        self._time()

    def record(self) -> None:
        """Measure now, unless this step was measured already."""
        newest = self.history.version[0]
        if newest == self.step:
            return
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
            readings = self._readings.take(self.optimizer)
        self.history.append(
            self.step,
            {
                "loss": measurement.loss,
                "accuracy": measurement.accuracy,
                "lowest_recall": measurement.lowest_recall,
                "batch_loss": batch_loss,
                "lr": max(float(group["lr"]) for group in self.optimizer.param_groups),
                "seconds": self.seconds,
                "r2": measurement.r2,
                "rmse": measurement.rmse,
                **({} if self._held_out is None else self._held_out.measure()),
                **readings,
            },
            measurement.layers,
            measurement.states,
        )
        broken = not math.isfinite(measurement.loss) or (made and not math.isfinite(batch_loss))
        if self.divergence is None and broken:
            self._note_divergence(self._place_on_probe_rows(newest))

    def state(self) -> dict[str, Any]:
        """All that `load` needs to continue as if never interrupted, except the history."""
        units = self.units
        born = self.probe.born_dead or {}
        return {
            "born_dead": torch.cat(
                [
                    torch.from_numpy(born[i]) if i in born else torch.zeros(n, dtype=torch.bool)
                    for i, n in enumerate(units)
                ]
            ),
            "quiet_for": self._firing.state(),
            "losses": float(self._losses),
            "losses_since": self._losses_since,
            "confirmed_dead": self._confirmed_dead,
        }

    def load(self, state: Mapping[str, Any], step: int, history: History) -> None:
        """Continue from a `state` that was taken at ``step``, with its records in ``history``."""
        born = state["born_dead"].split(self.units)
        self.probe.born_dead = {i: layer.numpy() for i, layer in enumerate(born)}
        self._firing.load(state["quiet_for"])
        self._losses, self._losses_since = state["losses"], state["losses_since"]
        self._confirmed_dead = state["confirmed_dead"]
        self.step, self.history = step, history
        self._speed_since = step, self.seconds
        for event in history.snapshot().events:
            if event.kind == "diverged":
                self.divergence = Divergence(event.step, event.text)

    def _due(self, step: int) -> bool:
        return self._cadence.due(step, self.planned) or 0 < self.planned <= step

    def _time(self) -> None:
        from_step, from_seconds = self._speed_since
        now = self.seconds
        if now - from_seconds >= 0.5 or (self.finished and now > from_seconds):
            self.speed = (self.step - from_step) / (now - from_seconds)
            self._speed_since = self.step, now

    def _confirm(self, measurement: Measurement) -> None:
        """Count the dead units again on every training row, if the probe's count has changed."""
        if self._rows is None:
            return
        counted = float(np.nansum(measurement.layers["dead"]))
        if len(self.probe.x) == len(self._rows):
            measurement.layers["confirmed_dead"][:] = measurement.layers["dead"]
        elif counted != self._confirmed_dead or self.finished:
            measurement.layers["confirmed_dead"][:] = self.probe.confirm(self._rows)
            self._confirmed_dead = counted

    def _note_divergence(self, where: str) -> None:
        self.divergence = Divergence(self.step, where)
        self.history.note(Event(self.step, "diverged", where))

    def _place_on_probe_rows(self, since: int) -> str:
        """The place of the first number that is not finite, as a record found it.

        On a GPU nothing is checked between records, and one bad step makes every weight NaN: then
        only the range of steps since the record at ``since`` is known.
        """
        with undisturbed(self.probe.network, self.probe.x.device):
            where = locate(self.probe.network, self.probe.names, self.probe.x)
        if self._on_cpu or not where.startswith(("weights", "parameter")):
            return where
        return f"a loss or a gradient between the steps {since} and {self.step}"
