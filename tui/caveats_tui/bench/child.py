"""The command that a watching screen has started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Child"]


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
