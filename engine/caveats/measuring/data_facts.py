"""What the probe rows show of the data: their scale, and how the classes share them."""

from __future__ import annotations

from math import nan

import torch
from torch import Tensor

from caveats.facts import DataFacts

__all__ = ["data_facts", "target_scale"]


def data_facts(
    x: Tensor, y: Tensor, reachable_recall: float = nan, reachable_linear: float = nan
) -> DataFacts:
    """The facts of inputs x (rows, ...) and targets y: (rows,) classes or (rows, targets)
    numbers."""
    size, spread = input_scale(x.detach().flatten(1).cpu().double())
    if y.is_floating_point():
        numbers = y.detach().flatten(1).cpu().double()
        mean, deviation = target_scale(numbers)
        low, high = numbers.aminmax()
        return DataFacts(
            size, spread, mean, deviation, float(low), float(high),
            reachable_linear=reachable_linear,
        )  # fmt: skip
    shares = torch.bincount(y.detach().flatten().cpu().clamp(min=0)).double() / y.numel()
    told = tuple(shares.tolist())
    return DataFacts(
        size, spread, class_shares=told, reachable_recall=reachable_recall,
        reachable_linear=reachable_linear,
    )  # fmt: skip


def input_scale(x: Tensor) -> tuple[float, float]:  # (rows, columns)
    deviation = x.std(0, correction=0)
    varied = deviation[deviation > 0]
    spread = float(varied.max() / varied.median()) if len(varied) else nan
    return float(x.square().mean().sqrt()), spread


def target_scale(y: Tensor) -> tuple[float, float]:  # (rows, targets)
    largest = int(y.square().mean(0).argmax())
    return float(y[:, largest].mean()), float(y[:, largest].std(correction=0))
