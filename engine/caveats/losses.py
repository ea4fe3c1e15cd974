"""The losses as functions of a network's output: the mean over the rows of a batch.

They know no network; rows are independent of one another, which the probe relies on.
"""

from __future__ import annotations

import torch.nn.functional as functional
from torch import Tensor

__all__ = ["by_task", "cross_entropy", "mse"]


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """output (rows, classes), target (rows,) of int64 -> scalar."""
    return functional.cross_entropy(output, target)


def mse(output: Tensor, target: Tensor) -> Tensor:
    """output (rows, targets), target (rows, targets) or classes (rows,) -> scalar.

    The mean over rows and outputs, as torch.nn.functional.mse_loss.
    """
    if not target.is_floating_point():
        target = functional.one_hot(target, output.shape[1]).to(output.dtype)
    return functional.mse_loss(output, target)


def by_task(output: Tensor, target: Tensor) -> Tensor:
    """cross_entropy for classes, mse for numbers."""
    return mse(output, target) if target.is_floating_point() else cross_entropy(output, target)
