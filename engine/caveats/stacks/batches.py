"""The minibatches of a stack: every member sees its rows in the order of its own seed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from caveats.data import Dataset

__all__ = ["StackedBatches", "StackedData"]


class StackedData:
    """The data of every member. Equal data are kept once: ``x`` (sets, rows, features), ``y``
    (sets, rows, ...), and ``of`` (E,) says which set a member learns from."""

    def __init__(self, data: Sequence[Dataset], device: torch.device) -> None:
        distinct = list({id(own): own for own in data}.values())
        places = {id(own): place for place, own in enumerate(distinct)}
        self.sets = distinct
        self.x = torch.stack([torch.tensor(own.x) for own in distinct]).to(device)
        self.y = torch.stack([torch.tensor(own.y) for own in distinct]).to(device)
        self.of = torch.tensor([places[id(own)] for own in data], device=device)

    @property
    def rows(self) -> int:
        return self.x.shape[1]

    def all_rows(self, members: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """x (E, rows, features), y (E, rows, ...); a view where all members share their data."""
        of = self.of[members]
        if len(self.sets) == 1:
            count = len(of)
            return self.x.expand(count, *self.x.shape[1:]), self.y.expand(count, *self.y.shape[1:])
        return self.x[of], self.y[of]

    def rows_at(self, rows: Tensor) -> StackedData:
        """The same members with only these rows of each set."""
        part = object.__new__(StackedData)
        part.sets, part.of = self.sets, self.of
        part.x, part.y = self.x[:, rows].contiguous(), self.y[:, rows].contiguous()
        return part

    def keep(self, members: Tensor) -> None:
        self.of = self.of[members]


class StackedBatches:
    """Minibatches in the order in which `caveats.training.trainer.Batches` gives them to each
    member alone. ``size`` 0 means all rows, in their own order."""

    def __init__(self, data: StackedData, size: int, seeds: Sequence[int]) -> None:
        self.data, self.size = data, size
        distinct = list(dict.fromkeys(seeds))
        self._generators = [torch.Generator().manual_seed(seed) for seed in distinct]
        places = {seed: place for place, seed in enumerate(distinct)}
        self._of = torch.tensor([places[seed] for seed in seeds])
        self._orders = torch.empty(0, dtype=torch.int64)
        self._offset = data.rows + 1  # the first batch starts an epoch

    def next(self) -> tuple[Tensor, Tensor]:
        """x (E, size, features), y (E, size, ...)."""
        data = self.data
        if not self.size:
            return data.all_rows()
        if self._offset + self.size > data.rows:
            orders = [torch.randperm(data.rows, generator=g) for g in self._generators]
            self._orders, self._offset = torch.stack(orders), 0
        rows = self._orders[:, self._offset : self._offset + self.size].to(data.x.device)
        self._offset += self.size
        if len(rows) == len(data.sets) == 1:
            x, y = data.x[0, rows[0]], data.y[0, rows[0]]
            count = len(data.of)
            return x.expand(count, *x.shape), y.expand(count, *y.shape)
        rows = rows[self._of.to(rows.device)] + data.rows * data.of[:, None]  # (E, size)
        return data.x.flatten(0, 1)[rows], data.y.flatten(0, 1)[rows]

    def keep(self, members: Tensor) -> None:
        """Go on with these members only; ``data`` is shared, and its owner narrows it."""
        self._of = self._of[members.to(self._of.device)]
