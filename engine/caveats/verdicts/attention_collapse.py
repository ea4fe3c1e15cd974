"""Attention collapse: heads look at a single token, and get no gradient for looking elsewhere."""

from __future__ import annotations

import numpy as np

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.harm import READINGS, held_up
from caveats.verdicts.verdict import Finding

__all__ = ["ATTENTION_COLLAPSE"]

SHARP = 0.05  # entropy of the head at the lower quarter
LARGE = 100.0  # q·k/√d at which QK-clip begins (Kimi K2, 2025)


def rule(e: Evidence) -> Finding | None:
    entropy = e.snapshot.layers("attention_entropy")[: e.index + 1]
    readings = entropy[np.isfinite(entropy).any(axis=1)]
    if not len(readings) or not e.finite:
        return None
    # At the start one reading is enough: nothing has been learned that could be sharp.
    newest = readings[-READINGS:] if e.step else readings[-1:]
    if e.step and len(newest) < READINGS:
        return None
    collapsed = np.all(newest < SHARP, axis=0)
    if not collapsed.any():
        return None
    logits = e.now("attention_logit")
    worst = int(np.where(collapsed, newest[-1], np.inf).argmin())
    size = float(logits[worst])
    what = (
        f"{e.layer(worst)}: a quarter of its heads look at one token; their entropy is "
        f"{max(0.0, newest[-1, worst]):.2g} of an even look's"
    )
    if size > LARGE:
        what += f", the largest q·k/√d is {size:,.0f}"
    why = (
        "A row of softmax(q·kᵀ/√d) that is 1 at one token has slope 0: A(1 − A) = 0, so no "
        "gradient reaches q and k, and the head stays as it is. Entropy that collapses goes with "
        "losses that stand still or jump (Zhai et al. 2023)."
    )
    evidence = {"entropy": float(newest[-1, worst]), "layers": float(collapsed.sum())}
    if np.isfinite(size):
        evidence["largest_logit"] = size
    harm = (e.step == 0 and size > LARGE) or held_up(e) or e.blames("step_too_large", "loss_spike")
    layers = tuple(map(int, np.flatnonzero(collapsed)))
    return Finding("warning" if harm else "note", what, why, layers, evidence)


ATTENTION_COLLAPSE = Caveat(
    "attention_collapse",
    "attention collapse",
    "In three readings in a row, a quarter of a layer's heads have rows whose entropy is below 5 % "
    "of an even look's. It is a warning if little is learned, or at step 0 with q·k/√d above 100.",
    "−Σ A ln A / ln T < .05",
    "Zhai et al. 2023, Stabilizing Transformer Training by Preventing Attention Entropy Collapse",
    "Heads of a sound network may be sharp on purpose, as those that look at the token before: "
    "that is a note. Rows of kernels that torch does not show (flex_attention, packages of their "
    "own) are not seen.",
    rule,
    (
        "Normalize queries and keys: q, k = F.rms_norm(q, (d,)), F.rms_norm(k, (d,)) before the "
        "attention.",
        "Draw smaller weights for the queries and keys: nn.init.normal_(weight, std=0.02), and "
        "keep the 1/√d.",
        "A smaller lr, with a warm-up: torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, "
        "total_iters=1000).",
    ),
)
