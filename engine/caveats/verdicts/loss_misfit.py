"""Loss and output do not fit: a loss function is given outputs that it is not made for, as the
graph of a watched training's loss shows (`caveats.watching.fitting`).
"""

from __future__ import annotations

import math

from caveats.facts import LossFacts
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.harm import held_up
from caveats.verdicts.sign import sign
from caveats.verdicts.unscaled_data import UNLIMITED
from caveats.verdicts.verdict import Finding, Severity
from caveats.verdicts.words import percent

__all__ = ["EFFECTS", "LOSS_MISFIT"]

# What else such a run shows.
EFFECTS = frozenset({
    "ravine", "plateau", "underfitting", "step_too_small", "vanishing_gradient", "saturation",
    "saturated_gates", "dormant", "rank_loss", "class_imbalance", "memory_through_time",
    "not_zero_centred",
})  # fmt: skip

# Loss functions that apply an activation themselves: its name, and what torch calls them.
APPLIES = {
    "cross_entropy": ("softmax", "cross entropy"),
    "bce_with_logits": ("sigmoid", "binary_cross_entropy_with_logits"),
}
CONSTANT = "softmax_of_one"
WITHOUT = (
    "Give F.cross_entropy and F.binary_cross_entropy_with_logits what the last layer gives, "
    "without softmax or sigmoid."
)
LOGARITHMS = "Give F.nll_loss and F.kl_div F.log_softmax(outputs, dim=1)."
SQUASHED = ("softmax", "sigmoid")
NAMES = {
    "nll": "nll_loss", "kl_div": "kl_div", "bce": "binary cross entropy",
    "mse": "the squared error", "l1": "the distance", "huber": "Huber's loss",
}  # fmt: skip


def rule(e: Evidence) -> Finding | None:
    if not misfits(e):
        return None
    facts = next(facts for facts in e.facts.losses if misfit(e, facts))
    why = (
        "A loss function is made for outputs of one kind: cross entropy applies softmax itself, "
        "nll_loss and kl_div take logarithms of probabilities, and no weights bring an activation "
        "beyond its range (Goodfellow et al. 2016, section 6.2.2)."
    )
    evidence = {"unreached": facts.unreached, "mass": facts.mass}
    known = {name: value for name, value in evidence.items() if math.isfinite(value)}
    return Finding(severity(e, facts), misfit(e, facts), why, (), known, advice(facts))


def advice(facts: LossFacts) -> tuple[str, ...]:
    """What helps against this misfit."""
    if facts.activation in SQUASHED and facts.function in APPLIES:
        return (WITHOUT,)
    return (LOGARITHMS,) if facts.function in ("nll", "kl_div") else (UNLIMITED,)


def severity(e: Evidence, facts: LossFacts) -> Severity:
    if only_one_sided(facts):
        return "warning" if held_up(e) and e.progress.settled else "note"
    constant = facts.activation == CONSTANT
    return "critical" if constant or not e.finite or e.progress.stuck else "warning"


def misfit(e: Evidence, facts: LossFacts) -> str:
    """What does not fit, with the remedy; "" where nothing is known to be wrong."""
    function, behind = facts.function, facts.activation
    if behind == CONSTANT:
        return (
            "softmax runs over a dimension of one number, so every output is 1: use sigmoid, or as "
            "many outputs as classes"
        )
    if function in APPLIES and behind in SQUASHED:
        own, name = APPLIES[function]
        again = " again" if own == behind else ""
        return (
            f"the outputs pass {behind} and then {name}, which applies {own}{again}"
            f"{floor(e, facts)}: give it the outputs before {behind}"
        )
    if function in ("nll", "kl_div"):
        return no_logarithms(e, facts)
    if behind == "cosine":
        if not facts.unreached >= e.thresholds.far_too_warm:
            return ""
        return (
            "cross entropy gets cosines over a temperature that makes them all alike"
            f"{floor(e, facts)}: a temperature of 0.05 to 0.5 is usual"
        )
    if facts.unreached >= e.thresholds.unreached:
        name = APPLIES[function][1] if function in APPLIES else NAMES[function]
        return (
            f"the outputs pass {behind} and then {name}{floor(e, facts)}: leave {behind} out, or "
            "scale the targets to its range"
        )
    if only_one_sided(facts):
        return (
            f"the outputs pass relu and then {APPLIES[function][1]}: a class whose output is below "
            "0 gets no gradient; give it the outputs before relu"
        )
    return ""


def no_logarithms(e: Evidence, facts: LossFacts) -> str:
    """What is wrong with outputs that should be logarithms of probabilities."""
    name = NAMES[facts.function]
    if facts.activation in SQUASHED:
        return (
            f"the outputs pass {facts.activation} and then {name}, which takes logarithms of "
            f"probabilities: use log_softmax in place of {facts.activation}"
        )
    # A logarithm of something else may be meant: of 1 - p, where a label names what a row is not.
    if not abs(facts.mass - 1) > e.thresholds.mass_off or facts.activation == "log":
        return ""
    if facts.activation == "log_softmax":
        return (
            f"log_softmax runs over another dimension than the classes of {name}: over these the "
            f"probabilities add up to {facts.mass:.2g}; use dim=1"
        )
    return (
        f"{name} takes logarithms of probabilities, and those of its outputs add up to "
        f"{facts.mass:.2g} in a row: put log_softmax before it, or use cross_entropy"
    )


def floor(e: Evidence, facts: LossFacts) -> str:
    if not facts.unreached >= e.thresholds.unreached:
        return ""
    if facts.unreached >= 1:
        return "; no output brings the loss below that of a constant"
    return f"; no output brings the loss below {percent(facts.unreached)} of a constant's"


def only_one_sided(facts: LossFacts) -> bool:
    """Outputs that are cut at 0 before a loss that takes them of either sign, and no worse."""
    return (facts.function, facts.activation) == ("cross_entropy", "relu")


@sign
def misfits(e: Evidence) -> bool:
    """Does the graph of the loss show outputs that the loss is not made for?"""
    return any(misfit(e, facts) for facts in e.facts.losses)


LOSS_MISFIT = Caveat(
    "loss_misfit",
    "loss and output do not fit",
    "The outputs pass softmax or sigmoid right before a loss that applies one itself; nll_loss or "
    "kl_div get no logarithms of probabilities; or an activation keeps the outputs so far from the "
    "targets that a tenth of a constant's loss or more stays; or cosines go into cross entropy "
    "over a temperature that leaves nine tenths of it.",
    "softmax(softmax(z)) ≤ e / (e + k - 1), so L ≥ log(1 + (k - 1)/e)",
    "Goodfellow et al. 2016, Deep Learning, section 6.2.2",
    "It is read off the graph of the loss, a few functions deep: what a compiled function or an "
    "own autograd function does is not seen. log_softmax before cross entropy changes nothing, and "
    "is not named.",
    rule,
    (
        WITHOUT,
        LOGARITHMS,
        UNLIMITED,
    ),
)
