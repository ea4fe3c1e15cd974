"""The sharpness of every member of a stack at once: the Lanczos steps of
`caveats.measuring.sharpness` with a leading member axis. A Hessian-vector product of the summed
losses is that of each member, because no member's loss depends on another's weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caveats.measuring.sharpness import PRODUCTS, RANDOM, ROUNDING
from caveats.stacks.measuring import Losses
from caveats.stacks.network import StackedNetwork

__all__ = ["sharpness"]


def sharpness(
    network: StackedNetwork,
    losses: Losses,
    x: Tensor,
    y: Tensor,
    scale: Sequence[Tensor] | None = None,
) -> NDArray[np.float64]:
    """λ_max of D H D of each member, (E,), D = diag(``scale``), one tensor a parameter. NaN where
    something was not finite, or where torch has no second derivative. All members must have the
    same activations, so that each has the same parameters."""
    parameters = used(network)
    with torch.enable_grad():
        values = losses(network.forward(x), y)
        try:
            grads = torch.autograd.grad(
                values.sum(), parameters, create_graph=True, materialize_grads=True
            )
            stretch = None if scale is None else flat(scale)
            return lanczos(products(grads, parameters, stretch), start(grads, stretch))
        except RuntimeError as error:
            if "derivative" not in str(error):
                raise
            return np.full(len(network), math.nan)


def used(network: StackedNetwork) -> list[Tensor]:
    """The parameters of the one network that all members are; a slope of PReLU that other members
    of the stack have is not among them."""
    found = []
    for index, layer in enumerate(network.layers):
        names = network.activations[0]
        own = layer.tensors()
        if layer.slope is not None and names[index] != "prelu":
            own = own[:-1]
        found += own
    return found


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """All numbers of each member in one row, (E, n)."""
    return torch.cat([t.detach().reshape(len(t), -1) for t in tensors], 1)


Product = Callable[[Tensor], Tensor]


def products(
    grads: Sequence[Tensor], parameters: Sequence[Tensor], stretch: Tensor | None
) -> Product:
    sizes = [p[0].numel() for p in parameters]
    moving = [i for i, g in enumerate(grads) if g.requires_grad]

    def product(vector: Tensor) -> Tensor:  # (E, n) -> (E, n)
        if not moving:
            return torch.zeros_like(vector)
        if stretch is not None:
            vector = vector * stretch
        pieces = torch.split(vector, sizes, 1)
        out = torch.autograd.grad(
            [grads[i] for i in moving],
            parameters,
            [pieces[i].reshape(grads[i].shape) for i in moving],
            retain_graph=True,
            materialize_grads=True,
        )
        return flat(out) if stretch is None else flat(out) * stretch

    return product


def start(grads: Sequence[Tensor], stretch: Tensor | None) -> Tensor:
    """The first vector of each member, (E, n), as a single network starts: along its gradient, and
    a little random."""
    gradient = flat(grads) if stretch is None else flat(grads) * stretch
    count = gradient.shape[1]
    random = torch.randn(count, generator=torch.Generator().manual_seed(0)).to(gradient.device)
    length = gradient.norm(dim=1, keepdim=True)
    along = torch.where(length > 0, gradient / length, 0.0)
    found: Tensor = RANDOM * random / random.norm() + along
    return found


def lanczos(product: Product, vector: Tensor) -> NDArray[np.float64]:
    """The largest eigenvalues, (E,), estimated from ``vector`` (E, n)."""
    basis = [vector / vector.norm(dim=1, keepdim=True)]
    diagonal: list[NDArray[np.float64]] = []
    beside: list[NDArray[np.float64]] = []
    count = len(vector)
    length = np.full(count, PRODUCTS)  # of each member's matrix
    ended = np.zeros(count, bool)
    for made in range(1, PRODUCTS + 1):
        out = product(basis[-1])
        diagonal.append((out * basis[-1]).sum(1).double().cpu().numpy())
        vectors = torch.stack(basis, 1)  # (E, vectors, n)
        for _ in range(2):  # once leaves rounding errors as large as the rest
            along = torch.einsum("ekn,en->ek", vectors, out)
            out = out - torch.einsum("ek,ekn->en", along, vectors)
        rest = out.norm(dim=1)
        beside.append(rest.double().cpu().numpy())
        size = np.abs([*diagonal, *beside[:-1]]).max(0)
        ends = ~ended & (beside[-1] <= ROUNDING * size)
        length[ends], ended = made, ended | ends
        basis.append(torch.where(rest > 0, 1 / rest, 0.0)[:, None] * out)
    found = np.full(count, math.nan)
    for member in range(count):
        n = length[member]
        middle = np.array([d[member] for d in diagonal[:n]])
        next_to = np.array([b[member] for b in beside[: n - 1]])
        if np.isfinite(middle).all() and np.isfinite([b[member] for b in beside[:n]]).all():
            matrix = np.diag(middle) + np.diag(next_to, -1) + np.diag(next_to, 1)
            found[member] = np.linalg.eigvalsh(matrix)[-1]
    return found
