"""Finds, in a packed sequence, rows of one length: they can be computed again as an even minibatch.

torch packs sequences of unlike lengths by steps of time: the first step of all sequences, longest
first, then the second of those that have one, and so on (`torch.nn.utils.rnn.PackedSequence`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Call", "EvenRows", "call_of"]


@dataclass(frozen=True, slots=True)
class EvenRows:
    """Sequences of one length. ``rows`` are their places in the minibatch, ``places`` (steps, rows)
    those of their steps in the packed data."""

    rows: slice
    places: Tensor

    @classmethod
    def of(cls, batch_sizes: Tensor) -> EvenRows:
        """The length whose sequences have the most steps together. ``batch_sizes`` says how many
        sequences have a first, a second, a third step."""
        ends = torch.cat([batch_sizes[1:], batch_sizes.new_zeros(1)])
        lengths = torch.arange(1, len(batch_sizes) + 1)
        at = int(((batch_sizes - ends) * lengths).argmax())
        rows = slice(int(ends[at]), int(batch_sizes[at]))
        begins = (batch_sizes.cumsum(0) - batch_sizes)[: at + 1]
        return cls(rows, begins[:, None] + torch.arange(rows.start, rows.stop))

    def of_outputs(self, packed: Tensor) -> Tensor:
        """(positions, units) -> (steps, rows, units)."""
        return packed[self.places.to(packed.device)]


class Call(NamedTuple):
    """The arguments of `torch.lstm`, `gru`, `rnn_tanh` or `rnn_relu` for an even minibatch; ``h``
    is the first state, of an LSTM (h, c)."""

    x: Tensor
    h: Any
    weights: Sequence[Tensor]
    biased: bool
    levels: int
    dropout: float
    training: bool
    both_ways: bool
    batch_first: bool

    @property
    def directions(self) -> int:
        return 2 if self.both_ways else 1

    @property
    def each(self) -> int:
        """How many weights and biases a level of one direction has: 2 or 4; more with a
        projection."""
        return len(self.weights) // (self.levels * self.directions)


def call_of(args: Sequence[Any]) -> tuple[Call, EvenRows | None] | None:
    """The call that these positional arguments make; of a packed sequence, the call for its even
    rows. None for anything else."""
    if len(args) != 9:
        return None
    if isinstance(args[2], (list, tuple)) and isinstance(args[3], bool):
        return Call(*args), None
    data, sizes, h, weights, *others = args
    if not isinstance(sizes, Tensor) or sizes.ndim != 1 or not isinstance(weights, (list, tuple)):
        return None
    even = EvenRows.of(sizes)
    part = h[:, even.rows] if isinstance(h, Tensor) else tuple(s[:, even.rows] for s in h)
    return Call._make((even.of_outputs(data), part, weights, *others, False)), even
