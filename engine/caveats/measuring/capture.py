"""Watches one pass through any nn.Module: what goes into each layer, what comes out, and the
gradient that returns.

It knows modules and hooks, not what the numbers mean (`caveats.measuring.probe` does). Hooks stay
for the one pass: a hook left in place would slow every training step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from caveats.models.activations import ACTIVATIONS, Activation
from caveats.models.isolation import walk

__all__ = [
    "LAYERS",
    "Layer",
    "Site",
    "activation_facts",
    "by_unit",
    "capture",
]

Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

_FACTS: dict[type[nn.Module], Activation] = {
    type(choice.make()): choice for choice in ACTIVATIONS.values()
}
_IDENTITY = ACTIVATIONS["identity"]


@dataclass(slots=True)
class Site:
    """One call of one layer during a pass.

    Tensors are detached and keep the module's own shapes; `by_unit` makes them (rows, units).
    ``facts`` belong to the activation that followed, ``pre`` and ``out`` are what went into it
    and what came out; None where no hook saw one, or where they were overwritten later in the
    pass. ``delta`` is dLoss/dz of the layer's own output, None before the backward pass.
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
    """What `caveats.models.activations` knows of a module, None for one that is no activation.

    The table speaks of each module as torch makes it by default; here its limits follow the
    module's own settings.
    """
    facts = _FACTS.get(type(module))
    if facts is None:
        return None
    if isinstance(module, nn.LeakyReLU):
        return ACTIVATIONS["relu"] if module.negative_slope == 0 else facts
    if isinstance(module, nn.Hardtanh) and not isinstance(module, nn.ReLU6):
        if (module.min_val, module.max_val) != facts.flat:
            limits = (float(module.min_val), float(module.max_val))
            return replace(facts, flat=limits, tails=limits)
    elif isinstance(module, nn.Softplus) and module.beta != 1:
        return replace(facts, tails=(facts.tails[0] / module.beta, math.inf))
    elif isinstance(module, nn.CELU) and module.alpha != 1:
        return replace(facts, tails=(facts.tails[0] * module.alpha, math.inf))
    elif isinstance(module, nn.ELU) and module.alpha != 1:
        # The slope is alpha e^z on the left and 1 on the right.
        tail = math.log(0.05 * max(1.0, module.alpha) / module.alpha) if module.alpha else math.inf
        return replace(facts, tails=(min(tail, 0.0), math.inf))
    return facts


def by_unit(tensor: Tensor, module: Layer) -> Tensor:
    """(rows, units): for a convolution the unit is the channel, over rows and positions."""
    if isinstance(module, nn.Linear):
        if tensor.ndim == 2:
            return tensor
    else:
        tensor = tensor.movedim(1 if tensor.ndim == module.weight.ndim else 0, -1)
    return tensor.reshape(-1, tensor.shape[-1])


@contextmanager
def capture(
    network: nn.Module, names: Mapping[Layer, str], *, deltas: bool = True
) -> Iterator[list[Site]]:
    """Hook ``network`` for one pass; yields the list that fills, in the order of the calls.

    ``names`` are the layers to watch. An activation belongs to the last layer called before it,
    through a normalization in between too. What a last layer hands on as the network's output is
    linear; whatever else no activation module followed is not observable. ``deltas`` False leaves
    out the gradients, and the tensors attached (34 detaches are 40 µs on 8 layers): for a reader
    under no_grad.
    """
    sites: list[Site] = []
    free = Tensor.detach if deltas else attached
    handles = []
    outputs: list[Any] = []
    versions: list[tuple[Site, Tensor, int, Tensor, int]] = []

    def after_layer(module: Layer, inputs: tuple[Any, ...], z: Tensor) -> None:
        site = Site(names[module], module, free(inputs[0]), free(z))
        sites.append(site)
        if deltas and z.requires_grad:

            def keep(delta: Tensor) -> None:
                site.delta = delta

            # On the tensor, not the module: full backward hooks break on in-place activations.
            z.register_hook(keep)  # type: ignore[no-untyped-call]

    def before_inplace(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if sites and awaits(sites[-1], inputs[0]):
            kept[module] = inputs[0].detach().clone()

    kept: dict[nn.Module, Tensor] = {}

    def after_activation(module: nn.Module, inputs: tuple[Any, ...], out: Tensor) -> None:
        if not sites or not awaits(sites[-1], inputs[0]):
            return
        site = sites[-1]
        site.facts = facts_of[module]
        site.pre = pre = kept.pop(module) if module in kept else free(inputs[0])
        site.out = out = free(out)
        versions.append((site, pre, pre._version, out, out._version))

    def at_end(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        outputs.append(output)

    facts_of: dict[nn.Module, Activation] = {}
    try:
        for module in walk(network):
            if isinstance(module, LAYERS):
                if module in names:
                    handles.append(module.register_forward_hook(after_layer))
            elif (facts := activation_facts(module)) is not None:
                facts_of[module] = facts
                handles.append(module.register_forward_hook(after_activation))
                if getattr(module, "inplace", False):
                    handles.append(module.register_forward_pre_hook(before_inplace))
        handles.append(network.register_forward_hook(at_end))
        yield sites
    finally:
        for handle in handles:
            handle.remove()
    for site, pre, pre_version, out, out_version in versions:
        # Overwritten since, as by `h = gelu(z); h += x`: these are no longer what they were.
        if site.pre is pre and pre._version != pre_version:
            site.facts = site.pre = None
        if site.out is out and out._version != out_version:
            site.out = None
    if sites and sites[-1].pre is None:
        last = sites[-1]
        if any(hands_on(last.z, tensor) for output in outputs for tensor in tensors_in(output)):
            last.facts, last.pre, last.out = _IDENTITY, last.z, last.z


def attached(tensor: Tensor) -> Tensor:
    return tensor


def awaits(site: Site, pre: Tensor) -> bool:
    """Whether an activation of ``pre`` is the one that ``site`` still waits for: none came yet
    (an nn.Identity, the usual placeholder, counts for none) and its units are the layer's."""
    if site.facts is not None and site.facts is not _IDENTITY:
        return False
    if isinstance(site.module, nn.Linear):
        return pre.ndim > 0 and pre.shape[-1] == site.z.shape[-1]
    channel = 1 if site.z.ndim == site.module.weight.ndim else 0
    return pre.ndim == site.z.ndim and pre.shape[channel] == site.z.shape[channel]


def hands_on(z: Tensor, output: Tensor) -> bool:
    """Whether ``output`` is z itself, or a view of it, with nothing written into it."""
    return (
        output.untyped_storage().data_ptr() == z.untyped_storage().data_ptr()
        and output.numel() == z.numel()
        and z._version == 0
    )


def tensors_in(output: Any) -> list[Tensor]:
    if isinstance(output, Mapping):
        output = list(output.values())
    items = output if isinstance(output, (list, tuple)) else [output]
    return [item for item in items if isinstance(item, Tensor)]
