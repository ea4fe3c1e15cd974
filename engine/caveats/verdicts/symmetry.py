"""Hard to break symmetry: units that start as copies get equal gradients and stay copies."""

from __future__ import annotations

import math

import numpy as np

from caveats.documents import counted
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign
from caveats.verdicts.soundness import symmetric
from caveats.verdicts.verdict import Finding, Severity

__all__ = ["SYMMETRY"]


def rule(e: Evidence) -> Finding | None:
    if not e.hidden or not e.finite or np.isnan(e.units).any() or not symmetric(e):
        return None
    found = np.flatnonzero(e.copies >= e.thresholds.most)
    worst = int(found[np.argmax(e.copies[found])])
    count = int(e.units[worst])
    kinds = max(1, round(float(count * (1 - e.copies[worst]))))
    what = f"{e.layer(worst)}: {kinds} distinct of {counted(count, 'unit')}"
    if silent(e):
        what += ", and every gradient of its weights is exactly 0"
    if len(found) > 1:
        what += f"; {counted(len(found) - 1, 'more layer')} likewise"
    evidence = {
        "distinct": kinds,
        "units": count,
        "spread": float(e.apart[worst]) if math.isfinite(e.apart[worst]) else 0.0,
        "layers": len(found),
    }
    why = (
        "Copies get copies' gradients, dL/dw_i = Σ δ_i·x with δ_i = δ_j whenever w_i = w_j: "
        "neither noise in the batches nor Adam makes them differ, so the layer is as good as "
        f"{counted(kinds, 'unit')} wide (Goodfellow et al. 2016, section 8.4)."
    )
    return Finding(severity(e), what, why, tuple(map(int, found)), evidence)


def severity(e: Evidence) -> Severity:
    if e.progress.close or parting(e) or may_part(e):
        return "note"
    if silent(e) or e.progress.stuck:
        return "critical"
    return "warning"


@sign
def silent(e: Evidence) -> bool:
    """Are all gradients of the layers with copies exactly 0?"""
    found = np.flatnonzero(e.copies >= e.thresholds.most)
    return bool(np.all(e.now("grad_norm")[: e.hidden][found] == 0))


@sign
def may_part(e: Evidence) -> bool:
    """Is this the start of a person's own network, whose units may have roles of their own after
    this layer (a scale and a shift, both 0 at first)? Then they part at the first step."""
    return e.step == 0 and not e.facts.steps


@sign
def parting(e: Evidence) -> bool:
    """Will dropout soon make the copies differ, or does the loss fall under dropout?"""
    p = e.progress
    if not e.dropout:
        return False
    return not p.late(e.thresholds.parted) or (p.old_enough and p.improving and not p.stuck)


SYMMETRY = Caveat(
    "symmetry",
    "hard to break symmetry",
    "Units of one layer whose weights are equal compute the same, get the same gradient and stay "
    "equal: the layer has only as many units as there are distinct ones.",
    "w_i = w_j ⇒ dL/dw_i = dL/dw_j",
    "Goodfellow et al. 2016, Deep Learning, section 8.4",
    "Adam, momentum and minibatch noise never make exact copies differ; dropout does. A random "
    "output layer does so only for the units of the layer below it.",
    rule,
    (
        "Draw the weights at random, as nn.init.kaiming_normal_ or nn.init.xavier_normal_ do.",
        "nn.init.orthogonal_ makes the units of a layer as different as can be.",
    ),
)
