"""Plateau or saddle: the loss is flat at what a constant achieves, and no layer is to blame."""

from __future__ import annotations

import numpy as np

from caveats.config import RunConfig
from caveats.verdicts import customary as usual
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.not_zero_centred import data_to_blame
from caveats.verdicts.slow import cut_off
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["PLATEAU"]

PATIENCE = 0.5  # of the planned steps; until then it is a note
FLAT = 0.1  # of the constant predictor's loss


def rule(e: Evidence) -> Finding | None:
    p = e.progress
    if not e.finite or not e.hidden or not p.old_enough or not p.stuck:
        return None
    if abs(p.gain) > FLAT or cut_off(e) or data_to_blame(e):
        return None
    if e.findings.keys() & {"step_too_large", "step_too_small"} or e.blames("vanishing_gradient"):
        return None
    # A sixth of the healthy networks tried stood at a constant's loss for a tenth of their steps.
    severity: Severity = "note"
    if p.late(PATIENCE):
        severity = "critical" if p.late(1.5 * PATIENCE) else "warning"
    gradient = float(np.sqrt(np.nansum(e.now("grad_norm") ** 2)))
    weights = float(np.sqrt(np.nansum(e.now("weight_norm") ** 2)))
    what = (
        f"loss {e.loss:.4g} is flat at that of a constant ({p.baseline:.4g}); gradient "
        f"{gradient:.1e}"
    )
    evidence = {
        "gain": p.gain,
        "fall": p.fall,
        "grad_norm": gradient,
        "grad_to_weight": gradient / weights if weights else 0.0,
    }
    why = (
        "Near a saddle the gradient is about H·(w − w*), tiny in every direction, and along the "
        "way out, of curvature −|λ|, the distance grows by only 1 + lr·|λ| a step "
        "(Dauphin et al. 2014)."
    )
    return Finding(severity, what, why, (), evidence)


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    start = cure.clean_start(c)
    shallow = len(c.network.widths) <= 3
    quick = cure.adam(c, 0.02 if shallow else 0.003)
    longer = cure.lr(c, 10 * c.optimizer.lr, "longer steps leave the flat sooner")
    swap = cure.steeper(c)
    if set(c.network.activations) <= usual.ODD and not c.network.bias:
        swap = cure.activation(
            c, "relu", "odd units without biases start blind to what is even in the data"
        )
    return cure.ranked(
        c,
        (
            cure.combined(c, start, swap, quick or longer, cure.scaffold(c)),
            cure.combined(c, swap, start, cure.adam(c)),
            cure.combined(c, start, longer),
            cure.combined(c, start, cure.normalization(c)),
            cure.sound(c),
        ),
    )


PLATEAU = Caveat(
    "plateau",
    "plateau or saddle",
    "The loss stays within 10 % of what the best constant achieves, and no layer is dead, copied, "
    "saturated or cut off.",
    "w ← w − lr·H·(w − w*), growing by 1 + lr·|λ| along the way out",
    "Dauphin et al. 2014; Saxe et al. 2014",
    "It is not the same as finished: that is flat far below the constant's loss. Waiting helps at "
    "a saddle, though for long.",
    rule,
    remedies,
)
