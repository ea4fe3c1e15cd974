"""What the graph of a loss shows of its targets: the loss that the best constant output would have,
and their scale. Torch's own loss functions keep their targets for backward.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from caveats.measuring.data_facts import target_scale

__all__ = ["FEWEST", "Scale", "constant_loss", "target_of"]

# Mean and deviation of the target column whose numbers are largest, the smallest and the largest
# number of any.
Scale: TypeAlias = tuple[float, float, float, float]

FEWEST = 16  # rows of a minibatch that are taken for all
SUM = 2  # torch's number for reduction="sum"
NUMBERS = frozenset({"MseLossBackward0", "SmoothL1LossBackward0", "HuberLossBackward0"})
ONES = frozenset({"BinaryCrossEntropyWithLogitsBackward0", "BinaryCrossEntropyBackward0"})


def constant_loss(loss: Any) -> float:
    """The loss that the best constant output has on the targets of ``loss``: log of the number of
    classes for cross entropy (that of balanced classes, its largest value), the entropy of the mean
    target for binary cross entropy, the variance of the targets for a squared error, and the loss
    of their median for smooth L1 and Huber's. NaN for any other function, and for weighted ones."""
    node, name = made_by(loss)
    try:
        if name in ("NllLossBackward0", "NllLoss2DBackward0") and node._saved_weight is None:
            outputs, target = node._saved_self, node._saved_target
            counted = int((target != node._saved_ignore_index).sum())
            classes = outputs.shape[1 if outputs.ndim > 1 else 0]
            best = math.log(int(classes))
            return best * (counted if node._saved_reduction == SUM else 1)
        if name in NUMBERS | ONES:
            if any(
                getattr(node, f"_saved_{w}", None) is not None for w in ("weight", "pos_weight")
            ):
                return math.nan
            target = node._saved_target.detach().float()
            if len(target) < FEWEST:
                return math.nan
            best = float(distance_of(node, name)(target))
            return best * (target.numel() if node._saved_reduction == SUM else 1)
    except (AttributeError, RuntimeError, TypeError):  # freed, or overwritten since
        return math.nan
    return math.nan


def target_of(loss: Any) -> Scale | None:
    """The scale of the targets of a loss on numbers, None for any other and for few rows."""
    node, name = made_by(loss)
    if name not in NUMBERS:
        return None
    try:
        target = node._saved_target.detach().float()
        if len(target) < FEWEST or not bool(target.isfinite().all()):
            return None
        low, high = target.aminmax()
        mean, deviation = target_scale(target.reshape(len(target), -1))
        return mean, deviation, float(low), float(high)
    except (AttributeError, RuntimeError, TypeError):
        return None


def made_by(loss: Any) -> tuple[Any, str]:
    """The node of the graph that made ``loss``, and its name."""
    node: Any = getattr(loss, "grad_fn", None)
    return node, "" if node is None else node.name()


def distance_of(node: Any, name: str) -> Callable[[Tensor], Tensor]:
    """The mean loss of the best constant (about the best for smooth L1) on targets (rows, ...)."""
    if name == "MseLossBackward0":
        return lambda target: target.var(0, correction=0).mean()
    if name in ONES:
        return lambda target: entropy(target.mean(0))
    if name == "HuberLossBackward0":
        delta = float(node._saved_delta)
        return lambda target: functional.huber_loss(middles(target), target, delta=delta)
    beta = float(node._saved_beta)
    return lambda target: functional.smooth_l1_loss(middles(target), target, beta=beta)


def middles(target: Tensor) -> Tensor:
    found: Tensor = target.median(0, keepdim=True).values
    return found.expand_as(target)


def entropy(share: Tensor) -> Tensor:
    """−p·log p − (1 − p)·log(1 − p), the mean over columns; 0 where p is 0 or 1."""
    each: Tensor = torch.special.entr(share) + torch.special.entr(1 - share)
    return each.mean()
