"""How fast the loss falls, and where it would be at the end of the run at that pace."""

from __future__ import annotations

import numpy as np

from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign

__all__ = ["falls_steadily", "projected_gain", "too_slow"]


def projected_gain(e: Evidence) -> float:
    """The gain at the end of the run if the loss goes on falling as over the newest half of the
    steps: by the same amount in each doubling of the steps (a straight line over log steps)."""
    p = e.progress
    planned = e.facts.steps
    if not planned or e.step == 0:
        return p.gain
    doublings = np.log2(max(1.0, planned / e.step))
    fell = p.fall / max(1e-9, 1 - p.fall) * p.level  # how much the loss fell in the last doubling
    return float(p.gain + doublings * fell / max(p.span, 1e-12))


@sign
def too_slow(e: Evidence) -> bool:
    """Is the run too slow to reach more than half of what the data allow?"""
    return projected_gain(e) < e.thresholds.soon


@sign
def falls_steadily(e: Evidence) -> bool:
    """Did the loss fall in most of the newest ten records, and over them?"""
    losses = e.losses[-11:]
    losses = losses[np.isfinite(losses)]
    if len(losses) < 4:
        return False
    return bool(np.mean(np.diff(losses) < 0) >= e.thresholds.steadily and losses[-1] < losses[0])
