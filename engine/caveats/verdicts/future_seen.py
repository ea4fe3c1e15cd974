"""The future is seen: a model that is to predict the next word is given it, as trying it out on a
watched training's minibatches shows (`caveats.watching.mixing`).
"""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding

__all__ = ["EFFECTS", "FUTURE_SEEN"]

# What else a run shows that copies its answers.
EFFECTS = frozenset({"attention_collapse", "rank_loss", "dormant"})


def rule(e: Evidence) -> Finding | None:
    event = e.latest("checked", "future")
    if event is None or not looks_ahead(e):
        return None
    why = (
        "The target at a word is the word after it. A network that can look there copies it: its "
        "loss is far too good, and it has learned nothing for a text whose end is not written yet "
        "(Vaswani et al. 2017, section 3.2.3)."
    )
    change = float(event.changes.get("change", 0.0))
    return Finding("warning", event.text, why, (), {"change": change})


@sign
def looks_ahead(e: Evidence) -> bool:
    """Did the outputs at early words change twice when later words were replaced, though the
    targets are the next words?"""
    return e.latest("checked", "future") is not None


FUTURE_SEEN = Caveat(
    "future_seen",
    "the future is seen",
    "The targets are the next words of the input, and with the second half of each text replaced, "
    "the outputs of the first half change by more than 1 % of their deviation, in two minibatches.",
    "∂f(x)_t/∂x_s ≠ 0 for s > t, where y_t = x_{t+1}",
    "Vaswani et al. 2017, Attention Is All You Need",
    "Seen for inputs (batch, time) of whole numbers and outputs (batch, time, words). Models that "
    "fill in words that were taken out may look both ways: their targets are not shifted.",
    rule,
    (
        "F.scaled_dot_product_attention(q, k, v, is_causal=True).",
        "mask=nn.Transformer.generate_square_subsequent_mask(length) in each pass of "
        "nn.TransformerEncoder.",
        "scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf) before "
        "softmax.",
        "No bidirectional=True in a recurrent layer that predicts the next word.",
    ),
)
