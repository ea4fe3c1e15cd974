"""One record and everything before it, as the rules read it: numbers by name, and progress.

It draws no conclusion; the rules do. Everything here reads a history's snapshot and its facts.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caveats.config import RunConfig
from caveats.history import Event, Facts, Snapshot
from caveats.models.activations import ACTIVATIONS
from caveats.verdicts.progress import Progress, progress

if TYPE_CHECKING:
    from caveats.verdicts.verdict import Finding

__all__ = ["ADAPTIVE", "FADED", "GROWN", "MOSTLY", "Evidence"]

Floats = NDArray[np.float64]

# ‖delta‖ of the first layer over that of the output. 12 of 15 healthy small networks cross a ratio
# of 70 (AUTOTRAINER's limit for gradients) at some time.
FADED, GROWN = 1e-3, 100.0
EARLY = 0.05  # of the planned steps
# Largest distance between two units over the length of one: rounding in wide matrix products
# parts exact copies by about 1e-7 a step.
NEARLY = 1e-3
MOSTLY = 0.5  # of a layer's units are copies
# These divide each gradient by its own size: how small it is does not slow them.
ADAPTIVE = frozenset({"rmsprop", "adadelta", "adam", "adamw", "nadam", "radam", "adamax", "muon"})


class Evidence:
    """Record ``index`` of a snapshot, with the records before it.

    Layer arrays are (layers,), the output layer last; NaN is "not observable", never 0.
    """

    def __init__(
        self, snapshot: Snapshot, index: int, layers: tuple[str, ...], facts: Facts
    ) -> None:
        self.snapshot, self.index = snapshot, index
        self.names = layers
        self.config: RunConfig | None = facts.config
        self.facts = facts
        self.findings: dict[str, Finding] = {}  # by caveat, of the rules that came before

    def blames(self, *names: str) -> bool:
        """Whether a rule that came before found one of these caveats, as more than a note."""
        found = (self.findings.get(name) for name in names)
        return any(finding is not None and finding.severity != "note" for finding in found)

    @property
    def step(self) -> int:
        return int(self.snapshot.steps[self.index])

    @property
    def hidden(self) -> int:
        """How many layers stand before the output."""
        return len(self.names) - 1

    def now(self, measure: str) -> Floats:
        """A layer measure in this record, (layers,)."""
        values: Floats = self.snapshot.layers(measure)[self.index]
        return values

    def first(self, measure: str) -> Floats:
        """A layer measure in the run's first record, (layers,)."""
        values: Floats = self.snapshot.layers(measure)[0]
        return values

    @cached_property
    def apart(self) -> Floats:
        """Largest distance between two units of a hidden layer, in lengths of one unit's weights,
        in the newest record that measured it, (hidden,); NaN where none did."""
        spread = self.snapshot.layers("spread")[: self.index + 1, : self.hidden]
        taken = np.flatnonzero(np.isfinite(spread).any(axis=1))
        if not len(taken):
            return np.full(self.hidden, math.nan)
        row = taken[-1]
        units = self.snapshot.layers("units")[row, : self.hidden]
        length = self.snapshot.layers("weight_norm")[row, : self.hidden] / np.sqrt(units)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(length > 0, spread[row] / length, math.nan)

    def recent(self, measure: str, records: int = 5) -> Floats:
        """The last records of a layer measure, (records, layers)."""
        return self.snapshot.layers(measure)[max(0, self.index + 1 - records) : self.index + 1]

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        return self.snapshot.steps[: self.index + 1]

    @cached_property
    def losses(self) -> Floats:
        return self.snapshot.scalar("loss")[: self.index + 1]

    @property
    def loss(self) -> float:
        return float(self.losses[-1])

    def scalar(self, name: str) -> float:
        return float(self.snapshot.scalar(name)[self.index])

    @cached_property
    def progress(self) -> Progress:
        finite = np.isfinite(self.losses)
        steps, losses = self.steps, self.losses
        if not finite.all():
            steps, losses = steps[finite], losses[finite]
        if not len(steps):
            steps, losses = self.steps[-1:], np.array([math.inf])
        accuracy = self.scalar("accuracy")
        return progress(steps, losses, accuracy, self.facts)

    @cached_property
    def divergence(self) -> Event | None:
        """The event of the first number that was not finite, if it came by now."""
        for event in self.snapshot.events:
            if event.kind == "diverged" and event.step <= self.step:
                return event
        return None

    @cached_property
    def finite(self) -> bool:
        return self.divergence is None and math.isfinite(self.loss)

    @cached_property
    def copies(self) -> Floats:
        """Per hidden layer the share of units that are copies of another, (hidden,)."""
        units = self.now("units")[: self.hidden]
        exact = 1 - self.now("distinct")[: self.hidden] / units
        found: Floats = np.where(self.apart <= NEARLY, (units - 1) / units, exact)
        return found

    @cached_property
    def symmetric(self) -> bool:
        """Whether most units of some hidden layer are copies: one of two is most."""
        return bool(np.any(self.copies >= MOSTLY))

    @cached_property
    def began_symmetric(self) -> bool:
        """Whether they were in the first record; what its deltas say is then no more than that."""
        units = self.first("units")[: self.hidden]
        return bool(np.any(1 - self.first("distinct")[: self.hidden] / units >= MOSTLY))

    @cached_property
    def dead_share(self) -> Floats:
        """Dead units of each hidden layer as a share, (hidden,). Where the whole training set was
        looked at, only what is dead there counts."""
        dead = np.fmin(self.now("dead"), self.now("confirmed_dead"))
        return dead[: self.hidden] / self.now("units")[: self.hidden]

    @cached_property
    def mostly_dead(self) -> bool:
        """Whether some hidden layer is nearly or wholly dead, so that next to nothing gets by."""
        return bool(np.any(np.nan_to_num(self.dead_share) >= 0.8))

    @cached_property
    def saturated_share(self) -> Floats:
        """Saturated units of each hidden layer as a share, (hidden,), 0 where not observed. A unit
        of an activation that dies is not saturated on its other side where it is dead there."""
        units = self.now("units")[: self.hidden]
        share = self.now("saturated")[: self.hidden] / units
        alive = np.maximum(0, share - np.nan_to_num(self.now("dead")[: self.hidden] / units))
        found: Floats = np.nan_to_num(np.where(self.dies, alive, share))
        return found

    @cached_property
    def dies(self) -> NDArray[np.bool_]:
        """Hidden layers whose activation is flat for z ≤ 0 as ReLU is, (hidden,): what has no slope
        there is dead. Where the flat sides are bounds (hard_tanh), it is saturated."""
        names = self.config.network.activations if self.config is not None else ()
        flat = [ACTIVATIONS[name].flat[0] == 0 for name in names]
        return np.array(flat if len(flat) == self.hidden else [False] * self.hidden, bool)

    @cached_property
    def delta_ratio(self) -> float:
        """‖delta‖ of the first layer over that of the output: below 1 it fades on its way down.
        NaN without a hidden layer or where deltas were not seen."""
        return ratio(self.now("delta_rms"), self.now("units"))

    @cached_property
    def first_delta_ratio(self) -> float:
        return ratio(self.first("delta_rms"), self.first("units"))

    @property
    def saturating(self) -> bool:
        """Whether the activations are bounded ones (or unknown), which saturate rather than die."""
        if self.config is None:
            return True
        return any(ACTIVATIONS[name].can_saturate for name in self.config.network.activations)

    @property
    def adaptive(self) -> bool:
        return self.config is not None and self.config.optimizer.name in ADAPTIVE

    @property
    def undecided(self) -> bool:
        """The first steps of an optimizer that small gradients do not slow: whether it learns all
        the same its loss will show soon."""
        return self.adaptive and not self.progress.late(EARLY)

    def layer(self, index: int) -> str:
        return self.names[index]

    def during(self) -> str:
        """ "at step 0" or "by step 120"."""
        return "at step 0" if self.step == 0 else f"by step {self.step}"


def ratio(delta: Floats, units: Floats) -> float:
    # Norms, not root mean squares: those fall by √(width) from one output to a wide layer.
    if len(delta) < 2 or not math.isfinite(delta[-1]) or delta[-1] <= 0:
        return math.nan
    return float(delta[0] / delta[-1] * math.sqrt(units[0] / units[-1]))
