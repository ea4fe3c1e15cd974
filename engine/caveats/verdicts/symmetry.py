"""Hard to break symmetry: units that start as copies get equal gradients and stay copies."""

from __future__ import annotations

import math

import numpy as np

from caveats.config import RunConfig
from caveats.verdicts import customary as usual
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import MOSTLY, Evidence
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["SYMMETRY"]

PARTED = 0.3  # of the planned steps, by which dropout will have parted copies


def rule(e: Evidence) -> Finding | None:
    if not e.hidden or not e.finite:
        return None
    units = e.now("units")[: e.hidden]
    if np.isnan(units).any():
        return None
    found = np.flatnonzero(e.copies >= MOSTLY)
    if not len(found):
        return None
    worst = int(found[np.argmax(e.copies[found])])
    count, kinds = int(units[worst]), round(float(units[worst] * (1 - e.copies[worst])))
    silent = bool(np.all(e.now("grad_norm")[: e.hidden][found] == 0))
    p = e.progress
    dropout = e.config is not None and e.config.network.dropout > 0
    severity: Severity
    if p.close or (dropout and not p.late(PARTED)):
        severity = "note"  # dropout's masks part copies, given some steps
    elif silent or p.stuck:
        severity = "critical"
    elif p.old_enough and p.improving and dropout:
        severity = "note"
    else:
        severity = "warning"
    kinds = max(1, kinds)
    what = f"{e.layer(worst)}: {kinds} distinct of {count} units"
    if silent:
        what += ", and every gradient of its weights is exactly 0"
    if len(found) > 1:
        what += f"; {len(found) - 1} more layers likewise"
    evidence = {
        "distinct": kinds,
        "units": count,
        "spread": float(e.apart[worst]) if math.isfinite(e.apart[worst]) else 0.0,
        "layers": len(found),
    }
    words = (
        "copies get copies' gradients, dL/dw_i = Σ δ_i·x with δ_i = δ_j whenever w_i = w_j: "
        "neither noise in the batches nor Adam tells them apart, so the layer is as good as "
        f"{kinds} unit{'s' if kinds > 1 else ''} wide (Goodfellow et al. 2016, section 8.4)."
    )
    return Finding(severity, what, words[0].upper() + words[1:], tuple(map(int, found)), evidence)


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    random = cure.matched_init(c)
    start = cure.combined(c, cure.clean_start(c), cure.centred(c), cure.usual_lr(c))
    return cure.ranked(
        c,
        (
            cure.overhaul(c) if usual.hard_shape(c) else start,
            random,
            Remedy({"network.init": "orthogonal"}, "orthogonal rows are as different as can be"),
            cure.combined(c, start, cure.adam(c)),
            cure.sound(c),
        ),
    )


SYMMETRY = Caveat(
    "symmetry",
    "hard to break symmetry",
    "Units of one layer whose weights are equal compute the same, get the same gradient and stay "
    "equal: the layer has only as many units as there are distinct ones.",
    "w_i = w_j ⇒ dL/dw_i = dL/dw_j",
    "Goodfellow et al. 2016, Deep Learning, section 8.4",
    "Adam, momentum and minibatch noise never part exact copies; dropout does. A random output "
    "layer parts only the units of the layer below it.",
    rule,
    remedies,
)
