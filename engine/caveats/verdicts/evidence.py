"""What the rules read: one record and all records before it, with numbers by name and the progress.

Everything comes from a history's snapshot, its facts (what was observed of network and optimizer)
and its trials, never from a config.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from caveats.facts import LayerFacts, OptimizerFacts, RunFacts, Trial, is_linear
from caveats.history import Event, Snapshot
from caveats.measures import LAYER_MEASURES
from caveats.measuring.cadence import FIRST_STEPS, GROWTH
from caveats.models.activations import ACTIVATIONS, Activation
from caveats.verdicts.progress import Progress, progress
from caveats.verdicts.thresholds import Thresholds
from caveats.verdicts.verdict import Finding

__all__ = ["DEFAULT", "Evidence", "length"]

Floats = NDArray[np.float64]

DEFAULT = Thresholds()


class Evidence:
    """Record ``index`` of a snapshot, with the records before it.

    Layer arrays are (layers,), the output layer last; NaN means "not observable", never 0.
    ``without`` names signs that always answer no (`caveats.verdicts.sign`).
    """

    def __init__(
        self,
        snapshot: Snapshot,
        index: int,
        layers: tuple[str, ...],
        facts: RunFacts,
        thresholds: Thresholds = DEFAULT,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self.snapshot, self.index = snapshot, index
        self.names = layers
        self.facts = facts
        self.thresholds = thresholds
        self.without = without
        # This record and earlier ones whose distances are a sixth of the step, as far as there are
        # records: "the newest records" then mean the same part of a run however often it was
        # measured.
        self.rows = np.append(spaced(snapshot.steps[:index]), index)
        self.answers: dict[str, bool] = {}  # of the signs that were asked
        self.findings: dict[str, Finding] = {}  # by caveat, from the earlier rules

    def blames(self, *names: str) -> bool:
        """Whether an earlier rule found one of these caveats, as more than a note."""
        found = (self.findings.get(name) for name in names)
        return any(finding is not None and finding.severity != "note" for finding in found)

    @property
    def step(self) -> int:
        return int(self.snapshot.steps[self.index])

    @property
    def hidden(self) -> int:
        """The number of hidden layers."""
        return max(0, len(self.names) - 1)

    @property
    def optimizer(self) -> OptimizerFacts | None:
        return self.facts.optimizer

    @cached_property
    def anatomy(self) -> tuple[LayerFacts | None, ...]:
        """The facts of each hidden layer, None where nothing is known."""
        known = self.facts.layers
        if len(known) != len(self.names):
            return (None,) * self.hidden
        return known[: self.hidden]

    @cached_property
    def linear(self) -> bool:
        """Whether the layers were observed and no activation stands between them."""
        known = self.facts.layers
        return len(known) == len(self.names) and is_linear(known)

    @cached_property
    def activations(self) -> tuple[Activation | None, ...]:
        """The activation of each hidden layer, None where it is not known."""
        names = (layer.activation if layer is not None else None for layer in self.anatomy)
        return tuple(ACTIVATIONS.get(name) if name is not None else None for name in names)

    def now(self, measure: str) -> Floats:
        """A layer measure in this record, (layers,)."""
        return possible(measure, self.snapshot.layers(measure)[self.index])

    def first(self, measure: str) -> Floats:
        """A layer measure in the run's first record, (layers,)."""
        return possible(measure, self.snapshot.layers(measure)[0])

    @cached_property
    def units(self) -> Floats:
        """The number of units of each hidden layer, (hidden,)."""
        return self.now("units")[: self.hidden]

    @property
    def narrowest(self) -> float:
        """The units of the narrowest hidden layer, infinite if there is none."""
        return float(self.units.min(initial=math.inf))

    @cached_property
    def apart(self) -> Floats:
        """Per hidden layer the largest distance between two units, in lengths of one unit's
        weights, (hidden,), from the newest record that measured it; NaN if none did."""
        spread = self.snapshot.layers("spread")[: self.index + 1, : self.hidden]
        taken = np.flatnonzero(np.isfinite(spread).any(axis=1))
        if not len(taken):
            return np.full(self.hidden, math.nan)
        row = taken[-1]
        units = self.snapshot.layers("units")[row, : self.hidden]
        length = self.snapshot.layers("weight_norm")[row, : self.hidden] / np.sqrt(units)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(length > 0, spread[row] / length, math.nan)

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        steps: NDArray[np.int64] = self.snapshot.steps[self.rows]
        return steps

    @cached_property
    def losses(self) -> Floats:
        """The loss at `steps`, (spaced records,)."""
        losses: Floats = self.snapshot.scalar("loss")[self.rows]
        return losses

    @property
    def loss(self) -> float:
        return float(self.losses[-1])

    @property
    def starting(self) -> bool:
        """Whether this is one of the first steps, when effects of the start are still visible."""
        return self.step < FIRST_STEPS

    def scalar(self, name: str) -> float:
        return float(self.snapshot.scalar(name)[self.index])

    def newest(self, name: str) -> float:
        """The last value of a scalar that is measured now and then; NaN if it never was."""
        column = self.snapshot.scalar(name)[: self.index + 1]
        taken = np.flatnonzero(np.isfinite(column))
        return float(column[taken[-1]]) if len(taken) else math.nan

    @cached_property
    def progress(self) -> Progress:
        finite = np.isfinite(self.losses)
        steps, losses = self.steps, self.losses
        if not finite.all():
            steps, losses = steps[finite], losses[finite]
        if not len(steps):
            steps, losses = self.steps[-1:], np.array([math.inf])
        return progress(steps, losses, self.scalar("accuracy"), self.facts, self.thresholds)

    @cached_property
    def divergence(self) -> Event | None:
        """The event of the first number that was not finite, if it has happened by this record."""
        for event in self.snapshot.events:
            if event.kind == "diverged" and event.step <= self.step:
                return event
        return None

    @cached_property
    def undefined(self) -> Event | None:
        """The event of a function at its pole that made the loss not finite."""
        for event in self.snapshot.events:
            if event.kind == "undefined" and event.step <= self.step:
                return event
        return None

    def latest(self, kind: str, finding: str = "") -> Event | None:
        """The newest event of a kind by this record; with ``finding``, of that finding."""
        for event in reversed(self.snapshot.events):
            asked = not finding or event.changes.get("finding") == finding
            if event.kind == kind and event.step <= self.step and asked:
                return event
        return None

    @cached_property
    def trial(self) -> Trial | None:
        """The trial that was made at the step of this record, from its weights."""
        for event in reversed(self.snapshot.events):
            if event.trial is not None and event.step == self.step:
                return event.trial
        return None

    @cached_property
    def finite(self) -> bool:
        return self.divergence is None and math.isfinite(self.loss)

    @cached_property
    def copies(self) -> Floats:
        """The share of units of each hidden layer that are copies of another unit, (hidden,)."""
        exact = 1 - self.now("distinct")[: self.hidden] / self.units
        near = self.apart <= self.thresholds.copies
        found: Floats = np.where(near, (self.units - 1) / self.units, exact)
        return found

    @cached_property
    def dead_share(self) -> Floats:
        """The share of dead units of each hidden layer, (hidden,). If the whole training set was
        checked, only units that are dead on all of it count; but if no probe row passes a layer,
        all of its units do, as one row in hundreds trains nothing."""
        dead, every = self.now("dead")[: self.hidden], self.now("confirmed_dead")[: self.hidden]
        return np.where(dead >= self.units, dead, np.fmin(dead, every)) / self.units

    @cached_property
    def saturated_share(self) -> Floats:
        """The share of saturated units of each hidden layer, (hidden,), 0 where not observed. For
        an activation that can die, dead units do not count as saturated."""
        share = self.now("saturated")[: self.hidden] / self.units
        alive = np.maximum(0, share - np.nan_to_num(self.now("dead")[: self.hidden] / self.units))
        found: Floats = np.nan_to_num(np.where(self.dies, alive, share))
        return found

    @cached_property
    def dies(self) -> NDArray[np.bool_]:
        """Which hidden layers, (hidden,), have an activation that is flat for z ≤ 0 as ReLU is: a
        unit without slope is dead there. For flat sides that are bounds (hard_tanh) it is
        saturated instead."""
        return np.array([a is not None and a.flat[0] == 0 for a in self.activations], bool)

    @cached_property
    def adding(self) -> NDArray[np.bool_]:
        """Which hidden layers, (hidden,), add up inputs: embeddings and bare parameters do not."""
        return np.array([layer is not None and layer.fan_in > 1 for layer in self.anatomy], bool)

    @cached_property
    def residual(self) -> NDArray[np.bool_]:
        """Which hidden layers, (hidden,), have a shortcut around them, so cannot cut the network
        off."""
        return np.array([layer is not None and layer.residual for layer in self.anatomy], bool)

    @property
    def dropout(self) -> float:
        """The largest share of a layer that training drops."""
        return max((layer.dropout for layer in self.anatomy if layer is not None), default=0.0)

    def normalized(self, *kinds: str) -> int:
        """How many hidden layers use one of these ``kinds`` of normalization; without ``kinds``,
        how many use any."""
        known = (layer.normalization for layer in self.anatomy if layer is not None)
        return sum(kind in kinds if kinds else kind != "none" for kind in known)

    @cached_property
    def delta_ratio(self) -> float:
        """‖delta‖ of the first layer over that of the output: below 1, delta shrinks on its way
        down. NaN without a hidden layer or where deltas were not observed."""
        return ratio(self.now("delta_rms"), self.now("units"))

    @cached_property
    def first_delta_ratio(self) -> float:
        return ratio(self.first("delta_rms"), self.first("units"))

    @cached_property
    def gradient(self) -> float:
        """‖dL/dW‖ of all layers together on the probe rows; NaN where none was observed."""
        return length(self.now("grad_norm"))

    @cached_property
    def weight(self) -> float:
        """‖W‖ of all layers together; NaN where none was observed."""
        return length(self.now("weight_norm"))

    @cached_property
    def first_weight(self) -> float:
        return length(self.first("weight_norm"))

    @cached_property
    def largest_update(self) -> float:
        """The largest ‖ΔW‖/‖W‖ of any layer, as the median over recent records: at most eight,
        none from before a quarter of the steps, whose learning rate may have been another; at least
        the newest."""
        ratios = self.snapshot.layers("update_ratio")[self.rows]
        known = np.isfinite(ratios).any(axis=1)
        if not known.any():
            return math.nan
        old = int(np.count_nonzero(4 * self.steps[known] < self.step))
        recent = ratios[known][min(old, np.count_nonzero(known) - 1) :][-8:]
        return float(np.median(np.nanmax(recent, axis=1)))

    @cached_property
    def peak_update(self) -> float:
        """The largest ‖ΔW‖/‖W‖ of any layer in the run so far, NaN if none was observed."""
        ratios = self.snapshot.layers("update_ratio")[: self.index + 1]
        ratios = ratios[np.isfinite(ratios)]  # infinite for weights that were all 0
        return float(ratios.max()) if len(ratios) else math.nan

    @cached_property
    def height(self) -> float:
        """The highest loss after step 0, divided by the first loss or the loss of a constant,
        whichever is larger."""
        losses = self.snapshot.scalar("loss")[: self.index + 1]
        later = losses[1:][np.isfinite(losses[1:])]
        return float(later.max() / max(losses[0], self.progress.baseline)) if len(later) else 0.0

    def layer(self, index: int) -> str:
        name = self.names[index]
        return f"layer {name}" if name[:1].isdigit() else name  # as nn.Sequential names its own

    def during(self) -> str:
        """ "at step 120"."""
        return f"at step {self.step}"


