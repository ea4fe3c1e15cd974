"""Saturation: units pushed to the flat ends of a bounded activation, where slopes are nearly 0."""

from __future__ import annotations

import numpy as np

from caveats.config import RunConfig
from caveats.verdicts import customary as usual
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.slow import projected_gain
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["SATURATION"]

HALF = 0.5
FLAT = 0.1  # mean slope over its maximum: nearly nine in ten values lie in the tails
SOON = 0.8  # gain that the run is on its way to
HIGH_START = 2.0  # loss at step 0 over that of the constant predictor


def rule(e: Evidence) -> Finding | None:
    if not e.hidden or not e.saturating or not e.finite:
        return None
    units = e.now("units")[: e.hidden]
    share = e.saturated_share
    slope = mean_slope(e)
    p = e.progress
    start = float(e.losses[0] / p.baseline) if p.baseline > 0 else 1.0
    found = np.flatnonzero((share >= HALF) | ((slope <= FLAT) & (start >= HIGH_START)))
    if not len(found):
        return None
    worst = int(found[np.argmax(share[found])])
    severity: Severity
    if p.close or e.undecided:
        severity = "note"
    elif p.stuck:
        severity = "critical"
    elif (p.stalled and p.settled) or (start >= HIGH_START and held_up(e)) or p.failing:
        severity = "warning"
    else:
        severity = "note"
    count, dull = int(units[worst]), round(float(share[worst] * units[worst]))
    what = f"{e.layer(worst)}: {dull} of {count} units saturated {e.during()}"
    if slope[worst] <= FLAT:
        what = (
            f"{e.layer(worst)}: the mean slope is {slope[worst]:.0%} of its maximum {e.during()}, "
            f"{dull} of {count} units are saturated on nearly all rows"
        )
    if e.step < 10 and start >= HIGH_START:
        what += f", and the loss starts {start:.1f} times above that of a constant"
    evidence = {
        "saturated": dull,
        "units": count,
        "layers": len(found),
        "mean_slope": float(slope[worst]),
        "loss_at_start_to_constant": start,
        "gain": p.gain,
    }
    why = (
        "At the flat ends of a bounded activation the slope is below 5 % of its maximum, "
        "tanh'(z) = 1 − tanh²(z), and δ = φ'(z)·Wᵀδ passes next to nothing to the weights "
        "(Glorot & Bengio 2010)."
    )
    return Finding(severity, what, why, tuple(map(int, found)), evidence)


def held_up(e: Evidence) -> bool:
    """At the start plain gradients pay for it at once, and for as long as the loss is far above a
    constant's; later the pace shows whether they do."""
    if e.step < 10 or e.progress.level >= HIGH_START * e.progress.baseline:
        return True
    return e.progress.old_enough and projected_gain(e) < SOON


def mean_slope(e: Evidence) -> np.ndarray:
    """Mean of φ'(z) over rows and units as a share of its maximum, (hidden,), for activations whose
    slope follows from the moments of a: tanh' = 1 - a², σ' = a - a². NaN for others."""
    mean = e.now("activation_mean")[: e.hidden]
    square = mean**2 + e.now("activation_std")[: e.hidden] ** 2
    slopes = {"tanh": 1 - square, "sigmoid": 4 * (mean - square)}
    slopes["tanh_plus_one"] = 2 * mean - square
    unknown = np.full(e.hidden, np.nan)
    names = e.config.network.activations if e.config is not None else ("",) * e.hidden
    return np.array([slopes.get(name, unknown)[i] for i, name in enumerate(names)])


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    slower = cure.usual_lr(c)
    if slower is None and finding.severity == "critical":
        slower = cure.lr(c, c.optimizer.lr / 10, "smaller steps keep the units out of their tails")
    start = cure.combined(c, cure.clean_start(c), cure.centred(c), cure.usual_lr(c))
    relu = cure.activation(c, "relu", "ReLU has no upper end to saturate at")
    normal = cure.combined(c, start, slower, cure.normalization(c))
    return cure.ranked(
        c,
        (
            cure.overhaul(c) if usual.hard_shape(c) else start,
            normal,
            cure.combined(c, start, slower),
            cure.combined(c, start, slower, relu),
            cure.sound(c),
        ),
    )


SATURATION = Caveat(
    "saturation",
    "saturation",
    "At least half of a layer's units have a slope below 5 % of its maximum on at least 95 % of "
    "the rows, and training suffers.",
    "tanh'(z) = 1 − tanh²(z), σ'(z) = σ(z)(1 − σ(z))",
    "Glorot & Bengio 2010",
    "A linear output layer cannot saturate; a trained network may hold saturated units that are "
    "sure of their answer, which is a note.",
    rule,
    remedies,
)
