"""What the graph of a loss shows of its targets: the loss that the best constant output would have,
and their scale. Torch's own loss functions keep their targets for backward.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from torch import Tensor

from caveats.measuring import constants
from caveats.measuring.data_facts import target_scale

__all__ = ["FEWEST", "Scale", "constant_loss", "target_of"]

# Mean and deviation of the target column whose numbers are largest, the smallest and the largest
# number of any.
Scale: TypeAlias = tuple[float, float, float, float]

FEWEST = 16  # rows of a minibatch that are taken for all
FEW = 2**16  # numbers of which the centre of Huber's loss is sought
SUM = 2  # torch's number for reduction="sum"
NUMBERS = {
    "MseLossBackward0": "mse", "SmoothL1LossBackward0": "huber", "HuberLossBackward0": "huber",
}  # fmt: skip
ONES = {"BinaryCrossEntropyWithLogitsBackward0": "bce", "BinaryCrossEntropyBackward0": "bce"}


def constant_loss(loss: Any) -> float:
    """The loss that the best constant output has on the targets of ``loss``: log of the number of
    classes for cross entropy (that of balanced classes, its largest value), and for binary cross
    entropy, squared error, Huber's loss and smooth L1 that of `caveats.measuring.constants`. NaN
    for any other function, and for weighted ones."""
    node, name = made_by(loss)
    try:
        if name in ("NllLossBackward0", "NllLoss2DBackward0") and node._saved_weight is None:
            outputs, target = node._saved_self, node._saved_target
            counted = int((target != node._saved_ignore_index).sum())
            classes = outputs.shape[1 if outputs.ndim > 1 else 0]
            best = math.log(int(classes))
            return best * (counted if node._saved_reduction == SUM else 1)
        kind = (NUMBERS | ONES).get(name)
        weighted = (getattr(node, f"_saved_{key}", None) for key in ("weight", "pos_weight"))
        if kind is None or any(weights is not None for weights in weighted):
            return math.nan
        target = targets(node)
        if target is None:
            return math.nan
        best = huber(node, target) if kind == "huber" else constants.constant_loss(target, kind)
        return best * (target.numel() if node._saved_reduction == SUM else 1)
    except (AttributeError, RuntimeError, TypeError):  # freed, or overwritten since
        return math.nan


def target_of(loss: Any) -> Scale | None:
    """The scale of the targets of a loss on numbers, None for any other and for few rows."""
    node, name = made_by(loss)
    try:
        target = targets(node) if name in NUMBERS else None
    except (AttributeError, RuntimeError, TypeError):
        return None
    if target is None or not bool(target.isfinite().all()):
        return None
    low, high = target.aminmax()
    return *target_scale(target), float(low), float(high)


def made_by(loss: Any) -> tuple[Any, str]:
    """The node of the graph that made ``loss``, and its name."""
    node: Any = getattr(loss, "grad_fn", None)
    return node, "" if node is None else node.name()


def targets(node: Any) -> Tensor | None:
    """The targets of a loss as (rows, columns), None for few rows."""
    target: Tensor = node._saved_target.detach()
    return target.reshape(len(target), -1).float() if len(target) >= FEWEST else None


def huber(node: Any, target: Tensor) -> float:
    """The best constant's loss under Huber's loss of any delta d, which is d² times that of delta 1
    on targets over d, or under smooth L1 of beta d, which is d times that."""
    smooth = hasattr(node, "_saved_beta")
    d = float(node._saved_beta if smooth else node._saved_delta)
    some = target[:, :: -(-target.numel() // FEW)]  # columns
    return constants.constant_loss(some / d, "huber") * (d if smooth else d * d)
