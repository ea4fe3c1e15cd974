"""Finds a loss that jumps far above the losses before it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

__all__ = ["Spikes"]

WINDOW = 100  # losses
FEWEST = 50  # losses before which nothing is said
# Healthy runs of a public monitor were seen up to 4.5 (SCIENCE: a robust z-score).
LIMIT = 8.0
NEAR = 4.0  # deviations above the median, about: a loss that the newest limit is needed for
AFRESH = 10  # losses after which the limit is computed again for such a loss
RARELY = 40  # and for any other


class Spikes:
    """Take each loss in turn. The score of a loss is .6745 (x − median)/MAD of the log losses of
    the last hundred steps; of the loss itself, where some are not positive."""

    def __init__(self) -> None:
        self._losses: deque[float] = deque(maxlen=WINDOW)
        self._limit = self._near = math.inf
        self._middle, self._spread = 0.0, 1.0
        self._since = RARELY - FEWEST  # losses since the limit was computed
        self._above = 0  # losses in a row that were high
        self._log = True

    def add(self, loss: float) -> float | None:
        """The score of ``loss`` if a spike begins with it, else None. Losses that stay high are one
        spike, and after ten steps the new level. Until then a spike stays out of the losses that
        later ones are compared with."""
        if loss > self._near and AFRESH <= self._since < RARELY:
            self._measure()
        if loss > self._limit:
            if math.isinf(loss):
                return None
            self._above += 1
            if self._above <= AFRESH:
                self._since = RARELY
                return self.score(loss) if self._above == 1 else None
        elif math.isfinite(loss):
            self._above = 0
        else:
            return None
        self._losses.append(loss)
        self._since += 1
        if self._since >= RARELY:
            self._measure()
        return None

    def add_all(self, losses: Sequence[float]) -> Iterator[tuple[int, float]]:
        """As `add` of each in turn: where in ``losses`` a spike begins, and its score."""
        at = 0
        while at < len(losses):
            part = losses[at : at + max(1, RARELY - self._since)]
            if math.isfinite(sum(part)) and max(part) <= self._near and self._since < RARELY:
                self._above = 0
                self._losses.extend(part)
                self._since += len(part)
                if self._since >= RARELY:
                    self._measure()
            else:
                for index, loss in enumerate(part, at):
                    score = self.add(loss)
                    if score is not None:
                        yield index, score
            at += len(part)

    def score(self, loss: float) -> float:
        return 0.6745 * (self._scale(loss) - self._middle) / self._spread

    def _scale(self, loss: float) -> float:
        return math.log(loss) if self._log else loss

    def _measure(self) -> None:
        self._since = 0
        values = np.sort(np.fromiter(self._losses, np.float64, len(self._losses)))
        self._log = bool(values[0] > 0)
        if self._log:
            values = np.log(values)
        self._middle = float(values[len(values) // 2])
        away = np.sort(np.abs(values - self._middle))
        # A loss that hardly moves would make every ripple a spike: at least a tenth in log.
        least = 0.01 if self._log else 0.01 * abs(self._middle) + 1e-12
        self._spread = max(float(away[len(away) // 2]), least)
        self._limit, self._near = self._above_by(LIMIT), self._above_by(NEAR)

    def _above_by(self, score: float) -> float:
        """The loss that has this score."""
        level = self._middle + score / 0.6745 * self._spread
        return (math.exp(level) if level < 700 else math.inf) if self._log else level
