"""Rows of a minibatch mix: what a network answers to one row depends on the other rows, as trying
it out on a watched training's minibatches shows (`caveats.watching.mixing`).
"""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.harm import held_up
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding, Severity

__all__ = ["EFFECTS", "ROWS_MIX"]

# What else a run shows that learns from the wrong rows.
EFFECTS = frozenset({
    "memory_through_time", "plateau", "underfitting", "overfitting", "rank_loss", "dormant",
    "step_too_small", "step_too_large", "ravine", "attention_collapse", "vanishing_gradient",
    "saturated_gates", "dying_relu",
})  # fmt: skip


def rule(e: Evidence) -> Finding | None:
    event = e.latest("checked", "rows")
    if event is None or not rows_mix(e):
        return None
    layers = str(event.changes.get("time_first") or "")
    what = event.text
    if layers:
        what += f"; batch_first is False in {layers}"
    why = (
        "Rows of a minibatch are drawn by chance, so what one of them learns from the others is "
        "noise, and an answer changes with the rows that happen to stand beside it. Torch's "
        "recurrent layers and attentions take (time, batch, features) if batch_first is False, "
        "and view() moves no numbers."
    )
    severity: Severity = "warning" if meant_otherwise(e) or suffers(e) else "note"
    return Finding(severity, what, why, (), {"change": float(event.changes.get("change", 0.0))})


@sign
def rows_mix(e: Evidence) -> bool:
    """Did the outputs of some rows change twice when other rows of the minibatch were replaced?"""
    return e.latest("checked", "rows") is not None


@sign
def suffers(e: Evidence) -> bool:
    """Has a training that is past its first steps learned little?"""
    return held_up(e) and e.progress.settled


@sign
def meant_otherwise(e: Evidence) -> bool:
    """Is each row a sequence or a picture of its own, and does the order of the rows matter, or
    does a layer take the rows for steps of time? Without that, rows that mix may be meant: a
    normalization over the minibatch that was written by hand."""
    event = e.latest("checked", "rows")
    if event is None or not event.changes.get("several"):
        return False
    return bool(event.changes.get("ordered") or event.changes.get("time_first"))


ROWS_MIX = Caveat(
    "rows_mix",
    "rows of a minibatch mix",
    "With half of the rows of a minibatch replaced by others, the outputs of the other half change "
    "by more than 1 % of their deviation, in two minibatches, in evaluation mode. A warning if "
    "each row is a sequence and their order matters or a layer takes the rows for time, or if "
    "little is learned; else a note.",
    "∂f(x)_i/∂x_j ≠ 0 for i ≠ j",
    "The definition of nn.LSTM, nn.GRU, nn.RNN and nn.MultiheadAttention (batch_first)",
    "Only networks with one row of outputs and one target a row are tried out. Networks that are "
    "given edges, or hold a table of which rows belong together, are not, nor are whole graphs, "
    "whose rows are the same at each step, nor batch normalization without running averages.",
    rule,
    (
        "nn.LSTM(…, batch_first=True), also nn.GRU, nn.RNN, nn.MultiheadAttention and "
        "nn.TransformerEncoderLayer, for inputs (batch, time, features).",
        "x.transpose(0, 1) in place of x.view(time, batch, …), which only counts the numbers anew.",
        "softmax, mean and norm over the last dimension (dim=-1), not over the rows (dim=0).",
    ),
)
