"""Sharpness: the largest eigenvalue of the Hessian of the loss, by power iteration.

Hessian-vector products come from differentiating the gradient once more; the Hessian is never
formed. The vector is kept between calls: training turns it slowly, so that a few products suffice.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from caveats.models.isolation import undisturbed

__all__ = ["Sharpness", "preconditioner"]

LossFunction = Callable[[Tensor, Tensor], Tensor]

CLOSE = 0.01  # relative change of the eigenvalue at which iterating ends
MOST = 60  # products a call
FEWEST = 4  # below that the value would be a guess

Vector = list[Tensor]


class Sharpness:
    """Measures ``network`` on rows ``x`` (rows, ...), ``y`` (rows, ...)."""

    def __init__(
        self, network: nn.Module, loss_function: LossFunction, x: Tensor, y: Tensor
    ) -> None:
        self.network = network
        self.loss_function = loss_function
        self.x, self.y = x, y
        self._vector: Vector | None = None

    def measure(self, scale: Vector | None = None, seconds: float = math.inf) -> float:
        """λ_max of D H D, H the Hessian over all parameters and D = diag(``scale``), one tensor
        for each parameter that trains; of H itself without one.

        NaN where the loss is not finite, or where ``seconds`` did not suffice for a few products.
        """
        deadline = time.perf_counter() + seconds
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        with undisturbed(self.network, self.x.device), torch.enable_grad():
            loss = self.loss_function(self.network(self.x), self.y)
            if not bool(loss.isfinite()):
                return math.nan
            grads = torch.autograd.grad(loss, parameters, create_graph=True)

            def product(vector: Vector) -> Vector:
                scaled = (
                    vector if scale is None else [v * s for v, s in zip(vector, scale, strict=True)]
                )
                out = torch.autograd.grad(
                    grads, parameters, scaled, retain_graph=True, materialize_grads=True
                )
                return (
                    list(out) if scale is None else [h * s for h, s in zip(out, scale, strict=True)]
                )

            start = self._vector
            if start is None or [v.shape for v in start] != [p.shape for p in parameters]:
                generator = torch.Generator().manual_seed(0)
                start = [
                    torch.randn(p.shape, generator=generator, dtype=p.dtype).to(p.device)
                    for p in parameters
                ]
            value, vector = iterate(product, start, 0.0, deadline)
            if value < 0:  # the largest in size is negative: shift, so that λ_max leads
                shift = -value
                value, vector = iterate(product, vector_like(vector), shift, deadline)
                value -= shift
            self._vector = vector
        return value


def iterate(
    product: Callable[[Vector], Vector], vector: Vector, shift: float, deadline: float
) -> tuple[float, Vector]:
    """The eigenvalue of largest size of H + shift, and its vector; NaN if out of time."""
    value = math.nan
    vector = unit(vector)
    for count in range(1, MOST + 1):
        out = product(vector)
        if shift:
            out = [h + shift * v for h, v in zip(out, vector, strict=True)]
        before, value = value, float(dot(out, vector))
        if float(dot(out, out)) == 0:
            return 0.0, vector
        vector = unit(out)
        if not math.isfinite(value):
            return math.nan, vector
        if count >= FEWEST and abs(value - before) <= CLOSE / 4 * abs(value):
            break
        if time.perf_counter() > deadline:
            return (value if count >= FEWEST else math.nan), vector
    return value, vector


def dot(a: Vector, b: Vector) -> Tensor:
    return torch.stack([(x * y).sum(dtype=torch.float64) for x, y in zip(a, b, strict=True)]).sum()


def unit(vector: Vector) -> Vector:
    length = dot(vector, vector).sqrt()
    return [(v / length).to(v.dtype).detach() for v in vector]


def vector_like(vector: Vector) -> Vector:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(v.shape, generator=generator, dtype=v.dtype).to(v.device) for v in vector]


def preconditioner(optimizer: Any, parameters: Sequence[Tensor]) -> Vector | None:
    """D = v^-¼ such that D H D has the eigenvalues of the Hessian that Adam or RMSprop sees, one
    tensor a parameter; None for an optimizer that divides by nothing or has made no step."""
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
