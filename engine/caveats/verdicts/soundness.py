"""Whether the network itself is sound, before its first step and now: what every rule about the
step asks first. A slow loss is blamed on the step only where no layer is dead, copied, saturated
or out of reach.
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
    """Had deltas faded over the layers before the first step?"""
    return e.first_delta_ratio <= e.thresholds.faded


@sign
def grown_start(e: Evidence) -> bool:
    """Did deltas grow over the layers before the first step?"""
    return e.first_delta_ratio >= e.thresholds.grown


@sign
def began_symmetric(e: Evidence) -> bool:
    """Were most units of some layer copies before the first step? What its deltas say is then no
    more than that."""
    units = e.first("units")[: e.hidden]
    copied = 1 - e.first("distinct")[: e.hidden] / units
    return bool(np.any(copied >= e.thresholds.most))


@sign
def unsound_start(e: Evidence) -> bool:
    """Did signals fade, grow or start as copies already before the first step?"""
    return faded_start(e) or grown_start(e) or began_symmetric(e)


@sign
def symmetric(e: Evidence) -> bool:
    """Are most units of some layer copies (one of two is most)?"""
    return bool(np.any(e.copies >= e.thresholds.most))


@sign
def mostly_dead(e: Evidence) -> bool:
    """Is some layer nearly or wholly dead, so that next to nothing gets by?"""
    return bool(np.any(np.nan_to_num(e.dead_share) >= e.thresholds.nearly_all))


@sign
def mostly_saturated(e: Evidence) -> bool:
    """Are most units of some layer saturated?"""
    return bool(np.any(e.saturated_share >= e.thresholds.most))


@sign
def faded(e: Evidence) -> bool:
    """Are the deltas of the first layer a thousandth of those of the output?"""
    return e.delta_ratio <= e.thresholds.faded


@sign
def came_through(e: Evidence) -> bool:
    """Had signals faded at the start, and do they get through now? Then the start took the time,
    not the step."""
    return faded_start(e) and e.progress.gain >= e.thresholds.nothing / 2


@sign
def cut_off(e: Evidence) -> bool:
    """Does a fault of the network, not of the step, hold the loss up?"""
    return came_through(e) or mostly_dead(e) or symmetric(e) or mostly_saturated(e) or faded(e)


@sign
def undecided(e: Evidence) -> bool:
    """Are these the first steps of an optimizer that small gradients do not slow? Whether it learns
    all the same its loss will show soon."""
    o = e.optimizer
    return o is not None and o.adaptive and not e.progress.late(e.thresholds.early)
