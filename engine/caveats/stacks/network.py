"""E multilayer perceptrons of one shape as one: every weight has a leading member axis.

Shapes: x (E, features, rows), weights (E, units, fan_in), outputs (E, outputs, rows). The rows come
last, because batched products of small matrices are then three to six times as fast on a CPU. A
member's numbers depend on no other member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import torch
from torch import Tensor, nn

from caveats.models.activations import ACTIVATIONS
from caveats.models.mlp import assemble, hidden_blocks, initialise, linears
from caveats.models.section import NetworkConfig

__all__ = ["Layer", "Pass", "StackedNetwork", "draw"]

# The functions of the activations without weights.
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    name: choice.make() for name, choice in ACTIVATIONS.items() if name != "prelu"
}
FUNCTIONS["identity"] = lambda z: z
# torch's defaults: of batch and layer normalization, and of root mean squares.
EPS = 1e-5
RMS_EPS = torch.finfo(torch.float32).eps


@dataclass(slots=True)
class Layer:
    """One layer of every member: ``weight`` (E, units, fan_in), ``bias`` (E, units). ``scale`` and
    ``shift`` (E, units) belong to the normalization, ``slope`` (E,) to PReLU; None where no member
    has them."""

    weight: Tensor
    bias: Tensor
    scale: Tensor | None = None
    shift: Tensor | None = None
    slope: Tensor | None = None

    def tensors(self) -> list[Tensor]:
        """Those that exist, in the order of torch's ``parameters()``."""
        every = (self.weight, self.bias, self.scale, self.shift, self.slope)
        return [tensor for tensor in every if tensor is not None]

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Layer:
        every = (self.weight, self.bias, self.scale, self.shift, self.slope)
        return Layer(*(None if t is None else function(t) for t in every))  # type: ignore[arg-type]


@dataclass(slots=True)
class Pass:
    """What one pass showed: per layer its input, what its weights gave, and what entered and left
    its activation, (E, units, rows) each. Of the output layer the last three are one tensor."""

    inputs: list[Tensor] = field(default_factory=list)
    z: list[Tensor] = field(default_factory=list)
    pre: list[Tensor] = field(default_factory=list)
    out: list[Tensor] = field(default_factory=list)


