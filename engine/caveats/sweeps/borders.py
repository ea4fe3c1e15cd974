"""Where theory sees a border in a map of networks: order and chaos, and how deep a signal reaches.

For a network of equal, wide layers the mean-field limit gives χ₁, by which each layer multiplies
δ², and ξ, the depth over which two inputs' correlation settles (Schoenholz et al. 2017). χ₁ = 1 is
the border of chaos; networks deeper than about 6ξ do not train. Over learning rates, the border is
where the first network's sharpness exceeds what the optimizer's steps can bear: 2/lr for gradient
descent (Cohen et al. 2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Literal

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.measuring.cadence import Every
from caveats.models.initializers import INITIALIZERS
from caveats.sweeps.plan import Plan, cell_id
from caveats.theory.applies import why_not
from caveats.theory.meanfield import FixedPoint, fixed_point
from caveats.theory.response import Response
from caveats.training.stability import stability_limit

__all__ = ["DEPTHS", "Border", "borders", "limit_of"]

Border = Literal["chi", "depth", "rate"]
RATE = "optimizer.lr"
MOST_NETWORKS = 64  # whose sharpness is measured: each takes about a tenth of a second
PLAIN = ("sgd", "momentum", "nesterov")  # whose limit needs no step to be known
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
    configs: dict[tuple[int, int], RunConfig] = {}
    for cell in plan.cells:
        place = cell.place[0], cell.place[1]
        if place not in configs:
            with suppress(ConfigError):
                configs[place] = plan.config(cell)
    if any(axis.key == RATE for axis in plan.axes):
        return before(rate_sides(configs), ("rate",))
    return before(depth_sides(configs), ("chi", "depth"))


Sides = dict[tuple[int, int], tuple[bool, ...]]


def depth_sides(configs: Mapping[tuple[int, int], RunConfig]) -> Sides:
    """Whether each network is chaotic, and whether it is deeper than 6ξ."""
    sides: Sides = {}
    for place, config in configs.items():
        found = limit_of(config)
        if found is not None and math.isfinite(found.chi):
            depth = len(config.network.widths)
            sides[place] = found.chi > 1, depth > DEPTHS * found.depth_of_correlation
    return sides


def rate_sides(configs: Mapping[tuple[int, int], RunConfig]) -> Sides:
    """Whether each network's sharpness at step 0 is above the optimizer's limit. Empty where no
    limit is known before the first step, as of Adam, and for more than `MOST_NETWORKS`."""
    from caveats.stacks.shape import unstackable  # torch takes seconds, and screens import this

    known = {p: c for p, c in configs.items() if c.optimizer.name in PLAIN and not unstackable(c)}
    alike = {place: config.changed({RATE: 1.0}) for place, config in known.items()}
    if len(networks := {cell_id(config): config for config in alike.values()}) > MOST_NETWORKS:
        return {}
    sharp = {name: first_sharpness(config) for name, config in networks.items()}
    sides: Sides = {}
    for place, config in known.items():
        settings = config.optimizer
        found = sharp[cell_id(alike[place])]
        if math.isfinite(found):
            limit = stability_limit(settings.name, settings.lr, settings.options)
            sides[place] = (found > limit,)
    return sides


def first_sharpness(config: RunConfig) -> float:
    """The sharpness of a config's network at step 0; NaN where the config does not fit its data."""
    from caveats.stacks import Stack

    try:
        return Stack([config], every=Every(config.training.steps + 1)).sharpness_now()[0]
    except ConfigError:
        return math.nan


def before(sides: Sides, kinds: tuple[Border, ...]) -> dict[tuple[int, int], Border]:
    """The places whose next one along an axis differs in one of the ``kinds`` of side, the first
    kind before the others."""
    marked: dict[tuple[int, int], Border] = {}
    for number, kind in enumerate(kinds):
        for (x, y), own in sides.items():
            for other in ((x + 1, y), (x, y + 1)):
                if other in sides and sides[other][number] != own[number]:
                    marked.setdefault((x, y), kind)
    return marked
