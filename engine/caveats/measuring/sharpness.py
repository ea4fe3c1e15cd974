"""Sharpness: the largest eigenvalue of the Hessian of the loss, by a few steps of Lanczos.

Hessian-vector products come from differentiating the gradient again; the Hessian itself is never
computed. Nothing is kept from one measurement to the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from caveats.models.isolation import undisturbed

__all__ = ["Sharpness", "preconditioner"]

LossFunction = Callable[[Tensor, Tensor], Tensor]

# Hessian-vector products in a measurement. The gradient lies mostly along the sharpest directions:
# starting from it, five products come within 1 % of sixty (seven set-ups, after 10, 200 and 600
# steps).
PRODUCTS = 5
RANDOM = 0.1  # share of the start that is random, so that no direction is left out
ROUNDING = 1e-6  # less than this left of a unit vector: no directions remain


class Sharpness:
    """Measures ``network`` on rows ``x`` (rows, ...), ``y`` (rows, ...)."""

    def __init__(
        self, network: nn.Module, loss_function: LossFunction, x: Tensor, y: Tensor
    ) -> None:
        self.network = network
        self.loss_function = loss_function
        self.x, self.y = x, y

    def measure(self, scale: Sequence[Tensor] | None = None) -> float:
        """λ_max of D H D, where H is the Hessian over all parameters and D = diag(``scale``), one
        tensor for each trained parameter; without ``scale``, λ_max of H. NaN if the loss, its
        gradient or a product is not finite."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        with undisturbed(self.network, self.x.device), torch.enable_grad():
            loss = self.loss_function(self.network(self.x), self.y)
            if not bool(loss.isfinite()):
                return math.nan
            grads = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
            stretch = None if scale is None else flat(scale)
            sizes = [p.numel() for p in parameters]
            # A gradient that depends on no parameter is one whose rows and columns of H are 0.
            moving = [i for i, g in enumerate(grads) if g.requires_grad]

            def product(vector: Tensor) -> Tensor:
                if stretch is not None:
                    vector = vector * stretch
                pieces = torch.split(vector, sizes)
                out = torch.autograd.grad(
                    [grads[i] for i in moving],
                    parameters,
                    [pieces[i].view_as(grads[i]) for i in moving],
                    retain_graph=True,
                    materialize_grads=True,
                )
                return flat(out) if stretch is None else flat(out) * stretch

            if not moving:
                return 0.0
            start = flat(grads) if stretch is None else flat(grads) * stretch
            return largest_eigenvalue(product, start)


def largest_eigenvalue(product: Callable[[Tensor], Tensor], start: Tensor) -> float:
    """The largest eigenvalue of the symmetric matrix that ``product`` multiplies by, estimated from
    ``start`` (n,) with `PRODUCTS` products; NaN if one is not finite."""
    random = torch.randn(
        len(start), generator=torch.Generator().manual_seed(0), dtype=start.dtype
    ).to(start.device)
    length = float(start.norm())
    if not math.isfinite(length):
        return math.nan
    vector = RANDOM * random / random.norm()
    if length > 0:
        vector = vector + start / length
    basis = (vector / vector.norm())[None]  # (vectors, n), orthonormal
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        out = product(basis[-1])
        diagonal.append(float(out @ basis[-1]))
        for _ in range(2):  # once leaves rounding errors as large as the rest
            out = out - (basis @ out) @ basis
        rest = float(out.norm())
        if not (math.isfinite(diagonal[-1]) and math.isfinite(rest)):
            return math.nan
        size = max(map(abs, (*diagonal, *beside)))
        if len(diagonal) == PRODUCTS or rest <= ROUNDING * size:
            break
        beside.append(rest)
        basis = torch.cat((basis, (out / rest)[None]))
    matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    matrix += torch.diag(torch.tensor(beside, dtype=torch.float64), -1)  # eigvalsh reads this half
    return float(torch.linalg.eigvalsh(matrix)[-1])


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """All numbers of the tensors in one vector, (n,)."""
    return torch.cat([t.detach().reshape(-1) for t in tensors])


def preconditioner(optimizer: Any, parameters: Sequence[Tensor]) -> list[Tensor] | None:
    """D = v^-¼, one tensor for each parameter: D H D has the eigenvalues of the Hessian that Adam
    or RMSprop sees. None for an optimizer that does not divide, or has made no step."""
    found = []
    for group in optimizer.param_groups:
        eps, betas, alpha = group.get("eps", 0.0), group.get("betas"), group.get("alpha")
        for parameter in group["params"]:
            state = optimizer.state.get(parameter, {})
            square = state.get("exp_avg_sq", state.get("square_avg"))
            if square is None:
                return None
            if betas is not None:
                square = square / (1 - betas[1] ** float(state["step"]))
            elif alpha is None:
                return None
            found.append((parameter, (square.sqrt() + eps).rsqrt()))
    by_parameter = {id(p): d for p, d in found}
    return [by_parameter[id(p)] for p in parameters if id(p) in by_parameter]
