"""The loss of each member of a stack."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

__all__ = ["Losses", "losses_of"]

Losses = Callable[[Tensor, Tensor], Tensor]


def losses_of(name: str) -> Losses:
    """The loss ``name`` of each member: output (E, outputs, rows), y (E, ..., rows) -> (E,)."""

    def cross_entropy(output: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(output, y, reduction="none").mean(1)

    def mse(output: Tensor, y: Tensor) -> Tensor:
        if not y.is_floating_point():
            y = functional.one_hot(y, output.shape[1]).to(output.dtype).mT
        return (output - y).square().mean((1, 2))

    def by_task(output: Tensor, y: Tensor) -> Tensor:
        return mse(output, y) if y.is_floating_point() else cross_entropy(output, y)

    return {"auto": by_task, "cross_entropy": cross_entropy, "mse": mse}[name]
