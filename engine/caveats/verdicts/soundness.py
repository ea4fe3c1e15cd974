"""Whether the network itself is sound, before its first step and now.

Rules about the step ask this first: they blame the step for a slow loss only if no layer is dead,
copied, saturated or cut off from the gradient.
"""

from __future__ import annotations

import numpy as np

from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign

__all__ = [
    "began_symmetric",
    "cut_off",
    "faded",
    "faded_start",
    "grown_start",
    "mostly_dead",
    "mostly_saturated",
    "symmetric",
    "undecided",
    "unsound_start",
]


@sign
def faded_start(e: Evidence) -> bool:
    """Did deltas fade over the layers before the first step?"""
    return e.first_delta_ratio <= e.thresholds.faded


@sign
def grown_start(e: Evidence) -> bool:
    """Did deltas grow over the layers before the first step?"""
    return e.first_delta_ratio >= e.thresholds.grown


@sign
def began_symmetric(e: Evidence) -> bool:
    """Were most units of some layer copies before the first step? Then its deltas show only
    that."""
    units = e.first("units")[: e.hidden]
    copied = 1 - e.first("distinct")[: e.hidden] / units
    return bool(np.any(copied >= e.thresholds.most))


@sign
def unsound_start(e: Evidence) -> bool:
    """Before the first step, did signals fade or grow, or were units copies?"""
    return faded_start(e) or grown_start(e) or began_symmetric(e)


@sign
def symmetric(e: Evidence) -> bool:
    """Are most units of some layer copies (one of two counts as most)?"""
    return bool(np.any(e.copies >= e.thresholds.most))


@sign
def mostly_dead(e: Evidence) -> bool:
    """Is some layer nearly or wholly dead, so that hardly any signal passes?"""
    return bool(np.any(np.nan_to_num(e.dead_share) >= e.thresholds.nearly_all))


@sign
def mostly_saturated(e: Evidence) -> bool:
    """Are most units of some layer saturated?"""
    return bool(np.any(e.saturated_share >= e.thresholds.most))


@sign
def faded(e: Evidence) -> bool:
    """Are the deltas of the first layer at most a thousandth of those of the output?"""
    return e.delta_ratio <= e.thresholds.faded


@sign
def came_through(e: Evidence) -> bool:
    """Did signals fade at the start, and do they pass now? Then the start cost the time, not the
    step."""
    return faded_start(e) and e.progress.gain >= e.thresholds.nothing / 2


@sign
def cut_off(e: Evidence) -> bool:
    """Does a fault of the network, not of the step, keep the loss high?"""
    return came_through(e) or mostly_dead(e) or symmetric(e) or mostly_saturated(e) or faded(e)


@sign
def undecided(e: Evidence) -> bool:
    """Are these the first steps of an optimizer that small gradients do not slow down? Then its
    loss will soon show whether it learns."""
    o = e.optimizer
    return o is not None and o.adaptive and not e.progress.late(e.thresholds.early)
