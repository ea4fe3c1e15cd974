"""Tells weights that are still as they were drawn from trained ones, and copies from networks of
their own: whether somebody leaves them alone on purpose cannot be seen, but nobody means to leave
random weights alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

__all__ = ["as_drawn", "copied", "untouched"]

WRITES = 3  # writes to a weight that is drawn, drawn again, and has its padding set to 0
ENOUGH = 24  # numbers of a layer that tell how it was drawn
RECURRENT = (nn.RNNBase, nn.RNNCellBase)
NEAR = 0.1  # share by which a deviation may miss that of the draw, or the largest number its bound


def untouched(modules: Iterable[nn.Module]) -> bool:
    """Whether most of the layers among ``modules`` are as they were drawn. Waits for the device."""
    with torch.no_grad():
        told = [answer for m in modules if (answer := as_drawn(m)) is not None]
    return bool(told) and sum(told) > len(told) / 2


def as_drawn(layer: nn.Module) -> bool | None:
    """Whether the weights of one layer are those that torch draws: uniform within ±1/√fan-in (of
    a recurrent layer within ±1/√units; for an embedding, normal with deviation 1), or, drawn
    otherwise, have biases that are all the same number. None where this cannot be told."""
    own = [p for p in layer._parameters.values() if p is not None]
    weight, bias = next((p for p in own if p.ndim > 1), None), layer._parameters.get("bias")
    if weight is None or sum(p.numel() for p in own) < ENOUGH or hasattr(weight, "to_local"):
        return None
    if weight._version > WRITES:
        return False  # written to again and again: it was trained
    if isinstance(layer, nn.Embedding):
        return bool((weight.float().std() - 1).abs() < NEAR)
    units = getattr(layer, "hidden_size", 0) if isinstance(layer, RECURRENT) else 0
    bound = 1 / math.sqrt(units or weight[0].numel())
    largest = max(float(p.abs().max()) for p in own)
    if (1 - NEAR) * bound < largest <= bound * (1 + 1e-3):
        return True
    return None if bias is None or bias.numel() < 2 else bool((bias == bias[0]).all())


def copied(parameters: Sequence[Tensor], others: Iterable[Tensor]) -> bool:
    """Whether there is a trained weight of the same shape for each of ``parameters``: then they may
    be a target network or a teacher, which no gradient is to change."""
    wanted = Counter(tuple(p.shape) for p in parameters)
    there = Counter(tuple(p.shape) for p in others)
    return all(there[shape] >= count for shape, count in wanted.items())
