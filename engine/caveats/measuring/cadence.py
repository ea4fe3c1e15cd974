"""Decides at which steps a run is measured, from the step and the planned length alone.

It uses no clock: the same config and seed are measured at the same steps on every machine, so the
verdicts are the same too.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["FIRST_STEPS", "GROWTH", "Automatic", "Cadence", "Every", "cadence_of"]

FIRST_STEPS = 10  # each of them is measured: most happens there
GROWTH = 6  # from there on the distance to the next record is a sixth of the step, at most `GAP`
# A record costs as much as two to six training steps, so that one in so many takes 1-2.5 %.
GAP = 250
MOST_RECORDS = 1000  # in a run's planned length: few enough for its history
# The "deep" measures together cost three to five steps, a reading of the sharpness 15 to 22 steps.
# A run of 1,000 steps has one reading, at its end: 1.5-2.2 % of its time.
DEEP = 250, 4000
READINGS = 1000, 8000


class Cadence(Protocol):
    """When to measure. ``planned`` is the number of steps of the run, 0 if unknown. Step 0 and the
    run's last step are always measured, with every measure."""

    def due(self, step: int, planned: int) -> bool:
        """Whether ``step`` gets a record."""
        ...

    def deep(self, step: int) -> bool:
        """Whether the record of ``step`` also has the deep measures."""
        ...

    def reads(self, step: int) -> bool:
        """Whether the record of ``step`` also has a reading of the sharpness."""
        ...


class Every:
    """A record every ``every`` steps. The costly measures are in the first record at or after each
    step at which `Automatic` takes them."""

    def __init__(self, every: int) -> None:
        self._every = every

    def due(self, step: int, planned: int) -> bool:
        return step % self._every == 0

    def deep(self, step: int) -> bool:
        return self._first_after(step, *DEEP)

    def reads(self, step: int) -> bool:
        return self._first_after(step, *READINGS)

    def _first_after(self, step: int, first: int, longest: int) -> bool:
        before = passed(step - self._every, first, longest)
        return step % self._every == 0 and passed(step, first, longest) > before


class Automatic(Every):
    """A record at each of the first steps, then at distances of a sixth of the step, then every 250
    steps, or at larger distances if a long run would otherwise have over a thousand records."""

    def __init__(self) -> None:
        super().__init__(1)

    def due(self, step: int, planned: int) -> bool:
        # The costly measures all come at multiples of `GAP`: no other step need ask for them.
        if step % GAP == 0 and (self.deep(step) or self.reads(step)):
            return True
        gap = GAP * max(1, -(-planned // (GAP * MOST_RECORDS)))
        return step in GROWING if step < gap * GROWTH else step % gap == 0


def passed(step: int, first: int, longest: int) -> int:
    """The number of these steps up to ``step``: ``first``, twice that, four times that, … up to
    ``longest``, and then every ``longest`` steps."""
    if step < first:
        return 0
    if step < longest:
        return (step // first).bit_length()
    return (longest // first).bit_length() - 1 + step // longest


def growing(last: int) -> frozenset[int]:
    """The steps with a record up to ``last``, and one more, with distances not limited by `GAP`."""
    steps = list(range(1, FIRST_STEPS + 1))
    while steps[-1] < last:
        steps.append(steps[-1] + -(-steps[-1] // GROWTH))  # rounded up
    return frozenset(steps)


GROWING = growing(2**53)


def cadence_of(every: int | Cadence | None) -> Cadence:
    """The cadence that ``every`` stands for: a number of steps, a cadence, or None (automatic)."""
    if every is None:
        return Automatic()
    return Every(every) if isinstance(every, int) else every
