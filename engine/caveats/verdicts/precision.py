"""Precision: steps are lost in numbers of sixteen bits.

The findings are exact, and are made in the training's own process (`caveats.watching.precision`).
"""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.verdict import Finding

__all__ = ["PRECISION"]

FINDING = "precision"  # the kind of the events


def rule(e: Evidence) -> Finding | None:
    found = [event for event in e.snapshot.events if event.kind == FINDING and event.step <= e.step]
    if not found or not e.finite:
        return None
    # Lost steps are certain harm; weights that round their steps away may have learned enough.
    lost = [event for event in found if event.changes.get("finding") != "rounded"]
    newest = (lost or found)[-1]
    held_up = bool(lost) or (e.progress.stalled and e.progress.settled)
    why = (
        "bfloat16 has 8 binary digits: a step with |Δθ| < 2⁻⁹·|θ| rounds to nothing. float16 ends "
        "at 65504: a gradient beyond it is infinite, and GradScaler skips its step (Micikevicius "
        "et al. 2018)."
    )
    numbers = {k: float(v) for k, v in newest.changes.items() if isinstance(v, int | float)}
    return Finding("warning" if held_up else "note", newest.text, why, (), numbers)


PRECISION = Caveat(
    "precision",
    "lost in precision",
    "After its first 100 steps a loss scaler skips more than 5 % of them or multiplies by less "
    "than 1, or in three readings in a row more than half of the weights of 16 bits that have a "
    "gradient are the same before and after a step.",
    "|Δθ| < 2⁻⁹·|θ| in bfloat16",
    "Micikevicius et al. 2018, Mixed Precision Training",
    "A weight that does not move in one step may move in another. It is a warning only if the loss "
    "does not fall, or steps are skipped.",
    rule,
    (
        "Weights in float32, and only the pass in bfloat16: "
        'torch.autocast("cuda", dtype=torch.bfloat16), without model.bfloat16().',
        "bfloat16 in place of float16, which needs no GradScaler.",
        "torch.nn.utils.clip_grad_norm_ after scaler.unscale_(optimizer), or a smaller lr, if "
        "gradients are infinite.",
    ),
)
