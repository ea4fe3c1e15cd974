"""The yardsticks for a loss: that of the best constant, where training starts, and that of kernel
regression, which shows how far training can be expected to get.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Reach", "constant_loss", "kernel_reach", "lowest_recall"]

ROWS = 256
# All combinations are tried and the best counts: the width of the kernel exp(-|x - x'|²/2w²) over
# the median distance of two rows, the ridge, and the factor by which scores are multiplied before
# they are read as log odds.
WIDTHS = (0.1, 0.3, 1.0)
RIDGES = (1e-3, 1e-2, 0.1, 1.0)
STRETCHES = (1.0, 2.0, 4.0, 8.0, 16.0)
FEW_ROWS = 20  # so few say nothing of each other; a network learns them by heart
MOST_BITS = 12


class Reach(NamedTuple):
    """The result of kernel regression: its loss, the share of rows whose class it predicts, and
    that share among the rows of the class that it predicts worst; both are NaN for numbers."""

    loss: float
    accuracy: float
    recall: float


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
    5.12). Up to `FEW_ROWS` rows are predicted from all rows, themselves included: no other row
    tells what the fourth row of XOR is, but every network can learn it. It uses at most 256 rows,
    always the same ones, to limit the cost; `kernels` says which kernels are tried.

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
    alike = bool((x == x[:1]).all()) or not bool(x.isfinite().all())
    if len(x) < 3 or alike:
        return Reach(constant_loss(y, loss), *hits(mean.expand_as(told), y))
    odds = mean.clamp(min=1e-12).log()
    found = []
    for kernel in kernels(x):
        for ridge in RIDGES:
            root = torch.linalg.cholesky(kernel + ridge * torch.eye(len(x), dtype=x.dtype))
            inverse = torch.cholesky_inverse(root)
            off = inverse @ (told - mean)  # target minus prediction, up to a factor
            off = off * ridge if len(x) <= FEW_ROWS else off / inverse.diagonal()[:, None]
            scores = told - mean - off
            right = hits(scores + mean, y)
            if numbers or loss == "mse":
                found.append(Reach(float(off.square().mean()), *right))
            else:
                found += [
                    Reach(float(functional.cross_entropy(odds + stretch * scores, y)), *right)
                    for stretch in STRETCHES
                ]
    return min(found, key=lambda reach: reach.loss)


def kernels(x: Tensor) -> Iterator[Tensor]:
    """The kernels (rows, rows) of x (rows, features): exp(-|x - x'|²/2w²) on features scaled to
    deviation 1, whatever the network's inputs are, with three widths w.

    If every feature has two values, also Σ ∏ x_j·x'_j over all sets of k features, for each k
    above 1: a parity is a product of all its bits, and rows that are near one another tell the
    wrong answer.
    """
    x = x - x.mean(0)
    deviation = x.std(0, correction=0)
    x = x / torch.where(deviation > 0, deviation, 1.0)
    apart = torch.cdist(x, x)
    width = apart.median()
    if not width > 0:  # most rows are alike
        width = apart[apart > 0].median()
    for share in WIDTHS:
        yield torch.exp(-0.5 * (apart / (share * width)).square())
    varied = x[:, deviation > 0]
    if varied.shape[1] <= MOST_BITS and all(len(column.unique()) == 2 for column in varied.T):
        yield from products_of_bits(varied.sign())


def products_of_bits(bits: Tensor) -> Iterator[Tensor]:
    """Elementary symmetric polynomials e_k, k ≥ 2, of the products of two rows' bits: (rows, rows)
    each, scaled to a diagonal of 1."""
    rows, count = bits.shape
    sums = [torch.ones(rows, rows, dtype=bits.dtype)]  # e_0, e_1, … of the features so far
    for column in bits.T:
        same = torch.outer(column, column)
        grown = [*sums, torch.zeros_like(same)]
        for k, below in enumerate(sums, 1):
            grown[k] = grown[k] + same * below
        sums = grown
    for k in range(2, count + 1):
        yield sums[k] / sums[k][0, 0]


def hits(scores: Tensor, y: Tensor) -> tuple[float, float]:
    """The share of rows whose highest score is their class, and the lowest such share of a class;
    NaN for numbers. ``scores`` is (rows, classes)."""
    if y.is_floating_point():
        return nan, nan
    right = scores.argmax(1).eq(y)
    return float(right.double().mean()), float(lowest_recall(right, y, scores.shape[1]))


def lowest_recall(right: Tensor, y: Tensor, classes: int) -> Tensor:
    """The share of right answers in the class that has the fewest of them: ``right`` (rows,) bool,
    y (rows,) from 0 to ``classes`` - 1 -> scalar. Classes without a row do not count."""
    rows, hit = torch.zeros(2, classes, device=y.device, dtype=torch.float64)
    rows.index_add_(0, y, torch.ones_like(y, dtype=torch.float64))
    hit.index_add_(0, y, right.double())
    return torch.where(rows > 0, hit / rows, 1.0).min()
