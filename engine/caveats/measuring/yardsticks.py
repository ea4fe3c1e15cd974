"""The yardsticks for a loss: that of the best constant, where training starts, and that of kernel
regression, which shows how far training can be expected to get.
"""

from __future__ import annotations

from math import nan
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Reach", "constant_loss", "kernel_reach"]

ROWS = 256
# All combinations are tried and the best counts: the kernel's width over the median distance of two
# rows, the ridge, and the factor by which scores are multiplied before they are read as log odds.
WIDTHS = (0.1, 0.3, 1.0)
RIDGES = (1e-3, 1e-2, 0.1, 1.0)
STRETCHES = (1.0, 2.0, 4.0, 8.0, 16.0)


class Reach(NamedTuple):
    """The result of kernel regression: its loss, and the share of rows whose class it predicts, NaN
    for numbers."""

    loss: float
    accuracy: float


def constant_loss(y: Tensor, loss: str) -> float:
    """The loss of the best network that ignores its input, on targets y.

    Cross-entropy: the entropy of the class frequencies; mse: the variance of the targets.
    """
    if y.is_floating_point():
        return float(y.double().var(0, correction=0).mean())
    share = torch.bincount(y).double() / len(y)
    if loss == "mse":
        return float((share * (1 - share)).mean())
    return float(torch.special.entr(share).sum())


def kernel_reach(x: Tensor, y: Tensor, loss: str) -> Reach:
    """Predicts each row from all others by kernel ridge regression.

    If classes overlap or targets are noisy, no network that generalizes gets far below this loss,
    and a network that reaches it is not broken. Leaving a row out needs no second fit: with
    A = K + ridge·I the prediction is t_i - (A⁻¹t)_i / (A⁻¹)_ii (Rasmussen & Williams 2006, eq.
    5.12). The kernel is exp(-|x - x'|²/2w²) on features scaled to deviation 1, whatever the
    network's inputs are. It uses at most 256 rows, always the same ones, to limit the cost.

    Args:
        x: (rows, features).
        y: (rows,) classes, or (rows, targets) numbers.
        loss: the value of `training.loss`; for numbers mse is always used.
    """
    numbers = y.is_floating_point()
    chosen = np.random.Generator(np.random.PCG64(0)).permutation(len(x))[:ROWS]
    rows = torch.from_numpy(chosen).to(x.device)
    x, y = x[rows].cpu().double(), y[rows].cpu()
    told = y.double() if numbers else functional.one_hot(y).double()  # (rows, targets)
    mean = told.mean(0)
    x = x - x.mean(0)
    deviation = x.std(0, correction=0)
    x = x / torch.where(deviation > 0, deviation, 1.0)
    apart = torch.cdist(x, x)
    width = apart.median()
    if len(x) < 3 or not width > 0 or not width.isfinite():
        return Reach(constant_loss(y, loss), nan if numbers else float(mean.max()))
    odds = mean.clamp(min=1e-12).log()
    found = []
    for share in WIDTHS:
        kernel = torch.exp(-0.5 * (apart / (share * width)).square())
        for ridge in RIDGES:
            root = torch.linalg.cholesky(kernel + ridge * torch.eye(len(x), dtype=x.dtype))
            inverse = torch.cholesky_inverse(root)
            off = inverse @ (told - mean) / inverse.diagonal()[:, None]  # target minus prediction
            scores = told - mean - off
            right = nan if numbers else float((scores + mean).argmax(1).eq(y).double().mean())
            if numbers or loss == "mse":
                found.append(Reach(float(off.square().mean()), right))
            else:
                found += [
                    Reach(float(functional.cross_entropy(odds + stretch * scores, y)), right)
                    for stretch in STRETCHES
                ]
    return min(found)
