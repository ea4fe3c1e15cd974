"""Decides which steps are sampled, so that watching takes no more than its share of the time.

A sampled step is compared with the steps around it that were not: what it took longer is what
watching cost. The median of a few such costs counts, so that one during which other programs had
the processor does not use the budget up. For the same reason only the time counts in which this
process ran: where it has half of a processor, samples get their share of that half.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from caveats.measuring.cadence import FIRST_STEPS, Cadence, cadence_of

__all__ = ["BUDGET", "Budget"]

BUDGET = 0.02
CREDIT = 1.0  # seconds whose share may be spent before they have passed
SAMPLES = 5  # whose median cost counts
LEAST = 0.25  # of the share that samples may take, where steps are so short that others take it all
AGAIN = 3  # times the step of the newest sample: then there is another, whatever it costs
FAR = 250  # steps ahead in which the next one that is due is looked for
PLAIN = 32  # steps without a sample that a sampled one is compared with


class Budget:
    """``share`` is the part of the time that watching may take after the first ten steps, which
    are all sampled. With ``every``, every so many steps are sampled, whatever they cost.
    ``overhead`` is the share that watching has taken since those first steps. ``processor`` is the
    time for which this process ran; without it, that is all of the ``clock``."""

    def __init__(
        self,
        every: int | None = None,
        share: float = BUDGET,
        *,
        clock: Callable[[], float],
        processor: Callable[[], float] | None = None,
    ) -> None:
        self.share = share
        self._every = every
        self._cadence: Cadence = cadence_of(every)
        self._processor = processor or clock
        self._last, self._ran = clock(), self._processor()
        self._elapsed = 0.0  # since the first steps
        self._plain: deque[float] = deque(maxlen=PLAIN)
        self._spent = 0.0
        self._sampling = 0.0  # the part of it that samples took
        self._costs: deque[float] = deque(maxlen=SAMPLES)
        self._overdue = False
        self._newest = FIRST_STEPS  # step with a sample
        self._next = 0  # no step before it is due
        self._steps = 0

    @property
    def dear(self) -> bool:
        """Whether steps without a sample take more than a quarter of the share."""
        plain = self._spent - self._sampling
        return plain > self.share / 4 * self._elapsed

    def free(self, step: int, most: int) -> int:
        """How many steps after ``step``, at most ``most``, have no sample whatever has been
        spent."""
        if self._next <= step:
            ahead = range(step + 1, step + FAR)
            self._next = next((k for k in ahead if self._cadence.due(k, 0)), step + FAR)
        return min(most, self._next - step - 1)

    @property
    def overhead(self) -> float:
        """NaN in the first second: a few steps say nothing about it."""
        return self._spent / self._elapsed if self._elapsed >= 1.0 else math.nan

    def due(self, step: int) -> bool:
        """Whether the step that leads to ``step`` is sampled."""
        wanted = self._cadence.due(step, 0) or self._overdue
        if not wanted or self._every is not None or step <= FIRST_STEPS:
            return wanted
        allowed = self.share * (self._elapsed + CREDIT)
        left = max(allowed - (self._spent - self._sampling), LEAST * allowed)
        afford = self._sampling + middle(self._costs) <= left or step >= AGAIN * self._newest
        self._overdue = not afford
        if afford:
            self._newest = step
        return afford

    def passed(self, sampled: bool, inside: float, now: float, steps: int = 1) -> None:
        """So many ``steps`` have been made by ``now``; ``inside`` is how many seconds the
        instruments took themselves, which counts where there is no other step to compare with."""
        since, self._last = now - self._last, now
        before, self._ran = self._ran, self._processor()
        took = since / steps
        self._steps += steps
        if self._steps <= FIRST_STEPS + 1:
            self._costs.append(inside)
            return
        self._elapsed += min(since, self._ran - before)
        if not sampled:
            self._plain.append(took)
            self._spent += inside
            return
        usual = middle(self._plain) if self._plain else took
        self._costs.append(max(inside, took - usual))
        self._spent += middle(self._costs)
        self._sampling += middle(self._costs)


def middle(values: deque[float]) -> float:
    return sorted(values)[len(values) // 2]
