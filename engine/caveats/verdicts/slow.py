"""What the caveats of plain gradient descent share: is the network itself sound, how does it fall.

A slow loss is blamed on the step only where no layer is dead, copied, saturated or out of reach.
"""

from __future__ import annotations

import math

import numpy as np

from caveats.verdicts.customary import customary_lr
from caveats.verdicts.evidence import FADED, Evidence

__all__ = ["cut_off", "falls_steadily", "largest_update", "projected_gain", "step_is_small"]


BEGUN = 0.02  # gain


def cut_off(e: Evidence) -> bool:
    """Whether a fault of the network, not of the step, holds the loss up."""
    # Signals that had faded and now get through: the start took the time, not the step.
    came_through = e.first_delta_ratio <= FADED and e.progress.gain >= BEGUN
    return bool(
        came_through
        or e.mostly_dead
        or e.symmetric
        or np.any(e.saturated_share >= 0.5)
        or e.delta_ratio <= FADED
    )


def step_is_small(e: Evidence) -> bool:
    """Steps that change no layer by more than a few thousandths of its weights, at a learning rate
    far below what is customary; where the optimizer is unknown, by less than 1e-4."""
    update = largest_update(e)
    if e.config is None:
        return update < 1e-4
    low = 0.3 * customary_lr(e.config.optimizer.name)
    return update < 10**-2.5 and e.config.optimizer.lr < low


def largest_update(e: Evidence) -> float:
    """The median over recent records of the largest ‖ΔW‖/‖W‖ of a layer."""
    ratios = e.recent("update_ratio", 8)
    finite = ratios[np.isfinite(ratios).any(axis=1)]
    return float(np.median(np.nanmax(finite, axis=1))) if len(finite) else math.nan


def falls_steadily(e: Evidence) -> bool:
    """Whether the loss fell in most of the newest ten records, and over them."""
    losses = e.losses[-11:]
    losses = losses[np.isfinite(losses)]
    if len(losses) < 4:
        return False
    return bool(np.mean(np.diff(losses) < 0) >= 0.6 and losses[-1] < losses[0])


def projected_gain(e: Evidence) -> float:
    """The gain that the run would end with if the loss went on falling as over its newest half:
    as much again in each doubling of the steps (a straight line over log steps)."""
    p = e.progress
    planned = e.facts.steps
    if not planned or e.step == 0:
        return p.gain
    doublings = np.log2(max(1.0, planned / e.step))
    fell = p.fall / max(1e-9, 1 - p.fall) * p.level  # loss taken away by the last doubling
    return float(p.gain + doublings * fell / max(p.span, 1e-12))