@dataclass(slots=True)
class StackedNetwork:
    """``layers``, the output last. ``activations`` has one tuple a member, a name for each hidden
    layer; neighbours with the same one are computed together, so members should be sorted."""

    layers: list[Layer]
    activations: Sequence[tuple[str, ...]]
    normalization: str
    residual: bool

    def __len__(self) -> int:
        return len(self.activations)

    def parameters(self) -> list[Tensor]:
        return [tensor for layer in self.layers for tensor in layer.tensors()]

    def narrowed(self, start: int, stop: int) -> StackedNetwork:
        """The members from ``start`` up to ``stop``: views, not copies."""
        layers = [layer.mapped(lambda t: t[start:stop]) for layer in self.layers]
        return replace(self, layers=layers, activations=self.activations[start:stop])

    def chosen(self, members: Tensor) -> StackedNetwork:
        """A copy that has only these members, in the order of their indices."""
        layers = [layer.mapped(lambda t: leaf(t[members])) for layer in self.layers]
        return replace(self, layers=layers, activations=[self.activations[i] for i in members])

    def same_activations(self) -> Iterator[tuple[int, int]]:
        """The ranges of neighbours that have the same activations in every layer."""
        return runs(self.activations)

    def forward(
        self, x: Tensor, masks: Sequence[Tensor] | None = None, seen: Pass | None = None
    ) -> Tensor:
        """x (E, features, rows) -> (E, outputs, rows). ``masks`` are those of dropout, one (E,
        units, rows) for each hidden layer; ``seen`` is filled in where given."""
        for index, layer in enumerate(self.layers):
            z = affine(layer, x)
            last = index == len(self.layers) - 1
            pre = z if last else normalized(z, layer, self.normalization)
            out = z if last else self._activated(index, pre, layer.slope)
            if seen is not None:
                seen.inputs.append(x)
                seen.z.append(z)
                seen.pre.append(pre)
                seen.out.append(out)
            if not last and masks is not None:
                out = out * masks[index]
            adds = self.residual and not last and x.shape[1] == out.shape[1]
            x = x + out if adds else out
        return x

    def _activated(self, layer: int, pre: Tensor, slope: Tensor | None) -> Tensor:
        names = [own[layer] for own in self.activations]
        parts = [
            activated(names[a], pre if b - a == len(pre) else pre[a:b], slope, a, b)
            for a, b in runs(names)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def beside(self, network: nn.Sequential) -> Iterator[tuple[Tensor, Tensor]]:
        """Each parameter of one network of this shape, in torch's order, with the stack's: (stack's
        (E, ...), the network's)."""
        blocks = [*hidden_blocks(network), None]
        for linear, layer, block in zip(linears(network), self.layers, blocks, strict=True):
            yield layer.weight, linear.weight
            yield layer.bias, linear.bias
            for module, name, tensor in extras(block, layer) if block is not None else ():
                yield tensor, getattr(module, name)

    @torch.no_grad()
    def member(self, index: int, config: NetworkConfig) -> nn.Sequential:
        """One member as torch's modules (running averages of batch norm are not kept)."""
        first, last = self.layers[0].weight, self.layers[-1].weight
        with torch.random.fork_rng(devices=[]):
            network = assemble(config, first.shape[2], last.shape[1]).to(first.device)
        for stacked, own in self.beside(network):
            own.copy_(stacked[index])
        return network


def affine(layer: Layer, x: Tensor) -> Tensor:
    """W x + b of every member, (E, units, rows).

    Rows that all members share (a view of one set, stride 0) need one large product instead of E
    small ones, which is up to twice as fast on a CPU.
    """
    count, units, fan_in = layer.weight.shape
    if count > 1 and x.stride(0) == 0:
        together = layer.weight.reshape(count * units, fan_in)
        return torch.addmm(layer.bias.reshape(-1, 1), together, x[0]).view(count, units, -1)
    return torch.baddbmm(layer.bias[:, :, None], layer.weight, x)


def runs(values: Sequence[object]) -> Iterator[tuple[int, int]]:
    """The ranges of equal neighbours."""
    start = 0
    for _, same in groupby(values):
        stop = start + len(list(same))
        yield start, stop
        start = stop


def activated(name: str, pre: Tensor, slope: Tensor | None, start: int, stop: int) -> Tensor:
    if name != "prelu":
        return FUNCTIONS[name](pre)
    assert slope is not None
    return torch.where(pre > 0, pre, slope[start:stop, None, None] * pre)


def normalized(z: Tensor, layer: Layer, kind: str) -> Tensor:
    """z (E, units, rows) by the batch's statistics, or by those of each row."""
    if kind == "none":
        return z
    assert layer.scale is not None
    scale = layer.scale[:, :, None]
    if kind == "rms":
        return z * (z.square().mean(1, keepdim=True) + RMS_EPS).rsqrt() * scale
    assert layer.shift is not None
    over = 2 if kind == "batch" else 1
    variance, mean = torch.var_mean(z, over, correction=0, keepdim=True)
    return torch.addcmul(layer.shift[:, :, None], (z - mean) * (variance + EPS).rsqrt(), scale)


def extras(block: nn.Sequential, layer: Layer) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Where the tensors of a layer other than weight and bias are in a block of torch's modules."""
    normalization = getattr(block, "normalization", None)
    if normalization is not None:
        assert layer.scale is not None
        yield normalization, "weight", layer.scale
        if layer.shift is not None:
            yield normalization, "bias", layer.shift
    if isinstance(block.activation, nn.PReLU) and layer.slope is not None:
        yield block.activation, "weight", layer.slope


def leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_()


@torch.no_grad()
def draw(
    configs: Sequence[NetworkConfig],
    seeds: Sequence[int],
    features: int,
    outputs: int,
    rows: Sequence[Tensor],
    device: torch.device,
) -> StackedNetwork:
    """Fresh networks of one shape. Each starts from the same bits as `caveats.models.mlp.build`
    gives it: one set of modules is initialised again for every member, and copied.

    ``rows`` (rows, features), one for each member, are for initialisers that look at data.
    """
    first, count = configs[0], len(configs)
    layers, fan_in = [], features
    for index, units in enumerate((*first.widths, outputs)):
        hidden = index < len(first.widths)
        normalizes = hidden and first.normalization != "none"
        prelu = hidden and any(c.activations[index] == "prelu" for c in configs)
        layers.append(
            Layer(
                torch.empty(count, units, fan_in),
                torch.empty(count, units),
                torch.ones(count, units) if normalizes else None,
                torch.zeros(count, units) if normalizes and first.normalization != "rms" else None,
                torch.full((count,), 0.25) if prelu else None,
            )
        )
        fan_in = units
    modules: dict[tuple[str, ...], nn.Sequential] = {}
    for member, (config, seed) in enumerate(zip(configs, seeds, strict=True)):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            if config.activations in modules:
                network = modules[config.activations]
                for linear in linears(network):  # the same draws as when a module is made
                    linear.reset_parameters()
            else:
                network = modules[config.activations] = assemble(config, features, outputs)
            initialise(network, config, rows[member])
        for linear, layer in zip(linears(network), layers, strict=True):
            layer.weight[member] = linear.weight
            layer.bias[member] = linear.bias
    layers = [layer.mapped(lambda t: leaf(t.to(device))) for layer in layers]
    return StackedNetwork(
        layers, [c.activations for c in configs], first.normalization, first.residual
    )
