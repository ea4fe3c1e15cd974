"""Gradient noise scale: the batch size at which the gradient of a minibatch is as much noise as
signal (McCandlish et al. 2018, section 2.2).

B = tr(Σ)/|G|², where G is the mean of the rows' gradients and Σ their covariance. The rows are
taken for all that there are. So G is known exactly, and only tr(Σ) is estimated, from the means of
disjoint parts of the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from caveats.models.isolation import undisturbed, walk

__all__ = ["noise_scale"]

PARTS = 32  # so many means estimate their own spread to about a quarter (2/PARTS)^½
# Rows of a part at least, or half of all, where batch normalization mixes them: one alone cannot be
# normalized, and two become -1 and 1 whatever they are.
MIXED = 16


def noise_scale(
    network: nn.Module,
    loss_function: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
) -> float:
    """The noise scale of ``network`` in rows, on ``x`` (rows, ...), ``y`` (rows, ...); the mean
    loss of some rows is ``loss_function`` of outputs and targets. NaN with fewer than two rows
    (six with batch normalization), or where a gradient is not finite or all of it is 0."""
    mixed = any(
        isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training
        for module in walk(network)
    )
    if len(x) < (6 if mixed else 2):
        return math.nan
    least = min(MIXED, len(x) // 2) if mixed else 1
    size = max(least, len(x) // PARTS)  # rows of a part
    parts = len(x) // size
    rows = parts * size
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0)).to(x.device)
    parameters = [p for p in network.parameters() if p.requires_grad]
    squares = 0.0
    total = [torch.zeros_like(p) for p in parameters]
    with undisturbed(network, x.device), torch.enable_grad():
        for start in range(0, rows, size):
            chosen = order[start : start + size]
            loss = loss_function(network(x[chosen]), y[chosen])
            grads = torch.autograd.grad(loss, parameters, materialize_grads=True)
            squares += squared(grads) / parts
            torch._foreach_add_(total, list(grads), alpha=1 / parts)
    signal = squared(total)
    if not (math.isfinite(squares) and 0 < signal < math.inf):
        return math.nan
    # Means of `size` of `rows` rows, drawn without returning them, spread by
    # tr(Σ)/size · (rows - size)/(rows - 1).
    spread = max(0.0, squares - signal)
    return spread * size * (rows - 1) / (rows - size) / signal


def squared(tensors: Sequence[Tensor]) -> float:
    """The squared length of the tensors as one vector."""
    norms = torch._foreach_norm(list(tensors), 2, torch.float64)
    return float(torch.stack(norms).square().sum())
