"""Counts, on the device, for how many training minibatches each unit has not fired.

It listens to every `LISTEN_EVERY`-th training pass, with hooks on the activations. It does not use
the probe set: "silent" is a cheap sign during training that a unit may be dead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from caveats.measuring.recognition import activation_facts
from caveats.measuring.unit_states import farthest_inside
from caveats.models.activations import Activation

__all__ = ["LISTEN_EVERY", "SILENT_BATCHES", "Firing"]

Ear = Callable[[dict[int, Tensor], nn.Module, Any], None]

LISTEN_EVERY = 16  # steps; listening to each would cost 13 % (8×64 MLP) or 1 % (256×3)
SILENT_BATCHES = 8  # minibatches listened to in a row without firing


class Firing:
    """The counters of layers with these numbers of ``units``: one int64 tensor, layer after
    layer."""

    def __init__(self, units: Sequence[int], device: torch.device) -> None:
        self._units = list(units)
        self._quiet_for = torch.zeros(sum(units), dtype=torch.int64, device=device)
        # Of layers that are not heard: a unit there counts as firing.
        self._unheard = torch.split(torch.ones(sum(units), device=device), self._units)
        self._activations: Sequence[nn.Module] = ()
        self._ears: list[tuple[nn.Module, Ear]] = []

    @contextmanager
    def listening(self, activations: Sequence[nn.Module]) -> Iterator[bool]:
        """Count in the one pass inside this context. ``activations`` are those of the first layers;
        a unit that cannot be flat, or has no activation, counts as firing."""
        if activations != self._activations:
            self._activations = activations
            self._ears = [
                (module, partial(hear, index, facts))
                for index, module in enumerate(activations)
                if (facts := activation_facts(module)) is not None and facts.can_die
            ]
        heard: dict[int, Tensor] = {}
        handles = [
            module.register_forward_pre_hook(partial(ear, heard)) for module, ear in self._ears
        ]
        try:
            yield True
        finally:
            for handle in handles:
                handle.remove()
        self._count(heard)

    def _count(self, heard: dict[int, Tensor]) -> None:
        if not heard:
            self._quiet_for.zero_()
            return
        farthest = [heard.get(index, layer) for index, layer in enumerate(self._unheard)]
        self._quiet_for = (self._quiet_for + 1) * (torch.cat(farthest) <= 0)

    def silent(self) -> list[Tensor]:
        """For each layer, which units have not fired for long enough to count as silent, (units,)
        bool."""
        return list(torch.split(self._quiet_for >= SILENT_BATCHES, self._units))

    def state(self) -> Tensor:
        """The counters, int64, unit after unit."""
        return self._quiet_for.clone()

    def load(self, quiet_for: Tensor) -> None:
        self._quiet_for = quiet_for.to(self._quiet_for.device)


def hear(
    index: int, facts: Activation, heard: dict[int, Tensor], module: nn.Module, inputs: Any
) -> None:
    """Note how far inside the sloped part each unit of an activation's input gets."""
    heard[index] = farthest_inside(facts, inputs[0].detach())
