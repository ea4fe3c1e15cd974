"""Undefined number: a loss is not finite because of a function at its pole, such as log 0, not
because the training ran away. The graph of a watched training's loss shows it.
"""

from __future__ import annotations

import numpy as np

from caveats.history import Event
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding

__all__ = ["EFFECTS", "UNDEFINED_NUMBER"]

# What else a run shows after it.
EFFECTS = frozenset(("exploding_gradient", "precision"))


def rule(e: Evidence) -> Finding | None:
    event = e.undefined
    if event is None or (of_a_slope(event) and ran_away(e)):
        return None
    why = (
        "log, division, root and exp leave the finite numbers at a point that float32 reaches: "
        "1 - sigmoid(z) is exactly 0 from z = 17 on. One such number makes the mean, and by the "
        "next step every weight, NaN (Higham 2002, section 1.17)."
    )
    if of_a_slope(event):
        why = (
            "x ↦ √x is 0 at 0, but its slope 1/(2√x) is infinite there, and 0 · ∞ is NaN: one such "
            "row makes the gradient, and by the next step every weight, NaN (Higham 2002, section "
            "1.17)."
        )
    what = f"the loss is not finite since step {event.step}: {event.text}"
    return Finding("critical", what, why, (), {"step": event.step})


def of_a_slope(event: Event) -> bool:
    return bool(event.changes.get("slope"))


@sign
def ran_away(e: Evidence) -> bool:
    """Did the losses before rise far above the first, or were there none? Then steps too long, or
    a start of the wrong size, made a number overflow."""
    before = e.losses[:-1][np.isfinite(e.losses[:-1])]
    return not len(before) or bool(before.max() > (1 + e.thresholds.climb) * abs(e.losses[0]))


UNDEFINED_NUMBER = Caveat(
    "undefined_number",
    "undefined number",
    "The loss is not finite, and its graph holds a logarithm of 0 or less, a division by 0, a root "
    "of a number below 0, or an exponential that overflows; or the weights are not finite though "
    "no loss before was large, and the graph holds a function whose slope is infinite at a number "
    "(a square root at 0, a power below 1, acos, atan2, torch.where around a logarithm).",
    "log 0 = -∞, 0 · ∞ = NaN, fl(1 - sigmoid(z)) = 0 for z ≥ 17",
    "Higham 2002, Accuracy and Stability of Numerical Algorithms",
    "It is looked for at the first loss that is not finite, on the CPU. A gradient that is not "
    "finite where the loss is shows only a step later: then the function is named that can have "
    "such a slope, not the row at which it had it.",
    rule,
    (
        "F.binary_cross_entropy_with_logits, F.cross_entropy, F.logsigmoid, torch.logsumexp in "
        "place of the log or exp of a result.",
        "torch.log(p + 1e-8), or p.clamp(min=1e-8).",
        "torch.autograd.set_detect_anomaly(True) names the line.",
    ),
)
