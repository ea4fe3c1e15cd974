"""Decides at which steps a run is measured; it reads time that it is told, never a clock.

A fixed cadence measures every N-th step. The automatic one measures each of the first steps, where
most happens, then steps that grow apart by a sixth, so that short runs have a curve too, and
beyond that as often as a share of the training time pays for, at most a few times a second.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Cadence"]

FIRST_STEPS = 10
GROWTH = 7 / 6
BUDGET = 0.025  # of the training time; listening takes up to 2 % more: both stay below 5 %
SHORTEST = 0.25  # seconds between two records beyond the first steps


class Cadence:
    """``every`` is a number of steps, None for automatic."""

    def __init__(self, every: int | None = None) -> None:
        self.every = every
        self._spent = 0.0  # seconds of measuring so far
        self._cost = 0.0  # seconds of one record, the newest weighing a third
        self._last = 0.0
        self._newest = 0.0  # the step measured last

    def due(self, step: int, seconds: float) -> bool:
        """Whether ``step`` is to be measured, ``seconds`` of training after the start."""
        if self.every is not None:
            return step % self.every == 0
        if step <= FIRST_STEPS:
            return True
        if step >= max(self._newest, FIRST_STEPS) * GROWTH:
            return True
        if seconds - self._last < SHORTEST:
            return False
        return self._spent + self._cost <= BUDGET * seconds

    def affords(self, cost: float, seconds: float) -> bool:
        """Whether an extra of ``cost`` seconds would stay within the budget."""
        return self._spent + cost <= BUDGET * seconds

    def measured(self, step: int, seconds: float, cost: float) -> None:
        """Account for a record at ``step`` that took ``cost`` seconds."""
        self._spent += cost
        self._cost = cost if not self._cost else self._cost + (cost - self._cost) / 3
        self._last = seconds
        self._newest = float(step)

    def state(self) -> dict[str, float]:
        """What `load` needs to go on where this one stands."""
        return {
            "spent": self._spent,
            "cost": self._cost,
            "last": self._last,
            "newest": self._newest,
        }

    def load(self, state: Mapping[str, float]) -> None:
        self._spent, self._cost = state["spent"], state["cost"]
        self._last, self._newest = state["last"], state["newest"]