def length(norms: Floats) -> float:
    """The length of all vectors of these lengths together; NaN if none is known."""
    known = norms[~np.isnan(norms)].tolist()
    return math.hypot(*known) if known else math.nan  # squares could overflow


def possible(measure: str, values: Floats) -> Floats:
    """``values`` with NaN instead of numbers of units that no network has, as a damaged log may."""
    if not LAYER_MEASURES[measure].counts:
        return values
    found: Floats = np.where((values >= 0) & (values < math.inf), values + 0.0, math.nan)
    return found


def spaced(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices into ascending ``steps`` (records,): the first ten, and then so that each is a sixth
    of itself beyond the one before."""
    kept: list[int] = []
    at, end = 0, len(steps)
    while at < end:
        kept.append(at)
        step = int(steps[at])
        at = at + 1 if step < FIRST_STEPS else int(np.searchsorted(steps, step + step / GROWTH))
    return np.array(kept, np.int64)


def ratio(delta: Floats, units: Floats) -> float:
    # Compare norms, not root mean squares: the latter fall by √width from one output to a wide
    # layer.
    if len(delta) < 2 or not math.isfinite(delta[-1]) or delta[-1] <= 0:
        return math.nan
    return float(delta[0] / delta[-1] * math.sqrt(units[0] / units[-1]))
