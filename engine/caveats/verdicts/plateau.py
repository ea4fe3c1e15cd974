"""Plateau or saddle: the loss is flat at what a constant achieves, and no layer is to blame."""

from __future__ import annotations

import math

from caveats.verdicts.advice import NORMALIZE
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.held_back import held_back
from caveats.verdicts.not_zero_centred import data_to_blame
from caveats.verdicts.sign import sign
from caveats.verdicts.soundness import cut_off
from caveats.verdicts.trial import proof
from caveats.verdicts.verdict import Finding, Severity

__all__ = ["PLATEAU"]


def rule(e: Evidence) -> Finding | None:
    p = e.progress
    if not e.finite or not e.hidden or not p.stuck or math.isnan(e.gradient):
        return None
    if not flat(e) or cut_off(e) or data_to_blame(e) or told_otherwise(e):
        return None
    # A sixth of the healthy networks tried stayed at a constant's loss for a tenth of their steps.
    severity: Severity = "note"
    if p.late(e.thresholds.half_way) and not may_be_all(e):
        severity = "critical" if p.late(e.thresholds.short) else "warning"
    gradient, weights = e.gradient, e.weight
    what = f"loss {e.loss:.4g} is flat at {level(e)} ({p.baseline:.4g}); gradient {gradient:.1e}"
    what += proof(e, "other", "larger")
    evidence = {
        "gain": p.gain,
        "fall": p.fall,
        "grad_norm": gradient,
        "grad_to_weight": gradient / weights if weights else 0.0,
    }
    why = (
        "Near a saddle the gradient is about H·(w − w*), tiny in every direction. Along the way "
        "out, where the curvature is −|λ|, the distance grows only by a factor 1 + lr·|λ| a step "
        "(Dauphin et al. 2014)."
    )
    return Finding(severity, what, why, (), evidence)


@sign
def may_be_all(e: Evidence) -> bool:
    """Has it left a constant's loss, and is not known what the data allow? With noisy answers that
    may be all."""
    return not e.facts.reachable > 0 and e.progress.gain >= e.thresholds.nothing / 2


def level(e: Evidence) -> str:
    known = math.isfinite(e.facts.baseline)
    return "that of a constant" if known else "the one with which it began"


@sign
def flat(e: Evidence) -> bool:
    """Is the loss within a tenth of that of a constant, and has it not just left?"""
    p, jump = e.progress, e.thresholds.jump
    return abs(p.gain) <= jump and e.loss >= p.baseline - jump * p.span


@sign
def told_otherwise(e: Evidence) -> bool:
    """Does the step, a gradient that vanished, or what holds the network back explain it?"""
    steps = {"step_too_large", "step_too_small"}
    return bool(e.findings.keys() & steps) or held_back(e) or e.blames("vanishing_gradient")


PLATEAU = Caveat(
    "plateau",
    "plateau or saddle",
    "The loss stays within 10 % of what the best constant achieves, no layer is dead, copied, "
    "saturated or cut off, and neither dropout nor weight decay holds the network back.",
    "w ← w − lr·H·(w − w*), growing by 1 + lr·|λ| along the way out",
    "Dauphin et al. 2014; Saxe et al. 2014",
    "A finished run is flat too, but far below the constant's loss. At a saddle waiting helps, but "
    "it may take long.",
    rule,
    (
        "torch.optim.Adam leaves a saddle sooner than plain SGD.",
        "nn.ReLU in place of nn.Sigmoid, with nn.init.kaiming_normal_.",
        "A learning rate ten times as large.",
        NORMALIZE,
    ),
)
