"""Tells from the loss alone how training goes: learning, finished, stalled, stuck or worse.

It knows no caveat. The yardsticks are the loss of the best constant predictor and that of kernel
regression, how far these data let anyone get: a flat loss near the second is a network that has
finished, a flat loss near the first one that is stuck.
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
    """``gain`` is 1 where kernel regression gets, 0 at the constant predictor, negative where worse
    (-1 at twice its loss). ``span`` is the loss between the two; ``learnable`` says whether that is
    enough to call a loss that stays up a fault. ``fall`` is the share of the loss that the newest
    half of the steps took away and ``noise`` how much of it the newest losses scatter; ``learned``
    is what of that fall lies below the constant predictor, as a share of the span. ``level`` is the
    recent loss, the median of up to three records; ``share`` the part of the planned steps made;
    ``reachable_accuracy`` that of kernel regression, 1 where it is unknown."""

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
    reachable_accuracy: float
    old_enough: bool
    thresholds: Thresholds

    @property
    def finished(self) -> bool:
        t = self.thresholds
        return self.gain >= t.finished or self.accuracy >= t.accurate

    @property
    def close(self) -> bool:
        """Near what the data allow, by loss or, where classes are told apart, by accuracy: sure and
        mostly right is no broken network."""
        chance = math.exp(-self.baseline)  # of balanced classes
        short = self.thresholds.short
        able = self.accuracy >= chance + short * (self.reachable_accuracy - chance)
        return self.finished or self.gain >= short or able

    @property
    def failing(self) -> bool:
        """Half of the run is gone and little learned, whether or not the loss still falls."""
        t = self.thresholds
        return self.late(t.half_way) and self.gain < t.little and not self.close

    def late(self, share: float) -> bool:
        """Whether ``share`` of the planned steps are made; of 1,000 where no length is planned."""
        made = self.share if math.isfinite(self.share) else self.step / 1000
        return made >= share

    @property
    def settled(self) -> bool:
        """Past the first steps, in which many healthy networks pause or pay for large steps."""
        return self.old_enough and self.late(self.thresholds.settled)

    @property
    def improving(self) -> bool:
        return self.fall >= max(self.thresholds.falling, self.noise)

    @property
    def stuck(self) -> bool:
        """No better than a constant, and not getting there, though there is something to learn."""
        t = self.thresholds
        if not self.learnable or not self.old_enough or self.close or self.gain >= t.nothing:
            return False
        # Down to the constant predictor is not learning: it takes the output's biases alone.
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
    reachable = facts.reachable if facts.reachable > 0 else 0.0  # a stranger's folder may say NaN
    learnable = baseline - reachable >= t.learnable * baseline
    span = max(baseline - reachable, t.learnable * baseline)
    if baseline > 0:
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
        best,
        old,
        t,
    )


def median(values: NDArray[np.float64]) -> float:
    """numpy's own costs ten times as much on a few numbers."""
    ordered = sorted(values.tolist())
    half = len(ordered) // 2
    middle = ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])
    return float(middle)
