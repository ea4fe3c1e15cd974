"""Rank loss: what feeds the head spreads over ever fewer directions, so that rows, positions or
tokens can hardly be told apart."""

from __future__ import annotations

import numpy as np

from caveats.documents import counted
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.harm import READINGS, held_up
from caveats.verdicts.verdict import Finding

__all__ = ["RANK_LOSS"]

HALF = 0.5  # of its peak
FEW = 2  # directions that next to nothing can be read from
SEVERAL = 4 * FEW  # directions of the inputs that were lost on the way


def rule(e: Evidence) -> Finding | None:
    if e.facts.remedies is not None or not e.finite:
        return None  # the lab measures no such thing
    ranks = e.snapshot.layers("feature_rank")[: e.index + 1]
    head = ranks[np.isfinite(ranks[:, -1]), -1] if e.hidden else np.empty(0)
    if len(head) < READINGS:
        return None
    newest, peak = head[-READINGS:], float(head.max())
    enters = ranks[np.isfinite(ranks).any(axis=1)][-1]
    first = float(np.nan_to_num(enters[:-1], nan=0.0).max(initial=0.0))
    over_time = bool(np.all(newest < HALF * peak)) and peak >= SEVERAL
    over_depth = bool(np.all(newest <= FEW)) and first >= SEVERAL
    if not (over_time or over_depth):
        return None
    last = len(e.names) - 1
    now = newest[-1]
    spread = f"spreads over {counted(int(now), 'direction')}" if now else "is the same in all rows"
    what = f"{e.layer(last)}: what feeds it {spread}"
    what += f", once {peak:.0f}" if over_time else f", of {first:.0f} in a layer before it"
    why = (
        "srank is the least k with Σ_{i≤k} σ ≥ .99 Σ σ of the features before the head: the rows "
        "that it cannot tell apart get the same answer. It falls where features are trained on "
        "too little, are decayed, or run through many layers (Kumar et al. 2021; Dong et al. 2021)."
    )
    evidence = {"rank": float(now), "peak": peak, "rank_before": first}
    # Classes that are told apart need few directions, so it counts only if little is learned.
    causes = e.blames("symmetry", "dying_relu", "vanishing_gradient", "saturation")
    harm = held_up(e) and not causes
    return Finding("warning" if harm else "note", what, why, (last,), evidence)


RANK_LOSS = Caveat(
    "rank_loss",
    "rank loss",
    "In three readings in a row, the features before the head spread over less than half as many "
    "directions as they once did, or over two at most where a layer before had eight. It is a "
    "warning if little is learned.",
    "srank = min{k : Σ_{i≤k} σ_i ≥ .99 Σ σ_i}",
    "Kumar et al. 2021, Implicit Under-Parameterization; Dong et al. 2021, Attention is not all "
    "you need",
    "A classifier that is sure of its answers needs as many directions as classes: that is a note. "
    "Up to 128 rows (positions, tokens) of a sampled minibatch count.",
    rule,
    (
        "Less weight_decay: above lr · weight_decay = 1e-3 a step it wins over the gradient.",
        "nn.LayerNorm or a residual connection in each block, so that depth keeps directions.",
        "A penalty on the distance to the initial weights in place of weight_decay, or new starts "
        "of part of the units (shrink and perturb).",
    ),
)
