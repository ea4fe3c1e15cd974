"""Class imbalance: the network never names a rare class, though the data tell it apart."""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.held_back import outdone
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding, Severity
from caveats.verdicts.words import percent

__all__ = ["CLASS_IMBALANCE", "EFFECTS"]

# What else a run shows in which a class is never named.
EFFECTS = frozenset(("plateau", "underfitting", "dormant"))


def rule(e: Evidence) -> Finding | None:
    if not e.finite or not e.progress.late(e.thresholds.half_way):
        return None
    if not rare_class(e) or not never_named(e):
        return None
    shares = e.facts.data.class_shares
    recall, reachable = e.scalar("lowest_recall"), e.facts.data.reachable_recall
    few = f"only {percent(recall)} of the rows of one class are"
    what = (
        f"{few if recall > 0 else 'no row of one class is'} predicted right; accuracy "
        f"{e.progress.accuracy:.1%}, where always naming the largest class gives "
        f"{max(shares):.1%}; the smallest has {percent(min(shares))} of the rows measured"
    )
    evidence = {
        "lowest_recall": recall,
        "reachable_recall": reachable,
        "largest_share": max(shares),
        "smallest_share": min(shares),
    }
    why = (
        "The mean loss weighs each class by its rows, so the first steps all go to the frequent "
        "classes, and a class of few rows pays only when the rest is learnt (He & Garcia 2009)."
    )
    return Finding(severity(e), what, why, (), evidence)


def severity(e: Evidence) -> Severity:
    # A step that is too small, a layer that is dead, or a decay that outdoes the loss keeps a rare
    # class from being learnt too.
    others = e.findings.keys() - EFFECTS
    alone = not e.blames(*others) and not outdone(e)
    return "warning" if told_apart(e) and alone else "note"


@sign
def rare_class(e: Evidence) -> bool:
    """Does a class have less than half of its even share of the rows?"""
    shares = e.facts.data.class_shares
    return bool(shares) and 0 < min(shares) < e.thresholds.most / len(shares)


@sign
def never_named(e: Evidence) -> bool:
    """Are next to none of the rows of some class predicted right?"""
    return e.scalar("lowest_recall") <= e.thresholds.nothing


@sign
def told_apart(e: Evidence) -> bool:
    """Where every class counts the same, does kernel regression get more of every class right than
    guessing would?"""
    data = e.facts.data
    guessed = 1 / len(data.class_shares)
    return data.reachable_recall >= guessed + e.thresholds.little * (1 - guessed)


CLASS_IMBALANCE = Caveat(
    "class_imbalance",
    "class imbalance",
    "A class has less than half of its even share of the rows, and by half of the run next to none "
    "of its rows are predicted right, although kernel regression tells it from the others.",
    "balanced accuracy = mean over classes of the share of right answers",
    "He & Garcia 2009, Learning from Imbalanced Data",
    "Accuracy hides it: at 88 : 12 a network that always says no is right in 88 of 100 rows. "
    "Where classes overlap, naming the frequent one may be the best that any network can do.",
    rule,
    (
        "nn.CrossEntropyLoss(weight=n / (k * counts)), so that every class counts the same.",
        "torch.utils.data.WeightedRandomSampler, so that every batch holds the rare class.",
        "More steps: a rare class is learnt late.",
    ),
)
