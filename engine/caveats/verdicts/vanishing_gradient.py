"""Vanishing gradient: the error signal fades layer by layer on its way down.

The rule looks at delta = dLoss/dz, not at weight gradients. ‖dW‖ is delta times activation: if both
fade, their product is about the same in all layers, and the usual ratio of first to last ‖dW‖ shows
nothing (1.13 in a tanh network of 10 layers whose delta ratio is 1.4e-10).
"""

from __future__ import annotations

import math

import numpy as np

from caveats.documents import counted
from caveats.verdicts.advice import SUITED
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.pace import too_slow
from caveats.verdicts.sign import sign
from caveats.verdicts.soundness import (
    began_symmetric,
    faded,
    faded_start,
    mostly_saturated,
    symmetric,
    undecided,
)
from caveats.verdicts.verdict import Finding, Severity

__all__ = ["VANISHING_GRADIENT"]

SMALLEST = 1e-45  # of float32
RELU = "nn.ReLU in place of nn.Sigmoid or nn.Tanh, with nn.init.kaiming_normal_."
SHORTCUTS = "nn.LayerNorm between weights and activation, and x + layer(x) around every layer."
ADAM = "torch.optim.Adam divides each gradient by its own size."


def rule(e: Evidence) -> Finding | None:
    if e.hidden < 2 or not e.finite or e.progress.finished:
        return None
    if symmetric(e) or not (fades(e) or faded_and_stands(e)):
        return None
    now = e.delta_ratio if fades(e) else math.nan
    r = float(np.fmin(now, e.first_delta_ratio if started_faded(e) else math.nan))
    factor = max(r, SMALLEST) ** (1 / e.hidden)
    delta = e.now("delta_rms")
    layers = np.flatnonzero(delta[: e.hidden] <= e.thresholds.faded * delta[-1])
    what = f"delta at {e.layer(0)} is {r:.1e} of that at the output: about ×{factor:.2g} a layer"
    if r == 0:
        what = f"delta at {e.layer(0)} is exactly 0"
    grad, weight = e.now("grad_norm"), e.now("weight_norm")
    evidence = {
        "delta_ratio": e.delta_ratio,
        "delta_ratio_at_start": e.first_delta_ratio,
        "factor_per_layer": factor,
        "grad_ratio": float(grad[0] / max(grad[-1], 1e-300)),
        "first_gradient_to_weight": float(grad[0] / weight[0]),
        "gain": e.progress.gain,
    }
    why = (
        "Backpropagation multiplies by Wᵀ and the slope at every layer, δˡ = φ'(zˡ)·Wᵀδˡ⁺¹: with "
        f"a factor of {factor:.2g} each, {r:.0e} of it is left after {counted(e.hidden, 'layer')} "
        "(Hochreiter 1991; Glorot & Bengio 2010)."
    )
    return Finding(severity(e), what, why, tuple(map(int, layers)) or (0,), evidence, advice(e))


def advice(e: Evidence) -> tuple[str, ...]:
    """What is not there yet, the likeliest first."""
    known, o = [a for a in e.activations if a is not None], e.optimizer
    found = [SUITED]
    if not known or any(all(map(math.isfinite, a.tails)) for a in known):
        found.insert(0, RELU)
    if not e.normalized():
        found.append(SHORTCUTS)
    if o is None or not o.adaptive:
        found.append(ADAM)
    return tuple(found)


def severity(e: Evidence) -> Severity:
    if undecided(e):
        return "note"
    if e.progress.stuck:
        return "critical"
    if e.progress.stalled or idles(e) or (e.starting and started_faded(e)):
        return "warning"
    return "note"


@sign
def fades(e: Evidence) -> bool:
    """Do deltas fade now, and not because a dead or saturated layer cuts them off?"""
    if mostly_saturated(e) or np.any(np.nan_to_num(e.dead_share) >= 1):
        return False
    nothing_since = e.delta_ratio == 0 and not e.first_delta_ratio <= e.thresholds.faded
    return faded(e) and not nothing_since


@sign
def started_faded(e: Evidence) -> bool:
    """Did deltas fade before the first step, in layers without copies and not dead?"""
    wholly_dead = np.any(e.first("dead")[: e.hidden] >= e.first("units")[: e.hidden])
    return faded_start(e) and not began_symmetric(e) and not wholly_dead


@sign
def faded_and_stands(e: Evidence) -> bool:
    """Did deltas fade at the start, and has the run got nowhere since? (A network that has learned
    may have small deltas in its first layers.)"""
    return started_faded(e) and (e.progress.failing or not e.progress.improving)


@sign
def idles(e: Evidence) -> bool:
    """Does a run whose deltas faded at the start make too little progress? The output's biases
    alone can bring the loss down to that of a constant."""
    return e.progress.old_enough and not e.progress.close and started_faded(e) and too_slow(e)


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
    (RELU, SUITED, SHORTCUTS, ADAM),
)
