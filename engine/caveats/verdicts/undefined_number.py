"""Undefined number: a loss is not finite because of a function at its pole, such as log 0, not
because the training ran away. The graph of a watched training's loss shows it.
"""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.verdict import Finding

__all__ = ["EFFECTS", "UNDEFINED_NUMBER"]

# What else a run shows after it.
EFFECTS = frozenset(("exploding_gradient", "precision"))


def rule(e: Evidence) -> Finding | None:
    event = e.undefined
    if event is None:
        return None
    why = (
        "log, division, root and exp leave the finite numbers at a point that float32 reaches: "
        "1 - sigmoid(z) is exactly 0 from z = 17 on. One such number makes the mean, and by the "
        "next step every weight, NaN (Higham 2002, section 1.17)."
    )
    what = f"the loss is not finite since step {event.step}: {event.text}"
    return Finding("critical", what, why, (), {"step": event.step})


UNDEFINED_NUMBER = Caveat(
    "undefined_number",
    "undefined number",
    "The loss is not finite, and its graph holds a logarithm of 0 or less, a division by 0, a root "
    "of a number below 0, or an exponential that overflows.",
    "log 0 = -∞, 0 · ∞ = NaN, fl(1 - sigmoid(z)) = 0 for z ≥ 17",
    "Higham 2002, Accuracy and Stability of Numerical Algorithms",
    "It is looked for at the first loss that is not finite, on the CPU. A gradient that is not "
    "finite where the loss is (a norm at 0) shows only a step later, as an exploding gradient.",
    rule,
    (
        "F.binary_cross_entropy_with_logits, F.cross_entropy, F.logsigmoid, torch.logsumexp in "
        "place of the log or exp of a result.",
        "torch.log(p + 1e-8), or p.clamp(min=1e-8).",
        "torch.autograd.set_detect_anomaly(True) names the line.",
    ),
)
