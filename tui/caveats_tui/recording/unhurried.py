"""Makes a run look at no clock: it measures the same things at the same steps on any machine. It
needs torch and knows no session.
"""

from __future__ import annotations

import math
from typing import Any

from caveats.measuring.cadence import Cadence
from caveats.measuring.probe import Probe
from caveats.measuring.readings import Sampler
from caveats.run import Run

__all__ = ["READ_EVERY", "unhurried"]

READ_EVERY = 10  # records between two readings of sharpness and noise


class Steady(Cadence):
    """A cadence that looks at no clock: every N-th step, each record with all its measures."""

    def affords(self, cost: float, seconds: float) -> bool:
        return True


class Untimed(Sampler):
    """Takes readings at fixed records, whatever they take. Verdicts hang on them: taken where the
    machine has time for them, a demo would tell one thing on this machine and another on that."""

    def __init__(self, probe: Probe) -> None:
        super().__init__(probe)
        self._asked = 0
        self.spent = -math.inf  # there is always more time than they take

    def cost(self, probing: float) -> float:
        self._asked += 1
        return 0.0 if self._asked % READ_EVERY == 0 else math.nan  # which no budget has room for

    def read(self, optimizer: Any, seconds: float) -> dict[str, float]:
        return super().read(optimizer, math.inf)


def unhurried(run: Run, every: int) -> None:
    """Have a run that has made no step measure the same things at the same steps on any machine."""
    run._cadence = Steady(every)
    run._sampler = Untimed(run.probe)
