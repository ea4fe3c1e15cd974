"""Gradient noise scale: the batch size below which minibatch gradients are mostly noise.

B = tr(Σ)/|G|², estimated from gradients of disjoint parts of the rows against that of all of them
(McCandlish et al. 2018, appendix A). Both parts are unbiased and noisy, so they are averaged over
calls before they are divided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from caveats.models.isolation import undisturbed

__all__ = ["NoiseScale"]

PARTS = 8
MEMORY = 0.8  # of the running averages


class NoiseScale:
    """Measures ``network`` on rows ``x`` (rows, ...), ``y`` (rows, ...), split into `PARTS`."""

    def __init__(
        self,
        network: nn.Module,
        loss_function: Callable[[Tensor, Tensor], Tensor],
        x: Tensor,
        y: Tensor,
    ) -> None:
        self.network, self.loss_function = network, loss_function
        size = len(x) // PARTS
        self.size = size
        self.x, self.y = x[: size * PARTS], y[: size * PARTS]
        self._signal, self._noise = math.nan, math.nan

    def measure(self) -> float:
        """In rows; NaN with fewer than two rows a part, or where no signal was found."""
        if self.size < 2:
            return math.nan
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        squares = 0.0
        total = [torch.zeros_like(p) for p in parameters]
        with undisturbed(self.network, self.x.device), torch.enable_grad():
            for start in range(0, len(self.x), self.size):
                rows = slice(start, start + self.size)
                loss = self.loss_function(self.network(self.x[rows]), self.y[rows])
                grads = torch.autograd.grad(loss, parameters, materialize_grads=True)
                squares += size_squared(grads) / PARTS
                torch._foreach_add_(total, list(grads), alpha=1 / PARTS)
        small, big = self.size, self.size * PARTS
        whole = size_squared(total)
        signal = (big * whole - small * squares) / (big - small)
        noise = (squares - whole) / (1 / small - 1 / big)
        if not (math.isfinite(signal) and math.isfinite(noise)):
            return math.nan
        self._signal = average(self._signal, signal)
        self._noise = average(self._noise, noise)
        return self._noise / self._signal if self._signal > 0 else math.nan

    def state(self) -> dict[str, float]:
        """The running averages, NaN before the first measurement."""
        return {"signal": self._signal, "noise": self._noise}

    def load(self, state: Mapping[str, float]) -> None:
        self._signal, self._noise = state["signal"], state["noise"]


def average(before: float, new: float) -> float:
    return new if math.isnan(before) else MEMORY * before + (1 - MEMORY) * new


def size_squared(tensors: tuple[Tensor, ...] | list[Tensor]) -> float:
    norms = torch._foreach_norm(list(tensors), 2, torch.float64)
    return float(torch.stack(norms).square().sum())
