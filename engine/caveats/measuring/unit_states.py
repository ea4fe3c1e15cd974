"""Says which units are dead and how saturated each is, from the inputs of their activations.

A unit is dead where its slope is exactly 0 on every row. Where each activation is flat, or nearly
so, stands in `caveats.models.activations`; docs/measurements.md gives the definitions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caveats.measuring.reductions import fetch, stacked
from caveats.measuring.sites import Site, by_unit
from caveats.models.activations import Activation

__all__ = [
    "SATURATED_ROWS",
    "Marked",
    "dead_and_saturated",
    "dead_units",
    "farthest_inside",
    "flat_by_layer",
    "tail_share",
]

SATURATED_ROWS = 0.95

Slope = tuple[int, Activation, Tensor]
Marked = dict[int, NDArray[np.bool_]]  # which units, (units,), by the index of an observed layer


def dead_and_saturated(sites: Sequence[Site]) -> tuple[Marked, Marked]:
    """The dead and the saturated units of the layers whose activations were observed."""
    found = slopes(sites)
    dead: Marked = {}
    saturated: Marked = {}
    if not found:
        return dead, saturated
    farthest = torch.cat([farthest_inside(facts, pre) for _, facts, pre in found])
    shares = tails(found)
    flat, *in_tail = fetch([farthest <= 0, *(share for _, share in shares)])
    end = 0
    # A unit with several gates has the state of the worst one.
    for index, _, pre in found:
        start, end = end, end + pre.shape[1]
        of_flat = flat[start:end]
        dead[index] = dead[index] | of_flat if index in dead else of_flat
        saturated[index] = np.zeros(len(of_flat), np.bool_)
    for (indices, _), of_group in zip(shares, in_tail, strict=True):
        for index, share in zip(indices, of_group, strict=True):
            saturated[index] = saturated[index] | (share >= SATURATED_ROWS)
    return dead, saturated


def flat_by_layer(sites: Sequence[Site]) -> dict[int, Tensor]:
    """Which units are flat on every row, (units,) bool, by the index of an observed layer."""
    flat: dict[int, Tensor] = {}
    for index, facts, pre in slopes(sites):
        now = farthest_inside(facts, pre) <= 0
        flat[index] = now | flat[index] if index in flat else now
    return flat


def slopes(sites: Sequence[Site]) -> list[Slope]:
    """The inputs of the activations, for the sites where they were observed: (index of the site,
    facts, (rows, units)). A site with gates is there several times."""
    found = []
    for index, site in enumerate(sites):
        pairs = site.gates
        if site.facts is not None and site.pre is not None:
            pairs = ((site.facts, site.pre), *pairs)
        found += [(index, facts, by_unit(pre, site.axis)) for facts, pre in pairs]
    return found


def farthest_inside(facts: Activation, pre: Tensor) -> Tensor:
    """How far inside the part with a slope each unit gets: pre (rows, units) -> (units,).

    A unit is dead where that is at most 0, which is not so for NaN. amax is fused and vectorised,
    while `all` over a comparison takes forty times as long.
    """
    low, high = facts.flat
    if high == math.inf:
        top = pre.amax(0)
        return top - low if low else top
    return torch.minimum(pre - low, high - pre).amax(0)


def tails(slopes: Sequence[Slope]) -> list[tuple[list[int], Tensor]]:
    """The `tail_share` of the slopes whose activations have tails, by shape:
    [(indices of the sites, (group, units))]."""
    bounded = [slope for slope in slopes if slope[1].can_saturate]
    found = []
    for which, pre in stacked([pre for _, _, pre in bounded]):
        share = tail_share([bounded[i][1] for i in which], pre)
        assert share is not None
        found.append(([bounded[i][0] for i in which], share))
    return found


def dead_units(facts: Sequence[Activation], pre: Tensor) -> Tensor:
    """Which units have slope 0 on every row: pre (group, rows, units) -> (group, units) bool.

    As `farthest_inside`, for a group of tensors at once.
    """
    lows = [f.flat[0] for f in facts]
    highs = [f.flat[1] for f in facts]
    if all(high == math.inf for high in highs):
        if all(low == -math.inf for low in lows):
            return torch.zeros(pre.shape[0], pre.shape[2], dtype=torch.bool, device=pre.device)
        low: Any = lows[0] if len(set(lows)) == 1 else pre.new_tensor(lows)[:, None]
        flat: Tensor = pre.amax(1) <= low
        return flat
    inside = torch.minimum(
        pre - pre.new_tensor(lows)[:, None, None], pre.new_tensor(highs)[:, None, None] - pre
    )
    return inside.amax(1) <= 0


def tail_share(facts: Sequence[Activation], pre: Tensor) -> Tensor | None:
    """The share of the rows on which the slope is below 5 % of its maximum: pre (group, rows,
    units) -> (group, units); None if no activation of the group has such tails."""
    if not any(f.can_saturate for f in facts):
        return None
    low = pre.new_tensor([f.tails[0] for f in facts])[:, None, None]
    high = pre.new_tensor([f.tails[1] for f in facts])[:, None, None]
    beyond = torch.maximum(low - pre, pre - high) > 0
    return beyond.to(torch.float32).mean(1)
