"""A run's records, bounded in number: what screens and verdicts read.

One thread writes and any number of threads read, without locks: rows below ``count`` never change,
and a new block is published by one atomic assignment. So a reader always sees whole rows, and the
writer never waits.

When a history is full, it drops half of its older half, so that the records that stay are evenly
spaced over the steps. Always kept are the newest half, the first records, those that hold an
extreme of some column, and the first one whose loss is not finite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caveats.facts import RunFacts, Trial
from caveats.measures import LAYER_MEASURES, SCALARS

__all__ = ["Event", "History", "Snapshot"]

Floats = NDArray[np.float64]
States = tuple[NDArray[np.uint8], ...]

CAPACITY = 2000
FIRST = 32  # records that are never thinned: most happens in the first steps
# For the numbers and for the states each, at any depth and width of the network.
RECORD_BYTES = 64 * 2**20

_SCALAR = {name: column for column, name in enumerate(SCALARS)}
_LAYER = {name: column for column, name in enumerate(LAYER_MEASURES)}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a step: a change while running, a divergence, a failure, a
    ``trial`` of other steps."""

    step: int
    kind: str
    text: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An unchanging view of a history; arrays are read-only views, not copies.

    ``steps`` is (records,), a scalar is (records,), a layer measure is (records, layers).
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

    def whole(self, start: int = 0) -> NDArray[np.bool_]:
        """Which records from ``start`` on hold measures of their layers, (records - start,). Of
        steps that were not sampled, a watched training has only the loss."""
        cube = self.cube[start:]
        if not cube.shape[2]:
            return np.ones(len(cube), bool)
        missing = np.array(np.isnan(cube[:, _LAYER["weight_norm"]]).all(axis=1), bool)
        rest = np.flatnonzero(missing)
        measured = np.delete(cube[rest], _LAYER["units"], axis=1)  # a folder tells of every step
        missing[rest] = np.isnan(measured).all(axis=(1, 2))
        return ~missing


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
        """Add a record; a second record for the same step is ignored."""
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
        """Add an event; there are few events, so all of them are kept."""
        self._events = (*self._events, event)

    def snapshot(self) -> Snapshot:
        block = self._block
        count = block.count
        steps, table, cube = block.steps[:count], block.table[:count], block.cube[:count]
        for view in (steps, table, cube):
            view.flags.writeable = False
        return Snapshot(steps, table, cube, tuple(block.states[:count]), self._events)

    def _most(self, states: States) -> int:
        """How many records fit, if all are as large as this one; at least 8."""
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
    """The indices of the records that stay: the newest half, and of the older half the first ones,
    the extremes, and others evenly spaced over the steps.

    Keeping every second record instead would not be enough: after many thinnings a long run would
    keep little but its newest tenth.
    """
    count, half = block.count, block.count // 2
    special = np.zeros(count, bool)
    special[0] = special[half:] = True
    # One column for each scalar; for each layer measure, its largest and smallest over the layers.
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
    if keep.all():  # only in a tiny history: one must go, preferably one that is not an extreme
        keep[np.argmin(special) or 1] = False
    return np.flatnonzero(keep)
