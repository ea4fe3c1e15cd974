"""Replaces functions of torch by ones that come to us first, and puts them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["Patches", "closure_of", "of_a_module"]


class Patches:
    """What was replaced, until `undo`."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def around(self, owner: Any, name: str, around: Callable[..., Any]) -> None:
        """Replace a function by one that calls ``around`` with it first."""
        before = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            return around(before, *args, **kwargs)

        self.replace(owner, name, watched)

    def replace(self, owner: Any, name: str, watched: Any) -> None:
        before = getattr(owner, name)
        watched.__name__, watched.__doc__ = name, getattr(before, "__doc__", None)
        watched.__wrapped__ = before
        setattr(owner, name, watched)

        def undo() -> None:
            if getattr(owner, name) is watched:  # else somebody has wrapped it since
                setattr(owner, name, before)

        self._undo.append(undo)

    def undo(self) -> None:
        for undo in reversed(self._undo):
            undo()
        self._undo = []


def of_a_module(function: Any) -> bool:
    """Whether it is a method of a module, as `nn.Module.compile` passes it on, or of an optimizer,
    as in torch.compile(optimizer.step)."""
    return isinstance(getattr(function, "__self__", None), torch.nn.Module | torch.optim.Optimizer)


def closure_of(args: Any, kwargs: Any) -> bool:
    """Whether the optimizer was called with a function that computes the loss."""
    return callable(args[1] if len(args) > 1 else kwargs.get("closure"))
