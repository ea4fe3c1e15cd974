"""The command that a watching screen has started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Child", "missing"]

NOT_YET = "waiting for the first step of an optimizer"


@dataclass(frozen=True, slots=True)
class Child:
    """``over()`` is the exit code, None while the command runs; ``stop`` ends it, ``leave`` lets it
    go on without the screen, ``send`` types a text to it, ``why()`` says why nothing was watched.
    ``budget`` is the share of the time that watching may take.
    """

    over: Callable[[], int | None]
    stop: Callable[[], None]
    leave: Callable[[], None]
    send: Callable[[str], None]
    why: Callable[[], str]
    budget: float | None = None


def missing(child: Child | None) -> str:
    """Why there is nothing to show of the command yet."""
    over = child is not None and child.over() is not None
    return (child.why() if child is not None and over else "") or NOT_YET
