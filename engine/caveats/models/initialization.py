"""Initialises one nn.Linear by one rule, with torch.nn.init wherever torch has the rule.

Shapes in comments: weight (units, fan_in), bias (units,). Only `torch_default` and
`randomized_asymmetric` draw the bias; every other rule leaves it at 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = [
    "constant_weights",
    "fan_in_normal",
    "fan_in_uniform",
    "normal",
    "orthogonal",
    "randomized_asymmetric",
    "scale_to_unit_variance",
    "sparse",
    "torch_default",
    "truncated_normal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
]


def constant_weights(linear: nn.Linear, value: float) -> None:
    nn.init.constant_(linear.weight, value)
    nn.init.zeros_(linear.bias)


def normal(linear: nn.Linear, std: float) -> None:
    nn.init.normal_(linear.weight, std=std)
    nn.init.zeros_(linear.bias)


def uniform(linear: nn.Linear, low: float, high: float) -> None:
    nn.init.uniform_(linear.weight, low, high)
    nn.init.zeros_(linear.bias)


def truncated_normal(linear: nn.Linear, std: float) -> None:
    nn.init.trunc_normal_(linear.weight, std=std, a=-2 * std, b=2 * std)
    nn.init.zeros_(linear.bias)


def fan_in_normal(linear: nn.Linear, scale: float) -> None:
    """Variance scale/fan_in: scale 1 is LeCun et al. 1998, scale 2 is He et al. 2015 (eq. 10)."""
    nn.init.normal_(linear.weight, std=(scale / linear.in_features) ** 0.5)
    nn.init.zeros_(linear.bias)


def fan_in_uniform(linear: nn.Linear, scale: float) -> None:
    """Uniform on ±√(3 scale/fan_in), so that the variance is scale/fan_in."""
    bound = (3 * scale / linear.in_features) ** 0.5
    nn.init.uniform_(linear.weight, -bound, bound)
    nn.init.zeros_(linear.bias)


def xavier_normal(linear: nn.Linear, gain: float) -> None:
    nn.init.xavier_normal_(linear.weight, gain)
    nn.init.zeros_(linear.bias)


def xavier_uniform(linear: nn.Linear, gain: float) -> None:
    nn.init.xavier_uniform_(linear.weight, gain)
    nn.init.zeros_(linear.bias)


def orthogonal(linear: nn.Linear, gain: float) -> None:
    nn.init.orthogonal_(linear.weight, gain)
    nn.init.zeros_(linear.bias)


def sparse(linear: nn.Linear, sparsity: float, std: float) -> None:
    # torch sets a share of each column to 0. Transposed, so that it is a share of each unit's
    # inputs. torch rounds up, which could leave a unit without inputs, so at least one is kept.
    fan_in = linear.in_features
    sparsity = min(sparsity, (fan_in - 1.5) / fan_in) if fan_in > 1 else 0.0
    nn.init.sparse_(linear.weight.T, sparsity, std)
    nn.init.zeros_(linear.bias)


def torch_default(linear: nn.Linear) -> None:
    linear.reset_parameters()


# Lu et al. 2019, section 4.2: with one Beta(2, 1) entry in each row, this standard deviation of
# the other entries keeps the second moment of a ReLU layer's output at 1.
RAI_STD = 0.6007


def randomized_asymmetric(linear: nn.Linear) -> None:
    """Rows of [W, b] ~ N(0, .6007²/fan_in), but one entry of each row is drawn from Beta(2, 1)
    (Lu et al. 2019, section 4.2 and its program)."""
    units, fan_in = linear.weight.shape
    rows = torch.randn(units, fan_in + 1) * RAI_STD / fan_in**0.5  # (units, fan_in + 1)
    chosen = torch.randint(fan_in + 1, (units,))
    # The larger of two uniform draws has density 2x on (0, 1): that is Beta(2, 1).
    rows[torch.arange(units), chosen] = torch.rand(2, units).amax(0)
    with torch.no_grad():
        linear.weight.copy_(rows[:, :-1])
        linear.bias.copy_(rows[:, -1])


@torch.no_grad()
def scale_to_unit_variance(
    network: nn.Module,
    linears: Sequence[nn.Linear],
    x: Tensor,
    tolerance: float = 0.1,
    rounds: int = 10,
) -> None:
    """Layer-sequential unit variance (Mishkin & Matas 2016, algorithm 1) on the rows x.

    From first to last, the weights of each of the ``linears`` of ``network`` are divided by the
    standard deviation of its output until that deviation is within ``tolerance`` of 1. A layer
    whose output is constant or not finite stays as it is.
    """
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, z: Tensor) -> None:
        seen.append(z)

    for linear in linears:
        handle = linear.register_forward_hook(keep)
        try:
            for _ in range(rounds):
                seen.clear()
                network(x)
                deviation = float(seen[0].std())
                usable = deviation > 0 and math.isfinite(deviation)
                if not usable or abs(deviation - 1) <= tolerance:
                    break
                linear.weight /= deviation
        finally:
            handle.remove()
