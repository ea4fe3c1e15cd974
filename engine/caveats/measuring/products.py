"""The functions that multiply by weights: which argument is the weight, and in which dimension its
units and those of the result are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from caveats.facts import Kind
from caveats.measuring.sites import keep, turned
from caveats.measuring.weights import Weights

__all__ = ["PRODUCTS", "Product"]


class Product(NamedTuple):
    """One product of data ``x`` with a weight; ``axis`` and ``orient`` are those of a site."""

    kind: Kind
    x: Tensor
    weight: Tensor
    bias: Tensor | None
    axis: int
    orient: Callable[[Tensor], Tensor]

    @property
    def fan_in(self) -> int:
        """The number of inputs that one unit adds up; of an embedding 1, the row it looks up."""
        if self.kind == "embedding":
            return 1
        return math.prod(self.orient(self.weight).shape[1:])


Arguments = Sequence[Any]
Named = Mapping[str, Any]


def value(args: Arguments, named: Named, at: int, name: str, default: Any = None) -> Any:
    return args[at] if at < len(args) else named.get(name, default)


def linear(args: Arguments, named: Named, weights: Weights) -> Product:
    x, weight = value(args, named, 0, "input"), value(args, named, 1, "weight")
    return Product("linear", x, weight, value(args, named, 2, "bias"), -1, keep)


def convolution(args: Arguments, named: Named, weights: Weights) -> Product:
    x, weight = value(args, named, 0, "input"), value(args, named, 1, "weight")
    return Product("conv", x, weight, value(args, named, 2, "bias"), 1 - weight.ndim, keep)


def transposed(args: Arguments, named: Named, weights: Weights) -> Product:
    """The weight is (inputs, units / groups, ...), group after group along the inputs."""
    groups = value(args, named, 6, "groups", 1)

    def orient(weight: Tensor) -> Tensor:
        parts = weight.reshape(groups, len(weight) // groups, *weight.shape[1:])
        return parts.transpose(1, 2).flatten(0, 1)

    return convolution(args, named, weights)._replace(orient=orient)


def embedding(args: Arguments, named: Named, weights: Weights) -> Product:
    x, weight = value(args, named, 0, "input"), value(args, named, 1, "weight")
    return Product("embedding", x, weight, None, -1, turned)


def matmul(args: Arguments, named: Named, weights: Weights) -> Product:
    a, b = value(args, named, 0, "input"), value(args, named, 1, "other")
    if b is None:
        b = named.get("mat2", named.get("tensor2"))
    return either(a, b, weights)


def reflected(args: Arguments, named: Named, weights: Weights) -> Product:
    return either(args[1], args[0], weights)


def either(a: Tensor, b: Tensor, weights: Weights) -> Product:
    if b in weights:
        return Product("linear", a, b, None, -1, turned)
    return Product("linear", b, a, None, -2 if b.ndim > 1 else -1, keep)


def addmm(args: Arguments, named: Named, weights: Weights) -> Product:
    bias, a, b = args[:3]
    return either(a, b, weights)._replace(bias=bias)


Reader = Callable[[Arguments, Named, Weights], Product]

PRODUCTS: dict[str, Reader] = {
    "linear": linear,
    "conv1d": convolution,
    "conv2d": convolution,
    "conv3d": convolution,
    "conv_transpose1d": transposed,
    "conv_transpose2d": transposed,
    "conv_transpose3d": transposed,
    "embedding": embedding,
    "embedding_bag": embedding,
    "matmul": matmul,
    "mm": matmul,
    "rmatmul": reflected,
    "addmm": addmm,
}
