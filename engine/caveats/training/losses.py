"""The losses that a run can minimise: functions of a network's output, each the mean over the rows
of a batch. A row's loss does not depend on the other rows; the probe relies on that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats.choice import Choice, Table, later

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import functional
else:
    functional = later("torch.nn.functional")

__all__ = ["LOSSES", "Loss", "cross_entropy", "mse"]


@dataclass(frozen=True, slots=True)
class Loss(Choice):
    """A loss; ``classes_only`` says that it does not accept numbers as targets."""

    classes_only: bool = False


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


LOSSES: Table[Loss] = Table(
    "loss",
    Loss(
        "auto", lambda: by_task,
        "cross_entropy where the targets are classes, mse where they are numbers.",
        "the task of the data",
    ),
    Loss(
        "cross_entropy", lambda: cross_entropy,
        "Minus the log of the probability given to the right class.",
        "Bridle 1990", classes_only=True,
        aliases=("categorical_crossentropy", "sparse_categorical_crossentropy", "cross_entropy_loss", "softmax_cross_entropy"),
    ),
    Loss(
        "mse", lambda: mse,
        "The squared distance to the target, averaged over outputs; classes become one-hot.",
        "Legendre 1805",
        aliases=("mse_loss", "mean_squared_error", "l2"),
    ),
)  # fmt: skip
