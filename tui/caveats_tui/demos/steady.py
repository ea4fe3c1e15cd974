"""The cadence of demos: a record with all its measures every N steps, and several readings of the
sharpness even in a short run."""

from __future__ import annotations

__all__ = ["READ_EVERY", "Steady"]

READ_EVERY = 10  # records between two readings of the sharpness


class Steady:
    """A record with the deep measures every ``every`` steps, and a reading of the sharpness at
    every tenth record."""

    def __init__(self, every: int) -> None:
        self._every = every

    def due(self, step: int, planned: int) -> bool:
        return step % self._every == 0

    def deep(self, step: int) -> bool:
        return step % self._every == 0

    def reads(self, step: int) -> bool:
        return step % (READ_EVERY * self._every) == 0
