"""The numbers that a watched training's facts hold: medians over its newest sampled minibatches."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence

__all__ = ["WINDOW", "median", "middle", "quartiles"]

WINDOW = 10  # sampled minibatches, of which the median counts: a broken one changes nothing
DIGITS = 2  # of the facts: they are written anew when they change


def middle(values: Sequence[float] | deque[float]) -> float:
    """The median of those that are numbers, to a few digits."""
    known = [v for v in values if math.isfinite(v)]
    return float(f"{median(known):.{DIGITS}g}") if known else math.nan


# Of ten numbers: numpy takes ten times as long.


def median(values: Iterable[float]) -> float:
    """That of at least one number."""
    return quartiles(values)[1]


def quartiles(values: Iterable[float]) -> tuple[float, float, float]:
    """Those of at least one number, as numpy's quantile interpolates them."""
    ordered = sorted(values)
    last = len(ordered) - 1
    low, half, high = (between(ordered, last * quarter / 4) for quarter in (1, 2, 3))
    return low, half, high


def between(ordered: Sequence[float], at: float) -> float:
    index, share = int(at), at % 1
    if not share:
        return float(ordered[index])
    return float(ordered[index] * (1 - share) + ordered[index + 1] * share)
