"""Saturation: units pushed to the flat ends of a bounded activation, where slopes are nearly 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from caveats.documents import counted
from caveats.verdicts.advice import NORMALIZE
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.pace import too_slow
from caveats.verdicts.sign import sign
from caveats.verdicts.soundness import undecided
from caveats.verdicts.verdict import Finding, Severity
from caveats.verdicts.words import percent

__all__ = ["SATURATION"]


def rule(e: Evidence) -> Finding | None:
    if not e.hidden or not e.finite:
        return None
    share, slope = e.saturated_share, mean_slope(e)
    dull = (slope <= e.thresholds.dull) & high_start(e)
    found = np.flatnonzero(((share >= e.thresholds.most) | dull) & np.isfinite(e.units))
    if not len(found):
        return None
    worst = int(found[np.argmax(share[found])])
    count, flat = int(e.units[worst]), round(float(share[worst] * e.units[worst]))
    what = f"{e.layer(worst)}: {flat} of {counted(count, 'unit')} saturated {e.during()}"
    if slope[worst] <= e.thresholds.dull:
        what = (
            f"{e.layer(worst)}: the mean slope is {percent(slope[worst])} of its maximum "
            f"{e.during()}, {flat} of {counted(count, 'unit')} saturated on nearly all rows"
        )
    if e.starting and high_start(e):
        what += f", and the loss starts {start(e):.1f} times above that of a constant"
    evidence = {
        "saturated": flat,
        "units": count,
        "layers": len(found),
        "mean_slope": float(slope[worst]),
        "loss_at_start_to_constant": start(e),
        "gain": e.progress.gain,
    }
    why = (
        "At the flat ends of a bounded activation the slope is below 5 % of its maximum, "
        "tanh'(z) = 1 − tanh²(z), and δ = φ'(z)·Wᵀδ passes next to nothing to the weights "
        "(Glorot & Bengio 2010)."
    )
    return Finding(severity(e), what, why, tuple(map(int, found)), evidence)


def severity(e: Evidence) -> Severity:
    p = e.progress
    if undecided(e):
        return "note"
    if p.close:
        return "warning" if cuts(e) and p.settled and p.gain < e.thresholds.most else "note"
    if p.stuck:
        return "critical"
    if (p.stalled and p.settled) or pays_for_its_start(e) or p.failing:
        return "warning"
    return "note"


@sign
def cuts(e: Evidence) -> bool:
    """Are all units of a layer saturated? That most rows are right excuses no such layer where the
    loss went less than half of its way."""
    return bool(np.any(e.saturated_share >= 1))


def start(e: Evidence) -> float:
    """The loss at step 0 over that of a constant."""
    baseline = e.progress.baseline
    return float(e.losses[0] / baseline) if baseline > 0 else 1.0


@sign
def high_start(e: Evidence) -> bool:
    """Did the loss start far above that of a constant, as it does if units are ±1 at random?"""
    return start(e) >= e.thresholds.high_start


@sign
def pays_for_its_start(e: Evidence) -> bool:
    """Does a high loss at the start still slow the run? With plain gradients it does while the loss
    is far above a constant's; after that, the pace tells."""
    p = e.progress
    if not high_start(e):
        return False
    if e.starting or p.level >= e.thresholds.high_start * p.baseline:
        return True
    return p.old_enough and too_slow(e)


def mean_slope(e: Evidence) -> NDArray[np.float64]:
    """The mean of φ'(z) over rows and units as a share of its maximum, (hidden,). Only for
    activations whose slope follows from a: tanh' = 1 - a², σ' = a - a². NaN for others."""
    mean = e.now("activation_mean")[: e.hidden]
    square = mean**2 + e.now("activation_std")[: e.hidden] ** 2
    slopes = {
        "tanh": 1 - square,
        "sigmoid": 4 * (mean - square),
        "tanh_plus_one": 2 * mean - square,
    }
    unknown = np.full(e.hidden, np.nan)
    names = (a.name if a is not None else "" for a in e.activations)
    return np.array([slopes.get(name, unknown)[i] for i, name in enumerate(names)])


SATURATION = Caveat(
    "saturation",
    "saturation",
    "At least half of a layer's units have a slope below 5 % of its maximum on at least 95 % of "
    "the rows; or the mean slope of a layer is below 10 % of its maximum and the loss started at "
    "twice that of a constant. Training suffers.",
    "tanh'(z) = 1 − tanh²(z), σ'(z) = σ(z)(1 − σ(z))",
    "Glorot & Bengio 2010",
    "A linear output layer cannot saturate; a trained network may hold saturated units that are "
    "sure of their answer, which is a note.",
    rule,
    (
        "Draw smaller weights: nn.init.xavier_normal_ suits bounded activations; standardize the "
        "inputs.",
        NORMALIZE,
        "A tenth of the learning rate keeps the units out of their tails.",
        "nn.ReLU has no upper end to saturate at.",
    ),
)
