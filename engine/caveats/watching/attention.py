"""How sharply the heads of an attention look: the entropy of their rows, and their largest logit.

The logits of an attention are q·k/√d plus its mask, (batch, heads, queries, tokens); each row of
softmax(logits) says how one query shares its attention out over the tokens that it may see.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

__all__ = ["attention", "fused_arguments", "fused_logits", "some_queries"]

MOST_NUMBERS = 2**20  # logits that are looked at; of more, evenly spread queries
MASKED = 5e3  # below the largest of a row: masks add −1e4, −1e9 or −∞
LOW = 0.25  # the head at this share of a layer's heads


def attention(logits: Tensor) -> dict[str, float]:
    """``attention_entropy`` and ``attention_logit`` of logits (batch, heads, queries, tokens).

    The entropy −Σ A ln A of a row is divided by the ln of the tokens that the query may see, so
    that 1 is an even look and 0 a look at one token only; queries that see a single token do not
    count. It is the mean over batch and queries of the head at the lower quarter (Zhai et al.
    2023). NaN if no query sees two tokens.
    """
    logits = logits.detach().float()
    top = logits.amax(-1, keepdim=True)
    seen = logits > top - MASKED
    tokens = seen.sum(-1)  # (batch, heads, queries)
    shares = torch.softmax(logits, -1)
    surprise = torch.where(seen & (shares > 0), -shares * shares.log(), 0.0).sum(-1)
    several = tokens > 1
    even = torch.where(several, surprise / tokens.clamp(min=2).float().log(), 0.0)
    of_heads = even.sum((0, 2)) / several.sum((0, 2))  # (heads,), NaN without such queries
    largest = torch.where(seen, logits, -math.inf).max()
    entropy = torch.quantile(of_heads, LOW, interpolation="lower")
    return {"attention_entropy": float(entropy), "attention_logit": float(largest)}


def fused_logits(
    q: Tensor,
    k: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """The logits that `torch.nn.functional.scaled_dot_product_attention` keeps to itself, from
    q (..., queries, d) and k (..., tokens, d); with fewer heads in k, each serves several of q."""
    q, k = of_heads(q.detach()), of_heads(k.detach())
    if k.shape[1] != q.shape[1]:
        k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
    asked = torch.arange(q.shape[-2], device=q.device)[spread(q.shape[1:3].numel() * k.shape[-2])]
    rows = max(1, MOST_NUMBERS // (q.shape[1] * len(asked) * k.shape[-2]))
    q, k = q[:rows, :, asked].float(), k[:rows].float()
    logits = q @ k.mT * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if causal:
        tokens = torch.arange(k.shape[-2], device=q.device)
        logits = logits.masked_fill(tokens > asked[:, None], -math.inf)
    if mask is not None:
        mask = of_heads(mask.detach())
        mask = mask[:rows] if len(mask) > 1 else mask
        mask = mask[:, :, asked] if mask.shape[-2] > 1 else mask
        if mask.dtype == torch.bool:
            mask = torch.zeros_like(mask, dtype=torch.float32).masked_fill(~mask, -math.inf)
        logits = logits + mask
    return logits


def some_queries(logits: Tensor, heads: int = 1) -> Tensor:
    """A copy of at most a million of the logits (..., queries, tokens) of an attention that is
    computed in the open, as (batch, heads, queries, tokens). Three dimensions hold the batch and
    ``heads`` heads of each of its rows."""
    logits = logits.detach()
    if logits.ndim == 3:
        logits = logits.reshape(-1, heads, *logits.shape[1:])
    logits = of_heads(logits)
    logits = logits[:, :, spread(logits.shape[1:].numel())]
    return logits[: max(1, MOST_NUMBERS // logits.shape[1:].numel())].clone()


def of_heads(tensor: Tensor) -> Tensor:
    """(..., rows, columns) as (batch, heads, rows, columns)."""
    while tensor.ndim < 3:
        tensor = tensor[None]
    return tensor.unsqueeze(1) if tensor.ndim == 3 else tensor.flatten(0, -4)


def spread(numbers: int) -> slice:
    """Every query, or so few that one row of the batch has at most `MOST_NUMBERS` logits."""
    return slice(None, None, max(1, -(-numbers // MOST_NUMBERS)))


def fused_arguments(args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of `scaled_dot_product_attention` by name."""
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
    return {**dict(zip(names, args, strict=False)), **kwargs}
