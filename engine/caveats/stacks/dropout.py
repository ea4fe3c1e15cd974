"""The dropout masks of a stack: each member draws from a generator of its own, as it does alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["Dropouts"]


class Dropouts:
    """Draws the masks of members with dropout; without any, there are none to draw.

    On the CPU a member gets the very masks of its single run. On a GPU torch's dropout draws in
    another way, so the masks there have the same share but other places.
    """

    def __init__(
        self, shares: Sequence[float], seeds: Sequence[int], widths: Sequence[int],
        device: torch.device,
    ) -> None:  # fmt: skip
        self._shares, self._widths, self._device = list(shares), list(widths), device
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        self.before = [g.get_state() for g in self._generators] if any(shares) else []

    def draw(self, rows: int) -> list[Tensor] | None:
        """One mask (E, units, rows) for each hidden layer, 0 or 1/(1 - share); None without any
        dropout. `before` keeps the generators' states of this moment."""
        if not any(self._shares):
            return None
        self.before = [generator.get_state() for generator in self._generators]
        masks = [
            torch.ones(len(self._shares), rows, width, device=self._device)
            for width in self._widths
        ]
        for member, (share, generator) in enumerate(
            zip(self._shares, self._generators, strict=True)
        ):
            if share:
                for mask in masks:
                    mask[member].bernoulli_(1 - share, generator=generator).div_(1 - share)
        return [mask.mT for mask in masks]

    def load(self, state: Tensor) -> None:
        """Go on from the generator's ``state`` of a single run, with every member."""
        for generator in self._generators:
            generator.set_state(state)

    def keep(self, members: Sequence[int]) -> None:
        self._shares = [self._shares[i] for i in members]
        self._generators = [self._generators[i] for i in members]
