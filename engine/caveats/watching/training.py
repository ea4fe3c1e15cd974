"""One model of a training that we did not write: reads its steps and fills a history.

Record k holds the weights after k steps, the loss and the gradients that they gave on the next
minibatch, and the step that led to them.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from caveats.errors import sentence
from caveats.facts import RunFacts
from caveats.history import Event, History
from caveats.measuring.cadence import FIRST_STEPS, GROWTH, Automatic
from caveats.measuring.passing import compiled
from caveats.measuring.sites import Site
from caveats.measuring.tracing import NO_PART
from caveats.verdicts import Judge
from caveats.watching.births import broken
from caveats.watching.budget import Budget
from caveats.watching.checks import Checks
from caveats.watching.clipping import Clipping, Kept
from caveats.watching.data import Data
from caveats.watching.layers import Layers
from caveats.watching.live import NO_PASS, Live
from caveats.watching.losses import Loss, Losses, StepLosses
from caveats.watching.models import Model, compiled_doors, holds, sharded
from caveats.watching.moments import Moments
from caveats.watching.observed import facts_now
from caveats.watching.precision import Precision
from caveats.watching.reading import StepProbe, Updates, gradient_table, unscale
from caveats.watching.shadow import Shadow
from caveats.watching.spikes import Spikes
from caveats.watching.stretches import LONGEST
from caveats.watching.unowned import Owner
from caveats.watching.untrained import leaves, nearest_weight, some
from caveats.watching.wiring import Wiring

__all__ = ["WatchedTraining"]

DEEP_STEPS = 250
DUE = Automatic()


def newest_of(step: int) -> int:
    """How many steps before ``step`` the loss of its record is the mean of, at most."""
    return max(FIRST_STEPS, step // GROWTH)


class WatchedTraining:
    """``history`` is None until the first pass was seen. ``problem`` says why measuring stopped, ""
    while it goes on; ``unobserved`` names what could not be seen, with reasons; ``diverged`` tells
    whether a loss was not finite.

    ``owners()`` gives all optimizers of the process. ``shared`` says whether others than the one
    that is followed step this network too.
    """

    def __init__(
        self,
        model: Model,
        optimizer: Any,
        losses: Losses,
        budget: Budget,
        owners: Callable[[], Sequence[Owner]] = list,
        clipping: Clipping | None = None,
    ) -> None:
        self.model, self.budget = model, budget
        self.history: History | None = None
        self.judge = Judge()
        self.step = 0
        self.problem, self.diverged = "", False
        self.unobserved: dict[str, str] = {}
        self.began = time.perf_counter()
        self._optimizer, self._losses = optimizer, losses
        self._live: Live | Shadow | None = None
        self._doors = [] if model.root is None else compiled_doors(model.root)
        self._probe = StepProbe()
        self._layers: Layers | None = None
        self._updates: Updates | None = None
        self._moved: tuple[int, Any] | None = None
        self._waiting = StepLosses()
        self._spikes, self._jumped = Spikes(), deque[int](maxlen=16)
        self._moments, self._precision = Moments(model.parameters), Precision()
        self._data, self._kept = Data(model), Kept()
        self._clipping = clipping or Clipping()
        self.wiring, self._checks = Wiring(model, owners), Checks(model)
        self.shared, self._ends_here = False, True
        self._sampled = self.armed = False  # whether the step that is going on will be read
        self._lr = math.nan  # at the newest record
        self._speed_since, self.speed = (0, self.began), 0.0
        self._why_blind = ""
        self._direct = False  # whether the script calls layer.forward, past the hooks
        self.arm()

    # What `caveats.runs.writer` asks for.

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    @property
    def units(self) -> list[int]:
        return [] if self._layers is None else self._layers.units

    @property
    def device(self) -> str:
        return str(self.model.parameters[0][1].device)

    # Called around each step.

    def arm(self) -> None:
        """Watch the next pass, whose step will be read."""
        self.armed = True
        self.disarm()
        root = self.model.root
        if root is None:
            self._why_blind = "the parameters belong to no module"
        elif sharded(root):
            self._why_blind = "activations are not visible under FSDP, whose layers are put "
            self._why_blind += "together only while they run"
        if root is None or self._why_blind:
            return
        losses = self._losses
        if self._doors or compiled(root):
            self._live = Shadow(root, self._doors, lambda: losses.running)
        else:
            self._live = Live(root, lambda: losses.count, lambda: losses.running, self._direct)

    def was_compiled(self) -> None:
        """Torch has compiled some module: look whether it is this model."""
        if self.model.root is not None:
            self._doors = compiled_doors(self.model.root)
            if self._live is not None:
                self.arm()

    def disarm(self, why: str = "") -> None:
        """Take the hooks off the modules."""
        live, self._live = self._live, None
        if live is not None:
            live.close()
        self._why_blind = self._why_blind or why

    def follow(self, model: Model) -> None:
        """Another optimizer's steps are counted from now on: that of the parameters of
        ``model``."""
        self.wiring.follow(model, self.step)
        self._moments, self._optimizer, self._spikes = Moments(model.parameters), None, Spikes()
        if self.history is not None:  # its losses may have another level: no mean is of both
            self._between([*self._waiting.read(), math.nan])

    def root(self, loss: Any) -> None:
        """A backward pass begins at ``loss``."""
        if self._optimizer is not None:
            self.wiring.begins(self.step, lambda: leaves(loss))
        if self.armed and self.model.root is not None:
            last = nearest_weight(loss)
            self._ends_here = last is None or holds(self.model.root, last)
            self._checks.root(self.step, loss)

    def before(self, optimizer: Any = None, closure: bool = False, by_hand: bool = False) -> None:
        """The optimizer is about to step; with a ``closure`` it will compute the gradients. If the
        parameters are updated ``by_hand``, nobody says when that was done."""
        if optimizer is not None:
            self._optimizer = optimizer
        if not closure:
            if self._updates is not None and self.shared:
                self._measure_step()  # by now the other optimizers have stepped too
            self._moments.look(self.step, self._optimizer)
            self._read(self._losses.take(False))
        if self._layers is not None and self.budget.due(self.step + 1):
            self._updates = Updates(self._layers.blanks)
            if by_hand:
                self.arm()

    def after(
        self, inside: float, now: float, closure: bool = False, only_last: bool = False
    ) -> None:
        """The optimizer has stepped by ``now``; the instruments took ``inside`` seconds of it."""
        if closure:
            first = self._layers is None
            self._read(self._losses.take(only_last))
            if first and self._layers is not None:
                self.arm()  # before the first reading there were no layers whose step to remember
        self.step += 1
        if self._updates is not None:
            if closure or not self.shared:
                self._measure_step()
            elif not self.armed:
                self.arm()
        self._time(now)
        self.budget.passed(self._sampled or self.armed, inside, now)
        self._sampled = self.armed

    def _measure_step(self) -> None:
        assert self._updates is not None
        with torch.no_grad():
            self._moved = self.step, self._updates.ratios()
            self.tell(self._precision.rounded(self.step, self._updates.unmoved()))
        self._updates = None
        if not self.armed:
            self.arm()

    @property
    def quiet(self) -> int:
        """How many of the next steps need only their loss; 0 where steps are long."""
        if self.armed or self._updates is not None or self._layers is None or self.diverged:
            return 0
        if not self.wiring.settled(self.step) or not self.budget.dear:
            return 0
        return self.budget.free(self.step, LONGEST)

    def look(self, made: int) -> None:
        """``made`` of these steps have begun."""
        self._moments.look(self.step + made - 1, self._optimizer)

    def passed(self, losses: Sequence[Loss | None], inside: float, now: float) -> None:
        """Steps that needed only these losses have been made by ``now``."""
        first, self.step = self.step, self.step + len(losses)
        self._spike(first, self._waiting.add_all(losses))
        self.budget.passed(False, inside, now, len(losses))

    def _read(self, loss: Loss | None) -> None:
        """Take in the loss and, at a sampled step, the layers."""
        value = self._waiting.add(loss)
        broken = value is not None and not math.isfinite(value)
        self._spike(self.step, () if value is None else (value,))
        found = list(self.wiring.look(self.step, self._losses.count))
        self.tell(found)
        if self.armed or (broken and not self.diverged):
            self.armed = False
            try:
                with torch.no_grad():
                    self._sample()
            except Exception as error:  # the script goes on, whatever happens here
                self.problem = sentence(error)
                self.disarm()
        elif found and not self.armed:
            self.arm()  # so that the verdict comes with the next step

    def _sample(self) -> None:
        live, self._live = self._live, None
        sites: list[Site] = []
        unobserved: Mapping[str, str] = {}
        rows, why, first = 1, self._why_blind, None
        if live is not None:
            live.close()
            sites, unobserved = live.take()
            rows, why, first = live.rows, live.reason, live.first
        if self._layers is None and isinstance(live, Live) and self._passed_by(live, unobserved):
            self._direct = True
            self.arm()
            return  # the layers are those of the next pass
        self._data.add(first, sites, self._losses, self._optimizer, self._ends_here)
        self._kept.add(self._clipping.take([id(p) for _, p in self.model.parameters]))
        if self._layers is None:
            self._start(Layers(self.model, sites, unobserved), why)
        assert self._layers is not None
        assert self.history is not None
        if why:
            self.unobserved.setdefault("activations", why)
        sites = self._layers.align(sites)
        grads = gradient_table(sites)
        unscale(grads, self._optimizer)
        # Before the record, whose verdicts read them.
        if self._losses.scaler is not None:
            self.tell(self._precision.scaled(self.step, self._losses.scaler))
        self.tell(self.wiring.sample(self.step, sites, self._optimizer))
        self.tell(self._checks.sample(self.step, live))
        deep = self.step == 0 or self.step % DEEP_STEPS == 0
        reading = self._probe.read(sites, grads, rows, self._losses.factor(), deep)
        if self._moved is not None and self._moved[0] == self.step:
            reading.layers["update_ratio"][:] = self._moved[1]
        self._record(reading.layers, reading.states)

    def _passed_by(self, live: Live, unobserved: Mapping[str, str]) -> bool:
        """Whether most of the weights with a gradient were in no pass that the hooks saw: then the
        script calls the methods ``forward`` itself."""
        trained = [n for n, p in self.model.parameters if p.ndim > 1 and p.grad is not None]
        lost = [n for n in trained if live.reason == NO_PASS or unobserved.get(n) == NO_PART]
        return not self._direct and len(lost) > len(trained) / 2

    def _start(self, layers: Layers, why: str) -> None:
        self._layers = layers
        self.unobserved = dict(layers.unobserved)
        self.history = History(layers.names, facts=RunFacts(layers=layers.facts))
        self._refresh_facts()
        names: dict[str, list[str]] = {}
        for name, reason in self.unobserved.items():
            names.setdefault(reason, []).append(name)
        said = {"activations": why} if why else {some(n): reason for reason, n in names.items()}
        for what, reason in said.items():
            self.note(Event(self.step, "unobserved", f"{what}: {reason}"))

    def _refresh_facts(self) -> None:
        assert self.history is not None
        facts = self.history.facts
        self.history.facts = facts_now(facts, self._data, self._optimizer, self._kept)

    def _record(self, layers: Any, states: Any) -> None:
        assert self.history is not None
        losses = self._waiting.read()
        if losses and self.device != "cpu":
            self._spike(self.step + 1 - len(losses), losses)
        self._refresh_facts()
        self._between(losses)
        mean = float(np.mean(losses[-newest_of(self.step) :])) if losses else math.nan
        groups = getattr(self._optimizer, "param_groups", ())
        self._lr = max((float(g["lr"]) for g in groups if "lr" in g), default=math.nan)
        self.history.append(
            self.step,
            {
                "loss": mean,
                "batch_loss": mean,
                "lr": self._lr,
                "seconds": self.seconds,
                "overhead": self.budget.overhead,
            },
            layers,
            states,
        )
        if not np.isfinite(losses).all() and not self.diverged:
            self.diverged = True
            self.tell(broken(self.step, self._losses.born))
        self._report()

    def _between(self, losses: list[float]) -> None:
        """Add records of the losses alone at steps since the last record that were due, but for
        which the budget had no sample."""
        assert self.history is not None
        first = self.step + 1 - len(losses)
        for step in range(max(first, self.history.version[0] + 1), self.step):
            if DUE.due(step, 0):
                mean = float(np.mean(losses[: step - first + 1][-newest_of(step) :]))
                scalars = {"loss": mean, "batch_loss": mean, "lr": self._lr}
                states = self.history.snapshot().states
                self.history.append(step, scalars, {}, states[-1] if states else ())

    def _report(self) -> None:
        """Note each new verdict, and each that has become worse, as an event."""
        assert self.history is not None
        before = {v.caveat: v.severity for v in self.judge.verdicts}
        for verdict in self.judge.look(self.history):
            if before.get(verdict.caveat) != verdict.severity:
                text = f"{verdict.severity}: {verdict.title}: {verdict.what}"
                said = {"caveat": verdict.caveat, "severity": verdict.severity}
                self.note(Event(self.step, "verdict", text, said))

    def _spike(self, first: int, losses: Sequence[float]) -> None:
        for at, score in self._spikes.add_all(losses):
            step, loss = first + at, losses[at]
            text = (
                f"the loss jumped to {loss:.4g}, {score:.0f} robust deviations above the last steps"
            )
            rms, lead = self._moments.before(step, self.step, self._jumped, self._optimizer)
            self._jumped.append(step)
            numbers = {"loss": loss, "z": score, "rms": rms, "lead": lead}
            self.note(Event(step, "spike", text, numbers))

    def note(self, event: Event) -> None:
        if self.history is not None:
            self.history.note(event)

    def tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self.note(event)

    def _time(self, now: float) -> None:
        from_step, from_time = self._speed_since
        if now - from_time >= 0.5:
            self.speed = (self.step - from_step) / (now - from_time)
            self._speed_since = self.step, now

    def close(self) -> None:
        """Take the hooks off, and add a record of what came after the last one: the losses and the
        weights, without a pass."""
        self.disarm()
        if self.history is None or self._layers is None or self.problem:
            return
        try:
            with torch.no_grad():
                step = max(0, self.step - 1)
                if self.history.version[0] < step:
                    self.step = step
                    reading = self._probe.read(self._layers.align([]), {}, 1, 1.0, False)
                    states = self.history.snapshot().states
                    self._record(reading.layers, states[-1] if states else ())
        except Exception as error:
            self.problem = sentence(error)
