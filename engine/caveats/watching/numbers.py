"""The numbers that a watched training's facts hold: medians over its newest sampled minibatches."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["WINDOW", "middle"]

WINDOW = 10  # sampled minibatches, of which the median counts: a broken one changes nothing
DIGITS = 2  # of the facts: they are written anew when they change


def middle(values: Sequence[float] | deque[float]) -> float:
    """The median of those that are numbers, to a few digits."""
    known: NDArray[np.float64] = np.array([v for v in values if math.isfinite(v)], np.float64)
    return float(f"{np.median(known):.{DIGITS}g}") if len(known) else math.nan
