"""Slow motion: at how many steps a second a run may train so that a person can watch it."""

from __future__ import annotations

import math

__all__ = ["next_limit", "told"]

SLOW_MOTION = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)  # steps a second


def next_limit(limit: float, speed: float, *, slower: bool) -> float:
    """The limit in steps a second after ``limit`` (0 for none) at the present ``speed``: the next
    of `SLOW_MOTION` below or above; 0 above the last."""
    now = limit or speed or math.inf
    if slower:
        return max((rung for rung in SLOW_MOTION if rung < now), default=SLOW_MOTION[0])
    return min((rung for rung in SLOW_MOTION if rung > now), default=0.0) if limit else 0.0


def told(limit: float) -> str:
    if limit:
        return f"slow motion: {limit:g} step{'s' * (limit != 1)} a second; + is faster"
    return "training as fast as possible; - is slow motion"
