"""Where theory sees a border in a map of networks: order and chaos, and how deep a signal reaches.

For a network of equal, wide layers the mean-field limit gives χ₁, by which each layer multiplies
δ², and ξ, the depth over which two inputs' correlation settles (Schoenholz et al. 2017). χ₁ = 1 is
the border of chaos; networks deeper than about 6ξ do not train.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.models.initializers import INITIALIZERS
from caveats.sweeps.plan import Plan
from caveats.theory.applies import why_not
from caveats.theory.meanfield import FixedPoint, fixed_point
from caveats.theory.response import Response

__all__ = ["DEPTHS", "Border", "borders", "limit_of"]

Border = Literal["chi", "depth"]
DEPTHS = 6.0  # Schoenholz et al. 2017, figure 5: the trainable depth in units of ξ


@lru_cache(maxsize=4096)
def limit(activation: str, weights: float, biases: float, mean: float) -> FixedPoint:
    return fixed_point(Response.of(activation), weights, biases, mean)


def limit_of(config: RunConfig) -> FixedPoint | None:
    """The mean-field limit of a config's hidden layers; None where theory does not apply, or where
    layers differ."""
    network = config.network
    if not network.widths or len(set(network.widths)) > 1 or len(set(network.activations)) > 1:
        return None
    if why_not(network):
        return None
    width = network.widths[0]
    choice = INITIALIZERS[network.init.name]
    assert choice.variance is not None
    weights = width * choice.variance(width, width, network.init.options)
    return limit(network.activations[0], weights, choice.bias_variance(width), network.bias)


def borders(plan: Plan) -> dict[tuple[int, int], Border]:
    """The cells of a plan of two axes, by place, that lie just before a border: the next cell along
    an axis is on its other side. Empty where theory does not apply."""
    sides: dict[tuple[int, int], tuple[bool, bool]] = {}
    for cell in plan.cells:
        place = cell.place[0], cell.place[1]
        if place in sides:
            continue
        try:
            config = plan.config(cell)
        except ConfigError:
            continue
        found = limit_of(config)
        if found is not None and math.isfinite(found.chi):
            depth = len(config.network.widths)
            sides[place] = found.chi > 1, depth > DEPTHS * found.depth_of_correlation
    marked: dict[tuple[int, int], Border] = {}
    for (x, y), own in sides.items():
        for other in ((x + 1, y), (x, y + 1)):
            there = sides.get(other)
            if there is not None and there[0] != own[0]:
                marked[x, y] = "chi"
            elif there is not None and there[1] != own[1]:
                marked.setdefault((x, y), "depth")
    return marked
