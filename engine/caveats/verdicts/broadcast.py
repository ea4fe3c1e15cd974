"""Shapes broadcast in the loss: each prediction is compared with each target, as the graph of a
watched training's loss shows.
"""

from __future__ import annotations

from caveats.facts import LossFacts
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding

__all__ = ["BROADCAST", "EFFECTS"]

# What else a run shows whose best prediction is the mean.
EFFECTS = frozenset({
    "ravine", "plateau", "underfitting", "overfitting", "step_too_small", "vanishing_gradient",
    "dying_relu", "dormant", "rank_loss",
})  # fmt: skip


def rule(e: Evidence) -> Finding | None:
    if not all_pairs(e):
        return None
    facts = next(filter(broadcast, e.facts.losses))
    count = max(facts.outputs)
    squeezed = len(facts.outputs) > len(facts.targets)
    what = (
        f"the loss compares each of {count} predictions with each of {count} targets: predictions "
        f"of shape {facts.outputs} and targets of shape {facts.targets} broadcast to "
        f"({count}, {count}); "
        + ("predictions.squeeze(1) is of the targets' shape" if squeezed
           else "targets.squeeze(1) is of the predictions' shape")
    )  # fmt: skip
    why = (
        "Σ_i Σ_j (p_i - y_j)² is least where every p_i is the mean of the targets: the best that "
        "the network can learn is a constant."
    )
    return Finding("critical" if e.progress.stuck else "warning", what, why, (), {"rows": count})


def broadcast(facts: LossFacts) -> bool:
    return len(facts.outputs) != len(facts.targets)


@sign
def all_pairs(e: Evidence) -> bool:
    """Does the loss compare each prediction with each target, where there are as many?"""
    return any(map(broadcast, e.facts.losses))


BROADCAST = Caveat(
    "broadcast_loss",
    "shapes broadcast in the loss",
    "Predictions of shape (n, 1) meet targets of shape (n,), or the reverse, in a loss on numbers: "
    "each prediction is compared with all n targets.",
    "argmin_p Σ_i Σ_j (p_i - y_j)² : p_i = mean(y)",
    "Torch warns of it in F.mse_loss, F.l1_loss and F.huber_loss, not in losses written by hand",
    "Pairs that are made on purpose, of two tensors with as many dimensions (x[:, None] - "
    "y[None, :]), are not named, nor are ensembles or quantiles beside one column of targets.",
    rule,
    (
        "model(x).squeeze(1), or y.unsqueeze(1): one shape for both.",
        "assert prediction.shape == y.shape before the loss.",
    ),
)
