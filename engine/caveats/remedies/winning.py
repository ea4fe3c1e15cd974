"""Which of the changes that were tried wins: one rule for every race of remedies.

The smallest change wins among those that learnt three quarters of what can be learnt; where none
did, among those that learnt nearly as much as the best. Single changes keep half of the places in
every round of a race.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

__all__ = ["CLEARLY", "ENOUGH", "Tried", "halved", "ranked", "smallest", "survivors", "wins"]

ENOUGH = 0.75  # of what can be learnt: a smaller change that gets there wins
NEARLY = 0.8  # of what the best learnt, where none gets there
CLEARLY = 0.1  # as much more of what can be learnt is better


class Tried(Protocol):
    """A change of config that was tried, and the share of what can be learnt above a constant that
    was learnt with it (`caveats.verdicts.learnt`), minus infinity if it diverged."""

    @property
    def change(self) -> Mapping[str, Any]: ...

    @property
    def learnt(self) -> float: ...


T = TypeVar("T", bound=Tried)


def wins(tried: Tried, control: Tried) -> bool:
    """Whether a change is clearly better than ``control``, which goes on unchanged."""
    return tried.learnt >= max(control.learnt, 0.0) + CLEARLY


def smallest(tried: Sequence[T]) -> T:
    """The change of fewest settings among those that learnt enough, or nearly as much as the best;
    of several the first."""
    best = max(t.learnt for t in tried)
    least = min(ENOUGH, best - (1 - NEARLY) * abs(best))
    near = [t for t in tried if t.learnt >= least]
    return min(near, key=lambda t: len(t.change))


def ranked(tried: Sequence[T]) -> list[T]:
    """The `smallest`, then that of the rest, and so on."""
    left, placed = list(tried), []
    while left:
        chosen = smallest(left)
        left.remove(chosen)
        placed.append(chosen)
    return placed


def survivors(tried: Sequence[T], places: int) -> list[T]:
    """The ones that learnt most, in their order; half of the places are kept for single changes."""
    best = sorted(range(len(tried)), key=lambda i: -tried[i].learnt)
    singles = [i for i in best if len(tried[i].change) == 1][: places // 2]
    others = [i for i in best if i not in singles]
    return [tried[i] for i in sorted(singles + others[: places - len(singles)])]


def halved(tried: Sequence[T], fewest: int = 1) -> list[T]:
    """The `survivors` of a round: the better half, and never fewer than ``fewest``."""
    return survivors(tried, max(fewest, math.ceil(len(tried) / 2)))
