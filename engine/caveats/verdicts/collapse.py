"""Collapsed outputs: a network whose loss compares outputs with each other gives all rows the same
output, where that loss is at its best and nothing was learned.
"""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding

__all__ = ["COLLAPSE", "EFFECTS"]

# What else a run shows whose outputs hold nothing.
EFFECTS = frozenset({
    "rank_loss", "dormant", "dying_relu", "plateau", "underfitting", "step_too_small", "ravine",
    "step_too_large", "overfitting", "vanishing_gradient",
})  # fmt: skip


def rule(e: Evidence) -> Finding | None:
    if not collapsed(e):
        return None
    event = e.latest("collapse")
    assert event is not None
    what = f"{event.text}; the loss, {e.loss:.3g}, does not show it"
    why = (
        "A loss that only asks two outputs to agree is least where all outputs are equal, "
        "whatever enters. Negative pairs, a target without a gradient behind a predictor, or a "
        "bound on the variance keep it from there (Chen & He 2021; Bardes et al. 2022)."
    )
    evidence = {name: float(event.changes.get(name, 0.0)) for name in ("apart", "once")}
    return Finding("warning", what, why, (), evidence)


@sign
def collapsed(e: Evidence) -> bool:
    """Were the outputs of all rows the same at the newest sampled steps, where once they were not,
    and does the loss have no targets?"""
    event = e.latest("collapse")
    return event is not None and not event.changes.get("over")


COLLAPSE = Caveat(
    "collapse",
    "collapsed outputs",
    "The loss compares outputs with each other and with nothing else; from step 100 on, at all "
    "sampled steps since a third of the run, the directions of a minibatch's outputs are less than "
    ".2 apart and a quarter of what they were, and do not part again, or their deviation is below "
    "2 % of its largest. Where they never were farther apart, nothing is said.",
    "√(1 - |mean u|²) → 0, u = z/|z|",
    "Chen & He 2021, Exploring Simple Siamese Representation Learning",
    "Outputs are those of the modules that the script calls, with four numbers a row or more. A "
    "collapse to a few directions is not named. Losses with targets from elsewhere, also from a "
    "teacher whose outputs are compared by F.mse_loss, are judged by the other rules.",
    rule,
    (
        "z.detach() on the side that is the target, and a predictor (two linear layers) only on "
        "the other side.",
        "nn.BatchNorm1d after the last layer of the projector; a teacher that is a slow average "
        "of the student.",
        "Negative pairs: F.cross_entropy(a @ b.T / 0.2, torch.arange(len(a))) on normalized a, b.",
        "A term for the variance: F.relu(1 - (z.var(0) + 1e-4).sqrt()).mean().",
    ),
)
