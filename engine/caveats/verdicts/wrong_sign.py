"""Loss of the wrong sign: the training makes a loss as large as it can that is to be small, as the
graph of a watched training's loss shows.
"""

from __future__ import annotations

import math

from caveats.facts import LossFacts
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding

__all__ = ["WRONG_SIGN"]

NAMES = {
    "cross_entropy": "cross entropy", "nll": "nll_loss", "bce": "binary cross entropy",
    "bce_with_logits": "binary cross entropy", "mse": "squared error", "l1": "distance",
    "huber": "Huber's loss", "kl_div": "divergence",
}  # fmt: skip


def rule(e: Evidence) -> Finding | None:
    if not climbs(e):
        return None
    facts = next(filter(turned, e.facts.losses))
    name, first = NAMES[facts.function], float(e.losses[0])
    what = (
        f"each step makes the {name} larger: the loss is it with a minus sign, or the optimizer "
        f"has maximize=True; it was {abs(first):.3g}"
    )
    if math.isfinite(e.loss):
        what += f" and is {abs(e.loss):.3g}"
    why = (
        f"Gradient descent goes down on what it is given, and a {name} is least, not largest, "
        "where outputs and targets agree: from there it leads away, without an end."
    )
    evidence = {"first": abs(first), "now": abs(e.loss)}
    return Finding("critical" if grown(e) else "warning", what, why, (), evidence)


def turned(facts: LossFacts) -> bool:
    return facts.negated and facts.alone


@sign
def climbs(e: Evidence) -> bool:
    """Is the whole loss one that is never below 0, with a minus sign before it?"""
    late = e.step >= e.thresholds.first_steps or not e.finite
    return late and any(map(turned, e.facts.losses))


@sign
def grown(e: Evidence) -> bool:
    """Has it grown by more than chance could make it?"""
    first = abs(float(e.losses[0]))
    return not e.finite or abs(e.loss) > (1 + e.thresholds.worse) * first


WRONG_SIGN = Caveat(
    "wrong_sign",
    "loss of the wrong sign",
    "The loss is one known function that is never below 0 (cross entropy, squared error, …) with a "
    "minus sign before it, or the optimizer maximizes it, and it depends on no parameters of "
    "another training.",
    "min -L = -max L → -∞",
    "the definition of each loss",
    "Rewards, evidence bounds, critics and games of two networks run below 0 on purpose, and are "
    "not named. A network that is to forget some rows is trained so on purpose, and is named.",
    rule,
    (
        "loss = criterion(outputs, targets), without the minus: F.nll_loss and F.cross_entropy "
        "hold it already.",
        "No maximize=True in the optimizer.",
    ),
)
