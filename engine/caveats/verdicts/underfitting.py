"""Underfitting: the steps are spent, the data allow more, and no other caveat explains it."""

from __future__ import annotations

import math

from caveats.verdicts.advice import NORMALIZE
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.held_back import (
    decayed_away,
    decayed_from_the_start,
    effects,
    outdone,
    reasons,
)
from caveats.verdicts.learning_rates import drops_most
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding, Severity
from caveats.verdicts.words import percent

__all__ = ["UNDERFITTING"]


def rule(e: Evidence) -> Finding | None:
    if not e.finite:
        return None
    if not e.facts.steps or not e.facts.reachable > 0:
        return without_an_end(e)
    if not ended_short(e) or explained(e):
        return None
    p, known = e.progress, e.facts
    what = (
        f"the run ends at loss {e.loss:.3g}; kernel regression reaches {known.reachable:.2g} on "
        f"the same rows, a constant {p.baseline:.3g}"
    )
    if not math.isnan(p.accuracy):
        what = (
            f"the run ends at accuracy {p.accuracy:.1%}; kernel regression reaches "
            f"{p.reachable_accuracy:.1%} on the same rows, naming the largest class {p.chance:.1%}"
        )
    held = reasons(e)
    if held:
        what = f"{'; '.join(held)}: {what}"
    evidence = {"gain": p.gain, "reachable": known.reachable}
    if e.hidden:
        evidence["narrowest_layer"] = e.narrowest
    why = (
        "A very wide network that is trained for long acts as kernel regression does (Jacot et al. "
        "2018), so its loss shows what these data allow. This network went "
        f"{percent(max(0.0, p.gain))} of the way from a constant's loss{ending(e, held)}."
    )
    severity: Severity = "warning" if fell_short(e) else "note"
    return Finding(severity, what, why, (), evidence)


def ending(e: Evidence, held: list[str]) -> str:
    """What may be missing where nothing was observed that holds the network back."""
    if held:
        return ""
    return ": too few steps or units" + (", or too much dropout" if e.dropout else "")


def without_an_end(e: Evidence) -> Finding | None:
    """What holds back a training of which neither the length nor what its data allow is known, as
    of a watched one."""
    p, straight = e.progress, no_activation(e)
    # Layers that a script keeps out of the model are named after some twenty steps.
    if e.blames("nothing_learns") or not p.late(e.thresholds.early) or not (straight or outdone(e)):
        return None
    slow = p.stalled or (p.settled and p.gain < e.thresholds.little)
    stands = p.stuck or p.failing or (slow and decayed_from_the_start(e))
    stands = stands and not explained(e)
    if not stands and not straight:
        return None
    why = "What is taken away in every step does not come back by more steps."
    if straight:
        why = (
            "A product of matrices is one matrix: the layers together can do no more than one of "
            "them."
        )
    what = f"{'; '.join(reasons(e))}; loss {e.loss:.3g}"
    return Finding("warning" if stands else "note", what, why, (), {"gain": p.gain}, advice(e))


def advice(e: Evidence) -> tuple[str, ...]:
    """What helps against what was observed to hold the network back."""
    found = {
        "nn.ReLU or another activation between the layers.": e.linear,
        "A tenth of the weight_decay, or none.": decayed_away(e),
        "Less dropout.": drops_most(e),
    }
    return tuple(words for words, holds in found.items() if holds)


@sign
def no_activation(e: Evidence) -> bool:
    """Has a network of several dense layers or convolutions no activation between them? (Products
    of embeddings have none on purpose.)"""
    return e.linear and any(f is not None and f.kind in ("linear", "conv") for f in e.anatomy)


@sign
def ended_short(e: Evidence) -> bool:
    """Is the run over, with a good part left to learn? Its length and what the data allow must be
    known."""
    p, known, t = e.progress, e.facts, e.thresholds
    if not known.steps or not known.reachable > 0 or not p.late(t.over):
        return False
    far = p.gain < t.short and p.learnt(e.loss) < t.finished and not p.finished
    return p.learnable and (far or not p.close)


@sign
def fell_short(e: Evidence) -> bool:
    """Did it go less than half of the way by its loss and its accuracy, or clearly less by its loss
    alone? Where the accuracy is near what the data allow, that is no failure."""
    p, t = e.progress, e.thresholds
    return not p.close and (p.learnt(e.loss) < t.most or p.gain < t.far)


@sign
def explained(e: Evidence) -> bool:
    """Does another caveat explain it, which is not an effect of what holds the network back?"""
    return e.blames(*(e.findings.keys() - effects(e)))


UNDERFITTING = Caveat(
    "underfitting",
    "underfitting",
    "The run ends after less than half of the way from a constant's loss to the loss of kernel "
    "regression on the same data (less than 45 % if its accuracy got further), and no other caveat "
    "explains it; from there up to 75 %, with less than 90 % of the accuracy, it is a note. The "
    "reason is named where it was observed: no activation between the layers, dropout of half of "
    "the units or more, or a weight decay that pulls at least half as hard as the loss and has "
    "halved the weights, or has done so from the first steps. Of a watched training, whose data "
    "are not known, only these are told.",
    "gain = (L_constant − L) / (L_constant − L_kernel) < 0.5",
    "Jacot et al. 2018; Goodfellow et al. 2016, Deep Learning, sections 5.2 and 7.1",
    "Kernel regression is a yardstick, not a proof: data that it learns easily may need another "
    "network. A run that was cut short underfits too; then more steps are enough.",
    rule,
    (
        "More steps, wider layers, or less dropout.",
        "A learning rate ten times as large.",
        NORMALIZE,
    ),
)
