"""What the command line asks of recordings. It records nothing, and loads nothing that is slow."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IDLE_LIMIT", "Wish"]

IDLE_LIMIT = 3.0  # seconds that a pause of a person's session lasts at most, unless they say


@dataclass(frozen=True, slots=True)
class Wish:
    """``path`` to record from the first frame on, None for nothing until the person does;
    ``version`` of asciicast, 2 or 3; pauses are cut to ``idle_limit`` seconds; pressed keys are
    shown in a corner where ``show_keys``."""

    path: str | None = None
    version: int = 3
    idle_limit: float = IDLE_LIMIT
    show_keys: bool = False
