"""Tells from the loss alone how training goes: learning, finished, stalled, stuck or worse.

It compares the loss with two yardsticks: the loss of the best constant predictor, and the loss of
kernel regression, which says how far one can get on these data. A network whose loss is flat near
the second has finished; one whose loss is flat near the first is stuck.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caveats.facts import RunFacts
from caveats.verdicts.thresholds import Thresholds

__all__ = ["Progress", "progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How training stands at one record.

    ``gain`` is 1 at the loss of kernel regression, 0 at that of the constant predictor, negative
    above it (-1 at twice that loss). ``span`` is the difference of these two losses; ``learnable``
    says whether it, or the way down to a constant's loss, is large enough to call a loss that does
    not fall a fault. ``fall`` is the share
    of the loss that the newest half of the steps removed, ``noise`` the share by which the newest
    losses scatter. ``learned`` is the part of the fall below the constant predictor, as a share of
    the span. ``level`` is the recent loss, the median of up to three records. ``share`` is the part
    of the planned steps made. ``reachable_accuracy`` is that of kernel regression, 1 if unknown.
    """

    step: int
    share: float
    level: float
    baseline: float
    span: float
    learnable: bool
    gain: float
    fall: float
    learned: float
    noise: float
    accuracy: float
    chance: float
    reachable_accuracy: float
    old_enough: bool
    thresholds: Thresholds

    @property
    def finished(self) -> bool:
        return self.gain >= self.thresholds.finished or self.skill >= self.thresholds.finished

    @property
    def skill(self) -> float:
        """The share of the way from the accuracy of chance to 100 %; NaN without classes."""
        return (self.accuracy - self.chance) / (1 - self.chance) if self.chance < 1 else math.nan

    def learnt(self, loss: float) -> float:
        """The share of what can be learnt above a constant, by ``loss`` or by accuracy."""
        by_loss = (self.baseline - loss) / self.span if self.span > 0 else 1.0
        able = self.accuracy - self.chance
        by_accuracy = able / self.allowed if self.accuracy_tells else math.nan
        return by_accuracy if by_accuracy > by_loss else by_loss

    @property
    def allowed(self) -> float:
        """How far above chance kernel regression's accuracy is."""
        return self.reachable_accuracy - self.chance

    @property
    def accuracy_tells(self) -> bool:
        """Whether the data allow much more than chance. Where they do not, a few rows more prove
        nothing, and the loss says more."""
        return self.allowed >= self.thresholds.little * (1 - self.chance) and self.chance < 1

    @property
    def close(self) -> bool:
        """Near what the data allow: by loss or, for classes, by accuracy. A network that is mostly
        right is not broken."""
        t = self.thresholds
        # Right answers excuse a high loss the less, the higher it is: at a constant's loss or above
        # nearly all must be right, since the wrong ones are given with too much confidence.
        gained = min(max(self.gain / t.short, 0.0), 1.0)
        share = t.finished - (t.finished - t.short) * gained
        able = self.accuracy_tells and self.accuracy - self.chance >= share * self.allowed
        return self.finished or self.gain >= t.short or able

    @property
    def failing(self) -> bool:
        """Half of the run is over and little was learned, whether or not the loss still falls."""
        t = self.thresholds
        return self.late(t.half_way) and self.gain < t.little and not self.close

    def late(self, share: float) -> bool:
        """Whether ``share`` of the planned steps are made (of 1,000 steps if none are planned)."""
        made = self.share if math.isfinite(self.share) else self.step / 1000
        return made >= share

    @property
    def settled(self) -> bool:
        """Past the first steps, in which many healthy networks pause or recover from large
        steps."""
        return self.old_enough and self.late(self.thresholds.settled)

    @property
    def improving(self) -> bool:
        return self.fall >= max(self.thresholds.falling, self.noise)

    @property
    def stuck(self) -> bool:
        """No better than a constant and not improving, though there is something to learn."""
        t = self.thresholds
        if not self.learnable or not self.old_enough or self.close or self.gain >= t.nothing:
            return False
        # Falling to the constant predictor's loss is not learning: the output's biases can do that.
        return not self.improving or (self.gain > -t.nothing and self.learned < t.falling)

    @property
    def stalled(self) -> bool:
        """Far from finished, and not getting better."""
        return self.old_enough and not self.close and not self.improving


def progress(
    steps: NDArray[np.int64],
    losses: NDArray[np.float64],
    accuracy: float,
    facts: RunFacts,
    thresholds: Thresholds,
) -> Progress:
    """How training stands at the last of ``steps`` (records,) with ``losses`` (records,)."""
    t = thresholds
    step, baseline, planned = int(steps[-1]), facts.baseline, facts.steps
    level = median(losses[-3:])
    if not (math.isfinite(baseline) and baseline > 0):
        baseline = float(losses[0])
    quarter, half, late = np.searchsorted(steps, (step / 4, step / 2, 0.7 * step), side="right")
    before = median(losses[max(0, min(quarter, half - 3)) : max(1, half)])
    newest = losses[min(late, max(0, len(losses) - 3)) :]
    now = median(newest)
    reachable = facts.reachable if facts.reachable > 0 else 0.0  # a kept run may hold NaN
    # The loss of a constant can be reached on any data.
    learnable = max(baseline, level) - reachable >= t.nothing * baseline
    span = max(baseline - reachable, t.nothing * baseline)
    if span > 0:
        gain = (baseline - level) / (span if level < baseline else baseline)
        learned = (min(before, baseline) - now) / span
    else:
        gain, learned = 1.0, 0.0
    fall = (before - now) / before if before > 0 else 0.0
    noise = median(np.abs(newest - now)) / before if before > 0 and math.isfinite(now) else 0.0
    earliest = max(t.first_steps, t.early * planned)
    share = step / planned if planned else math.nan
    old = step >= earliest and len(steps) >= 6
    best = facts.reachable_accuracy if 0 <= facts.reachable_accuracy <= 1 else 1.0
    chance = facts.data.chance
    if not 0 <= chance <= 1:  # that of balanced classes; a density's loss is below 0
        chance = math.exp(-max(0.0, baseline))
    return Progress(
        step,
        share,
        level,
        baseline,
        span,
        learnable,
        gain,
        fall,
        learned,
        noise,
        accuracy,
        chance,
        best,
        old,
        t,
    )


def median(values: NDArray[np.float64]) -> float:
    """The median. On a few numbers numpy's function takes ten times as long."""
    ordered = sorted(values.tolist())
    half = len(ordered) // 2
    middle = ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])
    return float(middle)
