"""Gradients added up: a step takes the sum of the gradients of several minibatches, where their
mean is meant.
"""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.harm import held_up
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding

__all__ = ["EFFECTS", "NOT_DIVIDED"]

# What steps that are too long bring about.
EFFECTS = frozenset({
    "step_too_large", "exploding_gradient", "dying_relu", "dormant", "rank_loss", "plateau",
    "underfitting", "saturation", "loss_spike",
})  # fmt: skip


def rule(e: Evidence) -> Finding | None:
    if not adds_up(e):
        return None
    count = max(facts.passes for facts in e.facts.losses)
    what = (
        f"each step adds up the gradients of {count} minibatches, and each loss is a whole mean: "
        f"the step is {count} times that of their mean; (loss / {count}).backward()"
    )
    why = (
        f"backward() adds to the gradients that are there: {count} means make {count} times the "
        f"gradient, so the learning rate acts as one {count} times as large (Goyal et al. 2017)."
    )
    harm = e.blames(*EFFECTS) or (held_up(e) and e.progress.settled)
    return Finding("warning" if harm else "note", what, why, (), {"passes": count})


@sign
def adds_up(e: Evidence) -> bool:
    """Does a step of plain descent add up several undivided means?"""
    optimizer = e.optimizer
    plain = optimizer is not None and not optimizer.adaptive
    return plain and any(facts.passes >= e.thresholds.few for facts in e.facts.losses)


NOT_DIVIDED = Caveat(
    "not_divided",
    "gradients added up, not averaged",
    "Four backward passes or more a step, each of the mean loss of a minibatch that is divided by "
    "nothing, with an optimizer whose step grows with the gradient; a warning where training "
    "suffers.",
    "Σ_i ∇L_i = n · ∇(mean_i L_i)",
    "Goyal et al. 2017, Accurate, Large Minibatch SGD",
    "Adam and its like divide each gradient by its own size, so they are not named. A learning "
    "rate that was chosen for the sum does no harm: that is a note.",
    rule,
    (
        "(loss / n).backward() for n minibatches a step.",
        "A learning rate of 1/n.",
    ),
)
