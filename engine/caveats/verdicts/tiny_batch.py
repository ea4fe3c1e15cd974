"""Batch normalization of few rows: what it gives depends on the other rows more than on the row."""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.harm import held_up
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding

__all__ = ["EFFECTS", "TINY_BATCH"]

EFFECTS = frozenset({
    "exploding_gradient", "step_too_large", "plateau", "underfitting", "dormant", "rank_loss",
    "saturation", "vanishing_gradient", "loss_spike",
})  # fmt: skip


def rule(e: Evidence) -> Finding | None:
    if not few_rows(e):
        return None
    layers = tuple(i for i, layer in enumerate(e.facts.layers) if normalizes_rows(layer))
    rows = e.facts.data.rows
    what = f"batch normalization of {rows} rows in {e.layer(layers[0])}"
    if len(layers) > 1:
        what += f" and {len(layers) - 1} more"
    if rows == 2:
        what += ": of two rows it makes +1 and -1, whatever they are"
    why = (
        f"Mean and deviation of {rows} rows are mostly noise, and in eval() others take their "
        "place: what was learnt does not fit them (Wu & He 2018, Group Normalization)."
    )
    harm = e.blames(*EFFECTS) or (held_up(e) and e.progress.settled)
    return Finding("warning" if harm else "note", what, why, layers, {"rows": rows})


def normalizes_rows(layer: object) -> bool:
    """A convolution has positions beside its rows."""
    return getattr(layer, "kind", "") == "linear" and getattr(layer, "normalization", "") == "batch"


@sign
def few_rows(e: Evidence) -> bool:
    """Does batch normalization get minibatches of very few rows?"""
    few = 0 < e.facts.data.rows <= e.thresholds.few
    return few and any(map(normalizes_rows, e.facts.layers)) and len(e.facts.layers) == len(e.names)


TINY_BATCH = Caveat(
    "tiny_batch",
    "batch normalization of few rows",
    "Minibatches of four rows or fewer go through batch normalization behind a linear layer; a "
    "warning where training suffers.",
    "n = 2: (x_1 - m)/s = ±1",
    "Wu & He 2018, Group Normalization",
    "Seen in a watched training, by the rows of the first tensor that enters. Training loss hides "
    "most of the harm: compare it with the loss in eval().",
    rule,
    (
        "nn.LayerNorm or nn.GroupNorm in place of nn.BatchNorm1d.",
        "Larger minibatches: 16 rows or more.",
    ),
)
