"""The losses: what a run minimises, per row, and for which targets. It knows no network."""

from __future__ import annotations

from dataclasses import dataclass

from caveats.choices.base import Choice, Table

__all__ = ["LOSSES", "Loss"]


@dataclass(frozen=True, slots=True)
class Loss(Choice):
    """A loss; ``classes_only`` where numbers as targets make no sense for it."""

    classes_only: bool = False


LOSSES: Table[Loss] = Table(
    "loss",
    Loss(
        "auto", "caveats.losses:by_task",
        "cross_entropy where the targets are classes, mse where they are numbers.",
        "the task of the data",
    ),
    Loss(
        "cross_entropy", "caveats.losses:cross_entropy",
        "Minus the log of the probability given to the right class.",
        "Bridle 1990", classes_only=True,
    ),
    Loss(
        "mse", "caveats.losses:mse",
        "The squared distance to the target, averaged over outputs; classes become one-hot.",
        "Legendre 1805",
    ),
)  # fmt: skip
