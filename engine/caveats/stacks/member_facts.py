"""What is known of the members of a stack beside their records: the facts that single runs observe,
and what initialisers may look at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from caveats.config import RunConfig
from caveats.config.declared import declared_layers
from caveats.data import Dataset
from caveats.facts import DataFacts, OptimizerFacts, RunFacts, is_linear
from caveats.measuring.capture import Layer
from caveats.measuring.optimizing import optimizer_facts
from caveats.measuring.yardsticks import Reach
from caveats.models.mlp import linears
from caveats.remedies import Remedies
from caveats.training.optimizers import OPTIMIZERS

__all__ = ["facts_of", "names_in", "rows_to_see"]


def rows_to_see(data: Sequence[Dataset]) -> list[Tensor]:
    """The rows that initialisers may look at, one tensor for each set of data."""
    seen = {id(dataset): torch.tensor(dataset.x[:512]) for dataset in data}
    return [seen[id(dataset)] for dataset in data]


def names_in(network: nn.Module, names: Sequence[str]) -> dict[Layer, str]:
    return dict(zip(linears(network), names, strict=True))


def facts_of(
    config: RunConfig, dataset: Dataset, baseline: float, reach: Reach, data: DataFacts
) -> RunFacts:
    """The facts that `caveats.Run` would observe."""
    layers = declared_layers(config, dataset.features, dataset.outputs)
    return RunFacts(
        baseline,
        config.training.steps,
        reach.loss,
        reach.accuracy,
        layers,
        optimizer_of(config),
        Remedies(config),
        data if is_linear(layers) else replace(data, reachable_linear=math.nan),
    )


def optimizer_of(config: RunConfig) -> OptimizerFacts:
    settings = config.optimizer
    options: dict[str, Any] = dict(settings.options)
    made = OPTIMIZERS[settings.name].make([torch.zeros(1)], lr=settings.lr, **options)
    return replace(optimizer_facts(made), lr=settings.lr, clip_norm=settings.clip_norm)
