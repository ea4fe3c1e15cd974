"""The loss of the best network that ignores its input: for each loss the best constant is another
(the class frequencies, the mean, the median, …).
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["constant_loss", "distance"]


def constant_loss(
    y: Tensor, loss: str, weights: Tensor | None = None, classes: int | None = None
) -> float:
    """The loss of the best constant answer to targets ``y``: (rows,) classes, or (rows, targets)
    numbers. What stands behind the output layer is left aside, although it may keep a network from
    that answer.

    cross_entropy: the entropy of the class frequencies; bce: that of each output's frequency; mse:
    the variance; l1: the mean distance from the median; huber: at its minimum, found by bisection.

    Args:
        loss: the value of `training.loss`; "auto" is mse for numbers, cross_entropy for classes.
        weights: (classes,) what a row of each class counts, None for 1.
        classes: their number, where y may lack the last one.
    """
    if y.is_floating_point():
        return of_numbers(y.double(), loss)
    mass = torch.bincount(y, minlength=classes or 0).double() / len(y)  # weight of a class in a row
    total = torch.ones((), dtype=mass.dtype)
    if weights is not None:
        mass = mass * weights[: len(mass)].double().to(mass.device)
        total = mass.sum()
    # With total 1: minus the sum of p·log p.
    entropy = torch.special.entr(mass)
    if loss == "bce":
        both = entropy + torch.special.entr(total - mass) - torch.special.entr(total)
        return float(both.mean())
    if loss == "l1":
        return float(torch.minimum(mass, total - mass).mean())
    if loss in ("mse", "huber"):
        squares = float((mass * (total - mass) / total).mean())
        return squares / 2 if loss == "huber" else squares  # no one-hot error exceeds 1
    return float(entropy.sum() - torch.special.entr(total))


def of_numbers(y: Tensor, loss: str) -> float:  # (rows, targets)
    if loss == "bce":
        mean = y.mean(0)
        return float((torch.special.entr(mean) + torch.special.entr(1 - mean)).mean())
    if loss == "l1":
        return float((y - y.median(0).values).abs().mean())
    if loss == "huber":
        return float(distance(y - huber_centre(y), loss).mean())
    return float(y.var(0, correction=0).mean())


def huber_centre(y: Tensor) -> Tensor:
    """The constants (targets,) at which the clipped distances of y (rows, targets) sum to 0."""
    low, high = y.min(0).values, y.max(0).values
    for _ in range(100):
        middle = (low + high) / 2
        above = (middle - y).clamp(-1, 1).sum(0) > 0
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return (low + high) / 2


def distance(error: Tensor, loss: str) -> Tensor:
    """What each error costs under mse, l1 or huber (delta 1)."""
    if loss == "l1":
        return error.abs()
    if loss == "huber":
        size = error.abs()
        return torch.where(size < 1, size.square() / 2, size - 0.5)
    return error.square()
