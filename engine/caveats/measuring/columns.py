"""The columns of a measurement: the host computes one number for each layer from what the device
has reduced.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caveats.measures import LAYER_MEASURES
from caveats.measuring.reductions import PART

__all__ = ["DORMANT_SHARE", "Columns", "Norms", "Summary", "place", "summaries", "summarised"]

LARGE = 2**15  # numbers of a tensor
DORMANT_SHARE = 0.025  # Sokar et al. 2023, section 3: their tau


class Columns(dict[str, NDArray[np.float64]]):
    """One column for each layer measure, (layers,), which is NaN until it is filled in."""

    def __init__(self, layers: int) -> None:
        table = np.full((len(LAYER_MEASURES), layers), math.nan)
        super().__init__(zip(LAYER_MEASURES, table, strict=True))


class Norms:
    """Euclidean norms of many tensors in one call. They are summed in float64, because the squares
    of a vanishing delta are below the smallest float32. On the CPU that takes a copy in float64:
    of large tensors, part by part."""

    def __init__(self) -> None:
        self._wanted: list[tuple[str, int, float]] = []
        self._tensors: list[Tensor] = []
        self._known: list[tuple[str, int, float]] = []

    def want(self, column: str, layer: int, tensor: Tensor | None, factor: float = 1.0) -> None:
        if tensor is None:
            return
        if tensor.device.type == "cpu" and tensor.numel() > LARGE:
            self._known.append((column, layer, factor * norm_by_parts(tensor)))
        else:
            self._wanted.append((column, layer, factor))
            self._tensors.append(tensor)

    def compute(self, layers: int) -> dict[str, NDArray[np.float64]]:
        """Each column as (layers,), NaN for layers without a tensor."""
        found: dict[str, NDArray[np.float64]] = {}
        known = list(self._known)
        if self._tensors:
            norms = torch.stack(torch._foreach_norm(self._tensors, 2, torch.float64)).cpu().tolist()
            for (column, layer, factor), norm in zip(self._wanted, norms, strict=True):
                known.append((column, layer, norm * factor))
        for column, layer, size in known:
            found.setdefault(column, np.full(layers, math.nan))[layer] = size
        return found


def norm_by_parts(tensor: Tensor) -> float:
    """The Euclidean norm of a tensor on the CPU, with one copy of a part of it in float64."""
    parts = torch.split(tensor.detach().reshape(-1), PART)
    copy = torch.empty(len(parts[0]), dtype=torch.float64)
    square = 0.0
    for part in parts:
        numbers = copy[: len(part)].copy_(part)
        square += float(numbers.dot(numbers))
    return math.sqrt(square)


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers about one tensor (rows, units): its mean and standard deviation, how many units are
    dormant, and the share |E a|²/E|a|² of its square that is its mean."""

    mean: float
    std: float
    dormant: int
    fraction: float


def summarised(of_units: NDArray[np.floating]) -> tuple[NDArray[np.float64], ...]:
    """The four numbers of `Summary` for a group of tensors, (group,) each, from their `moments`,
    (3, group, units)."""
    mean, variance, size = of_units.astype(np.float64)  # (group, units)
    std = np.sqrt(variance.mean(1) + mean.var(1))
    dormant = (size <= DORMANT_SHARE * size.mean(1, keepdims=True)).sum(1)
    of_mean = (mean**2).sum(1)
    fraction = of_mean / (of_mean + variance.sum(1))
    return mean.mean(1), std, dormant, fraction


def summaries(of_units: NDArray[np.floating]) -> list[Summary]:
    """The summaries of a group of tensors from their `moments`, (3, group, units)."""
    columns = [column.tolist() for column in summarised(of_units)]
    return [Summary(*one) for one in zip(*columns, strict=True)]


def place(tensor: Tensor) -> tuple[int, torch.Size]:
    """The memory and shape of a tensor: an in-place or reshaping module returns the same memory."""
    return tensor.data_ptr(), tensor.shape
