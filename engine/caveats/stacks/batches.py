"""The minibatches of a stack: every member sees its rows in the order of its own seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from caveats.data import Dataset

__all__ = ["StackedBatches", "StackedData"]


class StackedData:
    """The data of every member. Equal data are kept once: ``x`` (features, sets, rows), ``y``
    (sets, rows) of classes or (targets, sets, rows) of numbers, and ``of`` (E,) says which set a
    member learns from."""

    def __init__(self, data: Sequence[Dataset], device: torch.device) -> None:
        distinct = list({id(own): own for own in data}.values())
        places = {id(own): place for place, own in enumerate(distinct)}
        self.sets = len(distinct)
        self.x = torch.stack([torch.tensor(own.x.T) for own in distinct], 1).to(device)
        self.y = torch.stack([torch.tensor(own.y.T) for own in distinct], -2).to(device)
        self.of = torch.tensor([places[id(own)] for own in data], device=device)

    @property
    def rows(self) -> int:
        return self.x.shape[2]

    def of_set(self, place: int) -> tuple[Tensor, Tensor]:
        """x (rows, features), y (rows, ...) of one set, as a single network takes them."""
        y = self.y[..., place, :]
        return self.x[:, place].T.contiguous(), y if y.ndim == 1 else y.T.contiguous()

    def all_rows(self, members: slice | Tensor = slice(None)) -> tuple[Tensor, Tensor]:
        """x (E, features, rows), y (E, ..., rows); views where all members share their data."""
        of = self.of[members]
        if self.sets == 1:
            return shared(self.x[:, 0], len(of)), shared(self.y[..., 0, :], len(of))
        return members_first(self.x[:, of]), members_first(self.y[..., of, :])

    def rows_at(self, rows: Tensor) -> StackedData:
        """The same members with only these rows of each set."""
        part = object.__new__(StackedData)
        part.sets, part.of = self.sets, self.of
        part.x, part.y = self.x[..., rows].contiguous(), self.y[..., rows].contiguous()
        return part

    def keep(self, members: Tensor) -> None:
        self.of = self.of[members]


def shared(tensor: Tensor, members: int) -> Tensor:
    return tensor.expand(members, *tensor.shape)


def members_first(tensor: Tensor) -> Tensor:
    """(..., E, rows) -> (E, ..., rows), without a copy."""
    return tensor.movedim(-2, 0)


class StackedBatches:
    """Minibatches in the order in which `caveats.training.trainer.Batches` gives them to each
    member alone. ``size`` 0 means all rows, in their own order."""

    def __init__(self, data: StackedData, size: int, seeds: Sequence[int]) -> None:
        self.data, self.size = data, size
        distinct = list(dict.fromkeys(seeds))
        self._generators = [torch.Generator().manual_seed(seed) for seed in distinct]
        places = {seed: place for place, seed in enumerate(distinct)}
        self._of = torch.tensor([places[seed] for seed in seeds])
        # The order of each member, (E, rows); one order where all share it.
        self._rows = torch.empty(0, dtype=torch.int64)
        self._offset = data.rows + 1  # the first batch starts an epoch

    def next(self) -> tuple[Tensor, Tensor]:
        """x (E, features, size), y (E, ..., size)."""
        data = self.data
        if not self.size:
            return data.all_rows()
        if self._offset + self.size > data.rows:
            self._start_epoch()
        rows = self._rows[:, self._offset : self._offset + self.size]
        self._offset += self.size
        if len(rows) < len(data.of):
            count = len(data.of)
            return shared(data.x[:, 0, rows[0]], count), shared(data.y[..., 0, rows[0]], count)
        return taken(data.x, rows), taken(data.y, rows)

    def _start_epoch(self) -> None:
        data = self.data
        drawn = [torch.randperm(data.rows, generator=g) for g in self._generators]
        orders = torch.stack(drawn).to(data.x.device)
        if not len(orders) == data.sets == 1:
            # Places in all sets in a line: once for all batches of the epoch.
            orders = orders[self._of.to(orders.device)] + data.rows * data.of[:, None]
        self._rows, self._offset = orders, 0

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from the ``state`` of a single run's batches, with every member."""
        generator = torch.Generator()
        generator.set_state(state["epoch"])
        self._generators, self._of = [generator], torch.zeros_like(self._of)
        if self.size:
            self._start_epoch()
        self._offset = state["offset"]

    def keep(self, members: Tensor) -> None:
        """Go on with these members only; ``data`` is shared, and its owner narrows it."""
        self._of = self._of[members.to(self._of.device)]
        if len(self._rows) > 1:
            self._rows = self._rows[members.to(self._rows.device)]


def taken(data: Tensor, rows: Tensor) -> Tensor:
    """data (..., sets, rows) at rows (E, size) of all sets in a line -> (E, ..., size). Selecting
    along the last dimension is twice as fast as copying whole rows and turning them."""
    found = data.flatten(-2).index_select(-1, rows.flatten())
    return members_first(found.view(*data.shape[:-2], *rows.shape))
