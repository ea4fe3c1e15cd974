"""Vanishing gradient: the error signal fades layer by layer on its way down.

Judged by delta = dLoss/dz, not by weight gradients: ‖dW‖ is delta times activation, and where both
fade their products are alike in all layers, so the usual ratio of first to last ‖dW‖ sees nothing
(1.13 in a tanh network of 10 layers whose delta ratio is 1.4e-10).
"""

from __future__ import annotations

import math

import numpy as np

from caveats.config import RunConfig
from caveats.verdicts import customary as usual
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import FADED, Evidence
from caveats.verdicts.slow import projected_gain
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["VANISHING_GRADIENT"]

SMALLEST = 1e-45  # of float32


def rule(e: Evidence) -> Finding | None:
    if e.hidden < 2 or not e.finite:
        return None
    if e.symmetric:
        return None  # one weight for all: nothing fades, nothing can be told apart
    now, first = e.delta_ratio, e.first_delta_ratio
    if np.any(np.nan_to_num(e.dead_share) >= 1) or np.any(e.saturated_share >= 0.5):
        now = math.nan  # cut off by a dead or a saturated layer, which is another caveat
    if now == 0 and first > FADED:
        now = math.nan  # nothing gets through any more: cut off too, by units that nobody counts
    if e.began_symmetric or np.any(e.first("dead")[: e.hidden] >= e.first("units")[: e.hidden]):
        first = math.nan
    p = e.progress
    # A network that has learned may well have small deltas at the bottom: only one that starts so,
    # or stands still so, is held back by them.
    if first >= 1 / FADED or not (
        now <= FADED or (first <= FADED and (p.failing or not p.improving))
    ):
        return None
    if p.finished:
        return None
    # Down to the loss of a constant the output's biases lead alone.
    idle = p.old_enough and not p.close and first <= FADED and projected_gain(e) < 0.3
    severity: Severity
    if e.undecided:
        severity = "note"
    elif p.stuck:
        severity = "critical"
    elif p.stalled or idle or (e.step < 10 and first <= FADED):
        severity = "warning"
    else:
        severity = "note"
    r = float(np.fmin(now, first))
    factor = max(r, SMALLEST) ** (1 / e.hidden)
    delta = e.now("delta_rms")
    faded = np.flatnonzero(delta[: e.hidden] <= FADED * delta[-1])
    layers = tuple(map(int, faded)) or (0,)
    what = f"delta at {e.layer(0)} is {r:.1e} of that at the output: about ×{factor:.2g} a layer"
    if r == 0:
        what = f"delta at {e.layer(0)} is 0: less than a float holds of that at the output"
    weight = e.now("weight_norm")
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = e.now("grad_norm") / weight
    evidence = {
        "delta_ratio": now,
        "delta_ratio_at_start": first,
        "factor_per_layer": factor,
        "grad_ratio": float(e.now("grad_norm")[0] / max(e.now("grad_norm")[-1], 1e-300)),
        "first_gradient_to_weight": float(relative[0]),
        "gain": p.gain,
    }
    why = (
        "Backpropagation multiplies by Wᵀ and the slope at every layer, δˡ = φ'(zˡ)·Wᵀδˡ⁺¹: with "
        f"a factor of {factor:.2g} each, {e.hidden} layers leave {r:.0e} of it "
        "(Hochreiter 1991; Glorot & Bengio 2010)."
    )
    return Finding(severity, what, why, layers, evidence)


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    swap = None
    if set(c.network.activations) & usual.SLUGGISH:
        swap = cure.activation(
            c,
            "relu",
            "ReLU's slope is 1 where it fires (sigmoid's is at most 1/4), and He's variance "
            "2/fan_in makes up for the half that it cuts",
        )
    start = cure.combined(c, cure.clean_start(c), swap, cure.usual_lr(c))
    # Where activation and weights were right already, only the network's shape is left to change.
    first = start or cure.normalization(c)
    narrow = min(c.network.widths) < usual.NARROW
    if narrow or (usual.hard_shape(c) and c.optimizer.name == "sgd"):
        first = cure.overhaul(c)
    return cure.ranked(
        c,
        (
            first,
            start,
            cure.combined(c, start, cure.scaffold(c) or cure.normalization(c)),
            cure.combined(c, start, cure.adam(c)),
            cure.sound(c),
        ),
    )


VANISHING_GRADIENT = Caveat(
    "vanishing_gradient",
    "vanishing gradient",
    "delta = dLoss/dz of the first layer is at most a thousandth of that at the output, and "
    "training suffers: the first layers hardly move.",
    "δˡ = φ'(zˡ) · (Wˡ⁺¹)ᵀ δˡ⁺¹",
    "Hochreiter 1991; Glorot & Bengio 2010; He et al. 2015",
    "A larger learning rate makes the last layers jump before the first ones move; more steps "
    "do not help where the forward signal has faded too.",
    rule,
    remedies,
)
