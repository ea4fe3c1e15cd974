"""Watches one pass through any nn.Module: what goes into each layer, what comes out, and the
gradient that returns.

It knows modules and hooks, not what the numbers mean (`caveats.probe` does). Hooks stay for the
one pass: a hook left in place would slow every training step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from caveats.choices.activations import ACTIVATIONS, Activation
from caveats.choices.base import resolve

__all__ = [
    "LAYERS",
    "Layer",
    "Site",
    "activation_facts",
    "by_unit",
    "capture",
    "flat_units",
    "undisturbed",
]

Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

_FACTS: dict[type[nn.Module], Activation] = {
    resolve(choice.maker): choice for choice in ACTIVATIONS.values()
}
_FLAT_NOWHERE = ACTIVATIONS["identity"]


@dataclass(slots=True)
class Site:
    """One call of one layer during a pass.

    Tensors are detached and keep the module's own shapes; `by_unit` makes them (rows, units).
    ``pre`` and ``out`` are the input and output of the activation that followed, None where no
    hook saw one; ``delta`` is dLoss/dz of the layer's own output, None before the backward pass.
    """

    name: str
    module: Layer
    x: Tensor
    z: Tensor
    facts: Activation | None = None
    pre: Tensor | None = None
    out: Tensor | None = None
    delta: Tensor | None = None


def activation_facts(module: nn.Module) -> Activation | None:
    """What `caveats.choices.activations` knows of a module, None for one that is no activation."""
    facts = _FACTS.get(type(module))
    if facts is not None and isinstance(module, nn.LeakyReLU) and module.negative_slope == 0:
        return ACTIVATIONS["relu"]
    return facts


def by_unit(tensor: Tensor, module: Layer) -> Tensor:
    """(rows, units): for a convolution the unit is the channel, over rows and positions."""
    if not isinstance(module, nn.Linear):
        tensor = tensor.movedim(1 if tensor.ndim == module.weight.ndim else 0, -1)
    return tensor.reshape(-1, tensor.shape[-1])


def flat_units(site: Site) -> Tensor | None:
    """Which units have slope 0 on every row of one pass, (units,) bool; None if unobserved."""
    if site.facts is None or site.pre is None:
        return None
    low, high = site.facts.flat
    pre = by_unit(site.pre, site.module)  # (rows, units)
    return ((pre <= low) | (pre >= high)).all(0)


@contextmanager
def capture(network: nn.Module, names: Mapping[nn.Module, str]) -> Iterator[list[Site]]:
    """Hook ``network`` for one pass; yields the list that fills, in the order of the calls.

    ``names`` are the layers to watch. An activation belongs to the last layer called before it,
    through a normalization in between too.
    """
    sites: list[Site] = []
    handles = []

    def after_layer(module: Layer, inputs: tuple[Any, ...], z: Tensor) -> None:
        site = Site(names[module], module, inputs[0].detach(), z.detach())
        sites.append(site)
        if z.requires_grad:

            def keep(delta: Tensor) -> None:
                site.delta = delta

            # On the tensor, not the module: full backward hooks break on in-place activations.
            z.register_hook(keep)

    def before_activation(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if sites and sites[-1].pre is None:
            pre = inputs[0].detach()
            sites[-1].facts = activation_facts(module)
            sites[-1].pre = pre.clone() if getattr(module, "inplace", False) else pre

    def after_activation(module: nn.Module, inputs: tuple[Any, ...], out: Tensor) -> None:
        if sites and sites[-1].out is None:
            sites[-1].out = out.detach()

    try:
        for module in network.modules():
            if isinstance(module, LAYERS) and module in names:
                handles.append(module.register_forward_hook(after_layer))
            elif activation_facts(module) is not None:
                handles.append(module.register_forward_pre_hook(before_activation))
                handles.append(module.register_forward_hook(after_activation))
        yield sites
    finally:
        for handle in handles:
            handle.remove()
    # What leaves the network through no activation is linear, not unobserved.
    if sites and sites[-1].pre is None:
        last = sites[-1]
        last.facts, last.pre, last.out = _FLAT_NOWHERE, last.z, last.z


@contextmanager
def undisturbed(network: nn.Module, device: torch.device) -> Iterator[None]:
    """A pass inside leaves no trace in training: dropout is off, batch statistics are used but
    running averages stay, and the random number generators are put back."""
    dropouts = [
        m for m in network.modules() if isinstance(m, nn.modules.dropout._DropoutNd) and m.training
    ]
    averages = [
        m
        for m in network.modules()
        if isinstance(m, nn.modules.batchnorm._NormBase) and m.training and m.track_running_stats
    ]
    cpu_state = torch.get_rng_state()
    cuda_state = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    try:
        switch(dropouts, "training", False)
        switch(averages, "track_running_stats", False)
        yield
    finally:
        switch(dropouts, "training", True)
        switch(averages, "track_running_stats", True)
        torch.set_rng_state(cpu_state)
        if cuda_state is not None:
            torch.cuda.set_rng_state(cuda_state, device)


def switch(modules: Sequence[nn.Module], name: str, on: bool) -> None:
    for module in modules:
        setattr(module, name, on)
