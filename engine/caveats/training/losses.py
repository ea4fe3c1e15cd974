"""The losses that a run can minimise: functions of a network's output, each the mean over the rows
of a batch. A row's loss does not depend on the other rows; the probe relies on that.

Every loss takes ``reduction`` as torch's own do: "mean" gives a scalar, "none" the loss of each row
(rows,) or of each row and output (rows, outputs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats.choice import Choice, Table, later

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import functional
else:
    functional, torch = later("torch.nn.functional"), later("torch")

__all__ = ["LOSSES", "Loss", "cross_entropy", "mse", "of_task", "output_units", "targets_like"]


@dataclass(frozen=True, slots=True)
class Loss(Choice):
    """A loss; ``classes_only`` says that it does not accept numbers as targets, ``shares_only``
    that numbers must lie between 0 and 1. ``on_probabilities`` returns the loss that takes its
    place if the network answers with probabilities."""

    classes_only: bool = False
    shares_only: bool = False
    on_probabilities: Callable[[], Callable[..., Tensor]] | None = None


def targets_like(output: Tensor, target: Tensor) -> Tensor:
    """Targets as numbers (rows, outputs): classes (rows,) become one-hot, or, for a single output,
    0 and 1."""
    if target.is_floating_point():
        return target
    if output.shape[1] == 1:
        return target[:, None].to(output.dtype)
    return functional.one_hot(target, output.shape[1]).to(output.dtype)


def cross_entropy(output: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """output (rows, classes), target (rows,) of int64."""
    return functional.cross_entropy(output, target, reduction=reduction)


def bce(output: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Binary cross-entropy on logits, as torch's BCEWithLogitsLoss: output (rows, outputs), target
    (rows, outputs) from 0 to 1, or classes (rows,)."""
    found: Tensor = functional.binary_cross_entropy_with_logits(
        output, targets_like(output, target), reduction=reduction
    )
    return found


def bce_on_probabilities(output: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Binary cross-entropy on probabilities, as torch's BCELoss, whose logarithms end at -100. NaN
    for an output that is NaN, where torch raises an error."""
    known = output.nan_to_num(nan=0.5)
    found: Tensor = functional.binary_cross_entropy(
        known, targets_like(output, target), reduction=reduction
    )
    return found + 0 * (output - known.detach()).sum()


def mse(output: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """output (rows, targets), target (rows, targets) or classes (rows,).

    The mean over rows and outputs, as torch.nn.functional.mse_loss.
    """
    return functional.mse_loss(output, targets_like(output, target), reduction=reduction)


def l1(output: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """As `mse`, with the distance instead of its square."""
    return functional.l1_loss(output, targets_like(output, target), reduction=reduction)


def huber(output: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """As torch.nn.functional.huber_loss with delta 1: half the squared distance up to 1, then the
    distance less ½."""
    return functional.huber_loss(output, targets_like(output, target), reduction=reduction)


def by_task(output: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """cross_entropy for classes, mse for numbers."""
    chosen = mse if target.is_floating_point() else cross_entropy
    return chosen(output, target, reduction)


def of_task(loss: str, classes: int | None) -> str:
    """The name of a loss, with "auto" replaced by the loss that it stands for."""
    if loss != "auto":
        return loss
    return "mse" if classes is None else "cross_entropy"


def output_units(loss: str, classes: int | None, outputs: int) -> int:
    """The units of the output layer for data that need ``outputs`` (one for each class or target):
    bce tells two classes apart by a single unit."""
    return 1 if loss == "bce" and classes == 2 else outputs


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
        aliases=(
            "categorical_crossentropy", "sparse_categorical_crossentropy", "cross_entropy_loss",
            "softmax_cross_entropy",
        ),
    ),
    Loss(
        "bce", lambda: bce,
        "Binary cross-entropy, each output a yes or no of its own; two classes share one output.",
        "Bishop 1995, section 6.7", shares_only=True,
        on_probabilities=lambda: bce_on_probabilities,
        aliases=(
            "bce_loss", "bce_with_logits", "bce_with_logits_loss", "binary_cross_entropy",
            "binary_crossentropy", "binary_cross_entropy_with_logits",
        ),
    ),
    Loss(
        "mse", lambda: mse,
        "The squared distance to the target, averaged over outputs; classes become one-hot.",
        "Legendre 1805",
        aliases=("mse_loss", "mean_squared_error", "l2"),
    ),
    Loss(
        "l1", lambda: l1,
        "The distance to the target: outliers count less than under mse; its steps never shrink.",
        "Laplace 1774",
        aliases=("l1_loss", "mae", "mean_absolute_error"),
    ),
    Loss(
        "huber", lambda: huber,
        "As mse for distances up to 1, as l1 beyond: outliers count less, and steps shrink.",
        "Huber 1964",
        aliases=("huber_loss", "smooth_l1", "smooth_l1_loss"),
    ),
)  # fmt: skip
