"""Counts, on the device, for how many training minibatches each unit has not fired.

It listens to every `LISTEN_EVERY`-th training pass, with hooks on the activations. It does not use
the probe set: "silent" is a cheap sign during training that a unit may be dead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from caveats.measuring.recognition import activation_facts
from caveats.models.activations import Activation

__all__ = ["LISTEN_EVERY", "SILENT_BATCHES", "Firing"]

LISTEN_EVERY = 16  # steps; listening to each would cost 26 % (8×64 MLP) or 5 % (256×3)
SILENT_BATCHES = 8  # minibatches listened to in a row without firing


class Firing:
    """The counters of layers with these numbers of ``units``: one int64 tensor, layer after
    layer."""

    def __init__(self, units: Sequence[int], device: torch.device) -> None:
        self._units = list(units)
        self._quiet_for = torch.zeros(sum(units), dtype=torch.int64, device=device)

    @contextmanager
    def listening(self, activations: Sequence[nn.Module]) -> Iterator[bool]:
        """Count in the one pass inside this context. ``activations`` are those of the first layers;
        a unit that cannot be flat, or has no activation, counts as firing."""
        flat: dict[int, Tensor] = {}
        handles = [
            module.register_forward_pre_hook(partial(note, flat, index, facts))
            for index, module in enumerate(activations)
            if (facts := activation_facts(module)) is not None and facts.can_die
        ]
        try:
            yield True
        finally:
            for handle in handles:
                handle.remove()
        self._count(flat)

    def _count(self, flat: dict[int, Tensor]) -> None:
        if not flat:
            self._quiet_for.zero_()
            return
        device = self._quiet_for.device
        quiet = [
            flat[i] if i in flat else torch.zeros(n, dtype=torch.bool, device=device)
            for i, n in enumerate(self._units)
        ]
        self._quiet_for = (self._quiet_for + 1) * torch.cat(quiet)

    def silent(self) -> list[Tensor]:
        """For each layer, which units have not fired for long enough to count as silent, (units,)
        bool."""
        return list(torch.split(self._quiet_for >= SILENT_BATCHES, self._units))

    def state(self) -> Tensor:
        """The counters, int64, unit after unit."""
        return self._quiet_for.clone()

    def load(self, quiet_for: Tensor) -> None:
        self._quiet_for = quiet_for.to(self._quiet_for.device)


def note(
    flat: dict[int, Tensor], index: int, facts: Activation, module: nn.Module, inputs: Any
) -> None:
    """Note which units have slope 0 on every row of an activation's input, (units,) bool."""
    pre = inputs[0].detach()  # (rows, units)
    low, high = facts.flat
    if high == float("inf"):
        flat[index] = pre.amax(0) <= low
    else:
        flat[index] = ((pre <= low) | (pre >= high)).all(0)
