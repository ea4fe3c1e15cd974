"""By how much a layer multiplies gradients: one number to show while a network is being chosen.

It needs no data except the size of the inputs, and takes a few milliseconds once torch is loaded.
It calls torch's own activation, so that there is no second formula that could be wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from caveats.config import RunConfig
from caveats.data.dataset import FLOAT32_MAX
from caveats.theory.applies import layers_of, why_not
from caveats.theory.kernels import gaussian_moments

__all__ = ["Factor", "factor"]


@dataclass(frozen=True, slots=True)
class Factor:
    """The predicted factors. ``steps`` holds √χ, the factor on delta_rms from each hidden layer
    back to the one below, first layer first. ``per_layer`` is their geometric mean, ``total`` their
    product. These are () and NaN if theory does not apply. ``sentence`` says it all in words, or
    why theory does not apply."""

    steps: tuple[float, ...]
    per_layer: float
    total: float
    sentence: str


def factor(config: RunConfig, features: int, mean_square: float = 1.0) -> Factor:
    """The predicted factor of a fresh network on inputs of ``features`` numbers whose mean square
    is ``mean_square`` (1 for standardized inputs).

    χ = N σ_w² E[φ'²] with z ~ N(bias, q), where q is the length map's value in that layer
    (Schoenholz et al. 2017, eq. 16). The product of all √χ is the ratio of delta_rms in the first
    hidden layer to that in the last, at infinite width.
    """
    network = config.network
    reason = why_not(network)
    if reason:
        return Factor((), math.nan, math.nan, reason)
    if len(network.widths) < 2:
        return Factor((), math.nan, math.nan, "one hidden layer: no gradient passes between two")
    layers = layers_of(network, features, 1)
    logs: list[float] = []
    q = layers[0].weight_variance * features * mean_square + layers[0].bias_variance
    for layer, after in pairwise(layers[:-1]):
        assert layer.response is not None
        if not math.sqrt(q) < FLOAT32_MAX:
            text = f"explodes beyond float range at layer {len(logs) + 1}"
            return Factor((), math.inf, math.inf, f"{_named(config)}: {text}")
        at = gaussian_moments(layer.response, np.array([q]), layer.bias_mean)
        with np.errstate(all="ignore"):
            slope, square = float(at.slope_square[0]), float(at.square[0])
            # delta_rms is per unit: with N units below and N' above, it is N'/N of the sum.
            chi = after.units * after.weight_variance * slope
            q = after.weight_variance * layer.units * square + after.bias_variance
        logs.append(math.log(chi) / 2 if chi > 0 else -math.inf)
    steps = tuple(math.exp(min(log, 700.0)) for log in logs)
    per_layer = math.exp(sum(logs) / len(logs))
    total = math.exp(min(sum(logs), 700.0))  # beyond 1e304 the number no longer matters
    sentence = (
        f"{_named(config)}: gradients ×{per_layer:.2g} a layer, "
        f"×{total:.1g} from layer {len(steps) + 1} back to layer 1"
    )
    return Factor(steps, per_layer, total, sentence)


def _named(config: RunConfig) -> str:
    network = config.network
    activation = network.activation
    kind = activation if isinstance(activation, str) else "mixed"
    return f"{kind} + {'mixed init' if network.inits else network.init.name}"
