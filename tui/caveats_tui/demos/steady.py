"""The cadence of demos: every N-th step with all its measures, and readings that a short run has
several of.
"""

from __future__ import annotations

__all__ = ["READ_EVERY", "Steady"]

READ_EVERY = 10  # records between two readings of the sharpness


class Steady:
    """A record with the deep measures every ``every`` steps, a reading with each tenth."""

    def __init__(self, every: int) -> None:
        self._every = every

    def due(self, step: int, planned: int) -> bool:
        return step % self._every == 0

    def deep(self, step: int) -> bool:
        return step % self._every == 0

    def reads(self, step: int) -> bool:
        return step % (READ_EVERY * self._every) == 0
