"""A bounded series of records: the one thing that screens and verdicts read.

It knows columns and steps, not how they were measured nor who looks. One thread writes, any
number read, without locks: rows below ``count`` never change, and the one assignment that
publishes a new block is atomic, so a reader always sees whole rows and the writer never waits.

When it is full, half of the older half goes, so that what stays is even over its steps; the first
records stay, those that hold an extreme of some column, and the first whose loss is not finite.
The newest half stays whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caveats.facts import RunFacts
from caveats.measures import LAYER_MEASURES, SCALARS

__all__ = ["Event", "History", "Snapshot"]

Floats = NDArray[np.float64]
States = tuple[NDArray[np.uint8], ...]

CAPACITY = 2000
FIRST = 32  # records that are never thinned: most happens in the first steps
# Of numbers and of states each, whatever the depth and the width of the network.
RECORD_BYTES = 64 * 2**20

_SCALAR = {name: column for column, name in enumerate(SCALARS)}
_LAYER = {name: column for column, name in enumerate(LAYER_MEASURES)}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a step: a change while running, a divergence, a failure."""

    step: int
    kind: str
    text: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An unchanging view of a history; arrays are read-only views, not copies.

    ``steps`` is (records,), a scalar is (records,), a layer measure (records, layers).
    """

    steps: NDArray[np.int64]
    table: Floats  # (records, scalars)
    cube: Floats  # (records, measures, layers)
    states: tuple[States, ...]
    events: tuple[Event, ...]

    def __len__(self) -> int:
        return len(self.steps)

    def scalar(self, name: str) -> Floats:
        """One scalar over the records, (records,)."""
        return self.table[:, _SCALAR[name]]

    def layers(self, name: str) -> Floats:
        """One layer measure over the records, (records, layers)."""
        return self.cube[:, _LAYER[name]]


class _Block:
    """Preallocated columns for ``capacity`` records, and how many are filled."""

    def __init__(self, capacity: int, layers: int) -> None:
        self.steps = np.zeros(capacity, np.int64)
        self.table = np.full((capacity, len(SCALARS)), np.nan)
        self.cube = np.full((capacity, len(LAYER_MEASURES), layers), np.nan)
        self.states: list[States] = []
        self.count = 0

    @property
    def capacity(self) -> int:
        return len(self.steps)


class History:
    """The records of one run, at most ``capacity`` of them.

    ``layers`` are the layers' names, first to last, the output layer included. ``facts`` is
    replaced whole when the run's config changes.
    """

    def __init__(
        self, layers: tuple[str, ...], capacity: int = CAPACITY, facts: RunFacts | None = None
    ) -> None:
        if capacity < 8:
            raise ValueError(f"a history needs room for 8 records, not {capacity}")
        self.layers = layers
        self.facts = facts or RunFacts()
        self._capacity = capacity
        self._block = _Block(min(64, self._most(())), len(layers))
        self._events: tuple[Event, ...] = ()

    def __len__(self) -> int:
        return self._block.count

    @property
    def version(self) -> tuple[int, int]:
        """Changes whenever there is something new to read: the newest step and the events."""
        block = self._block
        newest = int(block.steps[block.count - 1]) if block.count else -1
        return newest, len(self._events)

    def append(
        self,
        step: int,
        scalars: Mapping[str, float],
        layers: Mapping[str, Floats],
        states: States = (),
    ) -> None:
        """Add a record; a second one for the newest step replaces nothing and is dropped."""
        block = self._block
        if block.count and block.steps[block.count - 1] >= step:
            return
        most = self._most(states)
        if block.count >= min(block.capacity, most):
            block = self._make_room(block, most)
        row = block.count
        block.steps[row] = step
        for name, value in scalars.items():
            block.table[row, _SCALAR[name]] = value
        for name, values in layers.items():
            block.cube[row, _LAYER[name]] = values
        if row and same(block.states[row - 1], states):
            states = block.states[row - 1]  # most records repeat the states before them
        block.states.append(states)
        block.count = row + 1  # publishes the row: readers look below count only
        self._block = block

    def note(self, event: Event) -> None:
        """Add an event; events are few and are all kept."""
        self._events = (*self._events, event)

    def snapshot(self) -> Snapshot:
        block = self._block
        count = block.count
        steps, table, cube = block.steps[:count], block.table[:count], block.cube[:count]
        for view in (steps, table, cube):
            view.flags.writeable = False
        return Snapshot(steps, table, cube, tuple(block.states[:count]), self._events)

    def _most(self, states: States) -> int:
        """How many records there is room for, if all are as large as this one; at least 8."""
        numbers = 8 * len(LAYER_MEASURES) * len(self.layers)
        largest = max(1, numbers, sum(len(state) for state in states))
        return min(self._capacity, max(8, RECORD_BYTES // largest))

    def _make_room(self, full: _Block, most: int) -> _Block:
        if full.capacity < most:
            keep = np.arange(full.count)
            block = _Block(min(most, 2 * full.capacity), len(self.layers))
        else:
            keep = thinned(full)
            block = _Block(full.capacity, len(self.layers))
        count = len(keep)
        block.steps[:count] = full.steps[keep]
        block.table[:count] = full.table[keep]
        block.cube[:count] = full.cube[keep]
        block.states = [full.states[i] for i in keep]
        block.count = count
        return block


def same(before: States, after: States) -> bool:
    return len(before) == len(after) and all(map(np.array_equal, before, after))


def thinned(block: _Block) -> NDArray[np.int64]:
    """Which records stay: the newest half, of the older half its first ones, its extremes and so
    many that stand evenly over its steps. Every second of them would not do: thinned again and
    again, a long run would lose all but its newest tenth."""
    count, half = block.count, block.count // 2
    special = np.zeros(count, bool)
    special[0] = special[half:] = True
    # One column a scalar and, over layers, the largest and the smallest of each measure.
    with np.errstate(invalid="ignore"):
        highest = np.fmax.reduce(block.cube, axis=2, initial=-np.inf)
        lowest = np.fmin.reduce(block.cube, axis=2, initial=np.inf)
    columns = np.concatenate((block.table, highest, lowest), axis=1)
    finite = np.isfinite(columns)
    special[np.where(finite, columns, -np.inf).argmax(0)] = True
    special[np.where(finite, columns, np.inf).argmin(0)] = True
    broken = np.flatnonzero(~np.isfinite(block.table[:half, _SCALAR["loss"]]))
    special[broken[:1]] = True
    keep = special.copy()
    keep[: min(FIRST, half // 4)] = True
    steps = block.steps[:half]
    keep[np.searchsorted(steps, np.linspace(steps[0], steps[-1], half // 2))] = True
    if keep.all():  # only a tiny history: one has to go, rather one that is nothing special
        keep[np.argmin(special) or 1] = False
    return np.flatnonzero(keep)
