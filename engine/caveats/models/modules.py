"""Modules that torch does not have: three activations and a residual block."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Exp", "Residual", "Sin", "TanhPlusOne"]


class Sin(nn.Module):
    """sin(z), elementwise."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.sin(z)


class Exp(nn.Module):
    """e^z, elementwise."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.exp(z)


class TanhPlusOne(nn.Module):
    """tanh(z) + 1, elementwise: the slopes of tanh, with a mean of about one."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(z) + 1


class Residual(nn.Module):
    """x + block(x) (He et al. 2016); the block keeps the shape of its input."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        moved: Tensor = self.block(x)
        return x + moved
