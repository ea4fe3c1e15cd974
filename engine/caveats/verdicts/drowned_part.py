"""One part of the loss drowns another: a part has learned nothing while the others pulled many
times as hard at the weights that they share (`caveats.watching.parts`).
"""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding
from caveats.verdicts.words import percent
from caveats.verdicts.wrong_sign import NAMES

__all__ = ["DROWNED_PART", "EFFECTS"]

# What else a run shows of which a part learns nothing.
EFFECTS = frozenset({
    "dormant", "dying_relu", "rank_loss", "plateau", "underfitting", "vanishing_gradient",
    "overfitting", "ravine", "step_too_small", "saturation",
})  # fmt: skip


def rule(e: Evidence) -> Finding | None:
    event = e.latest("parts")
    if event is None or not drowned(e):
        return None
    left, pull = (float(event.changes.get(name, 0.0)) for name in ("left", "pull"))
    name = NAMES.get(event.text, event.text)
    what = (
        f"the {name} in the loss stands at {percent(left)} of a constant's, while the rest of the "
        f"loss pulled {pull:.2g} times as hard at the weights that both reach"
    )
    why = (
        "∇(a + b) = ∇a + ∇b: where one part is a sum over rows or columns and another a mean, or "
        "their units differ, the larger one decides where the weights go. A VAE whose divergence "
        "outweighs its reconstruction sends nothing through its code (Bowman et al. 2016)."
    )
    return Finding("warning", what, why, (), {"left": left, "pull": pull})


@sign
def drowned(e: Evidence) -> bool:
    """Has a part of the loss learned nothing at the two newest looks, though the others pull at
    least ten times as hard?"""
    event = e.latest("parts")
    return event is not None and bool(event.text)


DROWNED_PART = Caveat(
    "drowned_part",
    "one part of the loss drowns another",
    "The loss adds up several parts. One of known kind leaves more than 95 % of the way from a "
    "constant's loss, at two looks from step 90 on, while the gradient of the others at the "
    "weights that both reach was ten times as long at the start or as the median (a hundred times "
    "where another known part learns). Parts that are multiplied by less than 1 are left out.",
    "‖∇(L - a)‖ ≫ ‖∇a‖",
    "Bowman et al. 2016, Generating Sentences from a Continuous Space; Chen et al. 2018, GradNorm",
    "Known parts are cross entropy, binary cross entropy, squared error and distance. A part whose "
    "data hold nothing to learn stands at a constant's as well: ten times as much pull is what "
    "tells them apart, and can be meant.",
    rule,
    (
        "One kind of mean for all parts: F.mse_loss(r, x, reduction='sum') / len(x) beside "
        "kl.sum(1).mean().",
        "A weight on the part that drowns the other (1/pull), or one that grows over the first "
        "epochs (KL warm-up).",
        "Targets of deviation 1, so that a squared error is not counted in pixels or in dollars.",
    ),
)
