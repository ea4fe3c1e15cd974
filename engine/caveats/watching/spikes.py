"""Finds a loss that jumps far above the losses before it."""

from __future__ import annotations

import math
from collections import deque

__all__ = ["Spikes"]

WINDOW = 100  # losses
FEWEST = 50  # losses before which nothing is said
# Healthy runs of a public monitor were seen up to 4.5 (SCIENCE: a robust z-score).
LIMIT = 8.0
AFRESH = 10  # steps after which the limit is computed again


class Spikes:
    """Take each loss in turn. The score of a loss is .6745 (x − median)/MAD of the log losses of
    the last hundred steps; of the loss itself, where some are not positive."""

    def __init__(self) -> None:
        self._losses: deque[float] = deque(maxlen=WINDOW)
        self._limit = math.inf
        self._middle, self._spread = 0.0, 1.0
        self._wait = FEWEST
        self._above = 0  # losses in a row that were high
        self._log = True

    def add(self, loss: float) -> float | None:
        """The score of ``loss`` if a spike begins with it, else None. Losses that stay high are one
        spike, and after ten steps the new level. Until then a spike stays out of the losses that
        later ones are compared with."""
        if not math.isfinite(loss):
            return None
        high = loss > self._limit
        self._above = self._above + 1 if high else 0
        if high and self._above <= AFRESH:
            self._wait = min(self._wait, 1)
            return self.score(loss) if self._above == 1 else None
        self._losses.append(loss)
        self._wait -= 1
        if self._wait <= 0 and len(self._losses) >= FEWEST:
            self._measure()
            self._wait = AFRESH
        return None

    def score(self, loss: float) -> float:
        return 0.6745 * (self._scale(loss) - self._middle) / self._spread

    def _scale(self, loss: float) -> float:
        return math.log(loss) if self._log else loss

    def _measure(self) -> None:
        self._log = min(self._losses) > 0
        values = sorted(map(self._scale, self._losses))
        self._middle = values[len(values) // 2]
        away = sorted(abs(v - self._middle) for v in values)
        # A loss that hardly moves would make every ripple a spike: at least a tenth in log.
        least = 0.01 if self._log else 0.01 * abs(self._middle) + 1e-12
        self._spread = max(away[len(away) // 2], least)
        limit = self._middle + LIMIT / 0.6745 * self._spread
        self._limit = (math.exp(limit) if limit < 700 else math.inf) if self._log else limit
