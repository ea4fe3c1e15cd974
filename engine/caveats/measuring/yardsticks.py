"""The yardsticks for a loss: that of the best constant, where training starts, and that of kernel
regression, which shows how far training can be expected to get.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import nan
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from caveats.measuring.constants import constant_loss, distance
from caveats.measuring.scores import hit_shares

__all__ = ["Reach", "kernel_reach", "linear_reach"]

# All combinations are tried and the best counts: the width of the kernel exp(-|x - x'|²/2w²) over
# the median distance of two rows, the ridge, and the factor by which scores are multiplied before
# they are read as log odds.
WIDTHS = (0.1, 0.3, 1.0)
RIDGES = (1e-3, 1e-2, 0.1, 1.0)
STRETCHES = (1.0, 2.0, 4.0, 8.0, 16.0)
FEW_ROWS = 20  # so few say nothing of each other; a network learns them by heart
MOST_BITS = 12
# Standard errors of a mean gain that chance does not reach: of 360 tables of noise the best of all
# kernels passed 2.5 in 2, and 2 in 11.
BEYOND_CHANCE = 2.5


class Reach(NamedTuple):
    """The result of kernel regression: its loss and the share of rows whose class it predicts.

    ``recall`` is that share among the rows of the class that it predicts worst if every class
    counts the same, so that it shows how well the rows tell a rare class apart. Both shares are NaN
    for numbers.
    """

    loss: float
    accuracy: float
    recall: float


def kernel_reach(x: Tensor, y: Tensor, loss: str, weights: Tensor | None = None) -> Reach:
    """Predicts each row from all others by kernel ridge regression.

    If classes overlap or targets are noisy, no network that generalizes gets far below this loss,
    and a network that reaches it is not broken. Leaving a row out needs no second fit: with
    A = K + ridge·I the prediction is t_i - (A⁻¹t)_i / (A⁻¹)_ii (Rasmussen & Williams 2006, eq.
    5.12). Up to `FEW_ROWS` rows are predicted from all rows, themselves included: no other row
    tells what the fourth row of XOR is, but every network can learn it. `kernels` says which
    kernels are tried. A gain over the constant that may be chance counts as none. The cost grows
    with rows³: a run gives its probe rows, 512 at most, which take .15 s. Fewer rows would hide
    what the data allow, since a row then has fewer neighbours.

    Args:
        x: (rows, features).
        y: (rows,) classes, or (rows, targets) numbers.
        loss: the value of `training.loss`, as for `constant_loss`; so are ``weights``.
    """
    return reach(x, y, loss, weights, kernels)


def linear_reach(x: Tensor, y: Tensor, loss: str, weights: Tensor | None = None) -> float:
    """The loss of `kernel_reach` where each row is predicted by the best linear map of the others:
    what a network comes to whose layers have no activation between them."""
    return reach(x, y, loss, weights, lambda rows: [products(rows)]).loss


def reach(
    x: Tensor,
    y: Tensor,
    loss: str,
    weights: Tensor | None,
    kernels_of: Callable[[Tensor], Iterable[Tensor]],
) -> Reach:
    numbers = y.is_floating_point()
    x, y = x.cpu().double(), y.cpu()
    told = y.double() if numbers else functional.one_hot(y).double()  # (rows, targets)
    mean = told.mean(0)
    alike = bool((x == x[:1]).all()) or not bool(x.isfinite().all())
    constant = Reach(constant_loss(y, loss, weights), *hits(torch.zeros_like(told), mean, y))
    if len(x) < 3 or alike:
        return constant
    judged = Judged(loss, y, told, weights)
    found = []
    for kernel in kernels_of(x):
        for ridge in RIDGES:
            root = torch.linalg.cholesky(kernel + ridge * torch.eye(len(x), dtype=x.dtype))
            inverse = torch.cholesky_inverse(root)
            off = inverse @ (told - mean)  # target minus prediction, up to a factor
            off = off * ridge if len(x) <= FEW_ROWS else off / inverse.diagonal()[:, None]
            scores = told - mean - off
            found += [(each, scores) for each in judged.losses(off, scores)]
    each, scores = min(found, key=lambda told: float(told[0].mean()))
    gained = judged.losses(told - mean, torch.zeros_like(told))[0] - each  # (rows,)
    if len(x) > FEW_ROWS and by_chance(constant.loss - each.mean(), gained):
        return constant
    return Reach(float(each.mean()), *hits(scores, mean, y))


def by_chance(gain: Tensor, gained: Tensor) -> bool:
    """Whether the mean ``gain`` over a constant is no more than the rows' own gains ``gained``
    (rows,) differ by chance. The best of many kernels gains a little on noise."""
    return bool(gain < BEYOND_CHANCE * gained.std() / len(gained) ** 0.5)


def kernels(x: Tensor) -> Iterator[Tensor]:
    """The kernels (rows, rows) of x (rows, features): exp(-|x - x'|²/2w²) on features scaled to
    deviation 1, whatever the network's inputs are, with three widths w.

    If every feature has two values, also Σ ∏ x_j·x'_j over all sets of k features, for each k
    above 1: a parity is a product of all its bits, and rows that are near one another tell the
    wrong answer.
    """
    x, varies = standardized(x)
    apart = torch.cdist(x, x)
    width = apart.median()
    if not width > 0:  # most rows are alike
        width = apart[apart > 0].median()
    for share in WIDTHS:
        yield torch.exp(-0.5 * (apart / (share * width)).square())
    varied = x[:, varies]
    if varied.shape[1] <= MOST_BITS and all(len(column.unique()) == 2 for column in varied.T):
        yield from products_of_bits(varied.sign())


def standardized(x: Tensor) -> tuple[Tensor, Tensor]:
    """x (rows, features) with mean 0 and deviation 1, and which features vary, (features,)."""
    x = x - x.mean(0)
    deviation = x.std(0, correction=0)
    return x / torch.where(deviation > 0, deviation, 1.0), deviation > 0


def products(x: Tensor) -> Tensor:
    """The products (rows, rows) of standardized rows, scaled to a mean diagonal of 1."""
    x, varies = standardized(x)
    found: Tensor = x @ x.T / varies.sum()
    return found


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


def hits(scores: Tensor, mean: Tensor, y: Tensor) -> tuple[float, float]:
    """The accuracy and the recall of a `Reach`; ``scores`` (rows, classes) are what kernel
    regression adds to the share ``mean`` (classes,) of each class."""
    if y.is_floating_point():
        return nan, nan
    right = hit_shares((mean + scores).argmax(1), y)[0]
    even = hit_shares((scores / mean.clamp(min=1e-12)).argmax(1), y)[1]
    return float(right), float(even)


class Judged:
    """Turns what kernel regression predicts into losses of the run's kind, one for each row."""

    def __init__(self, loss: str, y: Tensor, told: Tensor, weights: Tensor | None) -> None:
        numbers = y.is_floating_point()
        self.loss = ("mse" if numbers else "cross_entropy") if loss == "auto" else loss
        self.y, self.told = y, told
        self.of_rows = None if weights is None or numbers else weights.cpu().double()[y]  # (rows,)
        # Weights shift the odds of a class, as if it had that many rows more.
        mass = told if self.of_rows is None else told * self.of_rows[:, None]
        mean = mass.mean(0)
        self.odds = mean.clamp(min=1e-12).log()
        if self.loss == "bce":
            others = (1 if self.of_rows is None else self.of_rows.mean()) - mean
            self.odds = self.odds - others.clamp(min=1e-12).log()

    def losses(self, off: Tensor, scores: Tensor) -> list[Tensor]:
        """The losses (rows,) of predictions that are ``off`` (rows, targets) the targets; where the
        loss takes log odds, one for each factor by which ``scores`` (rows, targets) may be
        stretched."""
        if self.loss not in ("cross_entropy", "bce"):
            return [self._weighted(distance(off, self.loss).mean(1))]
        return [self._of_logits(self.odds + stretch * scores) for stretch in STRETCHES]

    def _of_logits(self, logits: Tensor) -> Tensor:
        if self.loss == "bce":
            each = functional.binary_cross_entropy_with_logits(logits, self.told, reduction="none")
            return self._weighted(each.mean(1))
        return self._weighted(functional.cross_entropy(logits, self.y, reduction="none"))

    def _weighted(self, each: Tensor) -> Tensor:  # (rows,)
        return each if self.of_rows is None else self.of_rows * each
