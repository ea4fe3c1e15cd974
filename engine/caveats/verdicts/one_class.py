"""Minibatches of one class: rows that are sorted by class reach the network class by class."""

from __future__ import annotations

from caveats.facts import LossFacts
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding
from caveats.verdicts.words import percent

__all__ = ["EFFECTS", "ONE_CLASS"]

FEWEST = 3  # classes: a game of two networks has minibatches of each of two on purpose
# What else a run shows that learns one class and forgets the others.
EFFECTS = frozenset({
    "loss_spike", "step_too_large", "plateau", "underfitting", "dormant", "rank_loss",
    "not_zero_centred", "class_imbalance", "dying_relu", "stale_second_moment", "ravine",
})  # fmt: skip


def rule(e: Evidence) -> Finding | None:
    if not by_class(e):
        return None
    facts = next(facts for facts in e.facts.losses if sorted_by(e, facts))
    what = (
        f"{percent(facts.single)} of the minibatches hold rows of one class alone, though there "
        f"are {facts.classes} classes or more: shuffle the rows (DataLoader(…, shuffle=True))"
    )
    why = (
        "The gradient of a minibatch stands for that of all rows only if it is a random part of "
        "them: of one class, it points to always naming that class, and each next class undoes "
        "the one before (McCloskey & Cohen 1989)."
    )
    evidence = {"single": facts.single, "classes": facts.classes}
    return Finding("critical" if e.progress.stuck else "warning", what, why, (), evidence)


def sorted_by(e: Evidence, facts: LossFacts) -> bool:
    return facts.alone and facts.classes >= FEWEST and facts.single > e.thresholds.most


@sign
def by_class(e: Evidence) -> bool:
    """Do most minibatches hold a single class, each another?"""
    return any(sorted_by(e, facts) for facts in e.facts.losses)


ONE_CLASS = Caveat(
    "one_class",
    "minibatches of one class",
    "More than half of the sampled minibatches of 16 rows or more have targets of one class, and "
    "three classes or more occur.",
    "E[g_batch] = ∇L only if the rows of a batch are drawn at random",
    "McCloskey & Cohen 1989, Catastrophic Interference",
    "Seen in cross entropy of class numbers. Rows that are sorted by something else are not seen, "
    "nor two classes, which networks that play against each other get in turn on purpose.",
    rule,
    (
        "DataLoader(dataset, batch_size=…, shuffle=True).",
        "order = torch.randperm(len(x)) anew in each epoch.",
        "torch.utils.data.IterableDataset: a shuffle buffer that is larger than a class.",
    ),
)
