"""Finds the place of the first number that is not finite, in the order of computation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from caveats.measuring.capture import Layer, capture

__all__ = ["Divergence", "locate"]


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first number that was not finite: after ``step`` updates, and where."""

    step: int
    where: str


@torch.no_grad()
def locate(network: nn.Module, names: Mapping[Layer, str], x: Tensor) -> str:
    """Where ``network`` first breaks on the rows x (rows, features), whose loss is not finite."""
    # Gradients are computed from the last layer back, so if the last update broke several weights,
    # those of the last layer broke first.
    for layer, name in reversed(list(names.items())):
        if not all_finite(*layer.parameters()):
            return f"weights of {name}"
    for path, parameter in network.named_parameters():
        if not all_finite(parameter):
            return f"parameter {path}"
    with capture(network, names, deltas=False) as sites:
        output = network(x)
    before = "the data"
    for site in sites:
        if site.x is not None and not all_finite(site.x):
            return before
        if not all_finite(site.z):
            return f"pre-activations of {site.name}"
        before = f"activations of {site.name}"
    return "the loss" if all_finite(output) else before


def all_finite(*tensors: Tensor) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in tensors)
