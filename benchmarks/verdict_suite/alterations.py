"""Damages single layers of a freshly built network in ways that no setting can, and trains it.

`table_faults` draws which layers are damaged and how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from caveats.config import RunConfig
from caveats.data import Dataset
from caveats.models.mlp import linears
from caveats.run import Run

__all__ = ["Alteration", "AlteredRun"]


@dataclass(frozen=True)
class Alteration:
    """A change of one layer (from 0; -1 is the output): multiply its weights by ``value``, set its
    biases to ``value``, or make every unit a copy of the first."""

    kind: Literal["scale", "bias", "copy"]
    layer: int
    value: float = 0.0


class AlteredRun(Run):
    """A run whose network was altered before step 0 was measured."""

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        alterations: tuple[Alteration, ...] = (),
        every: int | None = None,
    ) -> None:
        self._pending = alterations
        super().__init__(config, dataset, every)

    def record(self) -> None:
        """The first call comes after the network is built and before it is measured."""
        for alteration in self._pending:
            alter(linears(self.trainer.network)[alteration.layer], alteration)
        self._pending = ()
        super().record()


@torch.no_grad()
def alter(linear: nn.Linear, alteration: Alteration) -> None:
    match alteration.kind:
        case "scale":
            linear.weight.mul_(alteration.value)
        case "bias":
            linear.bias.fill_(alteration.value)
        case "copy":
            linear.weight.copy_(linear.weight[:1].expand_as(linear.weight))
            linear.bias.copy_(linear.bias[:1].expand_as(linear.bias))
