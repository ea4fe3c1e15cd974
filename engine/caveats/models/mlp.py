"""Builds the multilayer perceptron that a config describes, and changes its parts in place."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from caveats.models.activations import ACTIVATIONS
from caveats.models.initialization import scale_to_unit_variance
from caveats.models.initializers import INITIALIZERS
from caveats.models.isolation import undisturbed
from caveats.models.modules import Residual
from caveats.models.normalizations import NORMALIZATIONS
from caveats.models.output_activations import OUTPUT_ACTIVATIONS
from caveats.models.section import NetworkConfig

__all__ = [
    "activations",
    "assemble",
    "build",
    "layer_name",
    "linears",
    "swap_activations",
    "swap_dropout",
]


def layer_name(index: int, hidden: int) -> str:
    """The name of layer ``index`` (from 0) of a network with ``hidden`` hidden layers."""
    return f"layer {index + 1}" if index < hidden else "output"


def build(
    config: NetworkConfig, features: int, outputs: int, seed: int, rows: Tensor | None = None
) -> nn.Sequential:
    """A fresh network from (rows, features) to (rows, outputs), on the CPU.

    The global random number generator is left as it was. ``rows`` (rows, features) are needed by
    data-dependent initialisers alone (lsuv).
    """
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would seed every GPU's generator too.
        torch.default_generator.manual_seed(seed)
        network = assemble(config, features, outputs)
        initialise(network, config, rows)
    return network


def assemble(config: NetworkConfig, features: int, outputs: int) -> nn.Sequential:
    """The modules of a network from (rows, features) to (rows, outputs), not yet initialised."""
    blocks: list[nn.Module] = []
    fan_in = features
    for width, activation in zip(config.widths, config.activations, strict=True):
        parts: OrderedDict[str, nn.Module] = OrderedDict(linear=nn.Linear(fan_in, width))
        if config.normalization != "none":
            parts["normalization"] = NORMALIZATIONS[config.normalization].make(width)
        parts["activation"] = ACTIVATIONS[activation].make()
        # Always there, so that dropout can be switched on later; at p = 0 it returns its input.
        parts["dropout"] = nn.Dropout(config.dropout)
        block = nn.Sequential(parts)
        blocks.append(Residual(block) if config.residual and fan_in == width else block)
        fan_in = width
    behind = []
    if config.output_activation != "none":
        behind.append(OUTPUT_ACTIVATIONS[config.output_activation].make())
    return nn.Sequential(*blocks, nn.Linear(fan_in, outputs), *behind)


def linears(network: nn.Module) -> list[nn.Linear]:
    return [module for module in network.modules() if isinstance(module, nn.Linear)]


def initialise(network: nn.Sequential, config: NetworkConfig, rows: Tensor | None) -> None:
    looking = []  # the layers whose initialiser looks at data
    for linear, init in zip(linears(network), config.layer_inits, strict=True):
        choice = INITIALIZERS[init.name]
        choice.make(linear, **init.options)
        if choice.sees_data:
            looking.append(linear)
            if rows is None:
                raise ValueError(f"the initialiser {choice.name} needs rows of data")
    if looking:
        assert rows is not None
        with undisturbed(network, torch.device("cpu")):
            scale_to_unit_variance(network, looking, rows)
    if config.bias:
        with torch.no_grad():
            for linear in linears(network)[:-1]:
                linear.bias.add_(config.bias)


def hidden_blocks(network: nn.Sequential) -> list[nn.Sequential]:
    blocks = [b.block if isinstance(b, Residual) else b for b in network]
    return [block for block in blocks if isinstance(block, nn.Sequential)]


def activations(network: nn.Sequential) -> list[nn.Module]:
    """The activation of each hidden layer, first to last."""
    return [block._modules["activation"] for block in hidden_blocks(network)]


def swap_activations(
    network: nn.Sequential, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    """Replace the activation of each hidden layer where it changes. Every weight stays, and so do
    the learned slopes of a PReLU that is not replaced."""
    device = next(network.parameters()).device
    for block, old, new in zip(hidden_blocks(network), before, after, strict=True):
        if old != new:
            block.activation = ACTIVATIONS[new].make().to(device)


def swap_dropout(network: nn.Sequential, share: float) -> None:
    for block in hidden_blocks(network):
        assert isinstance(block.dropout, nn.Dropout)
        block.dropout.p = share
