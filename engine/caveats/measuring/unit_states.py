"""Says which units are dead and how saturated each is, from the inputs of their activations.

A unit is dead where its slope is exactly 0 on every row. Where each activation is flat, or nearly
so, stands in `caveats.models.activations`; docs/measurements.md gives the definitions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from caveats.measuring.reductions import stacked
from caveats.measuring.sites import Site, by_unit
from caveats.models.activations import Activation

__all__ = ["dead_units", "slopes_by_group", "tail_share"]


def slopes_by_group(sites: Sequence[Site]) -> list[tuple[list[int], list[Activation], Tensor]]:
    """The inputs of the activations, for the sites where they were observed:
    [(indices, facts, (group, rows, units))]. A site with gates is in several groups, or several
    times in one group."""
    owners: list[int] = []
    facts: list[Activation] = []
    pres: list[Tensor] = []
    for index, site in enumerate(sites):
        pairs = site.gates
        if site.facts is not None and site.pre is not None:
            pairs = ((site.facts, site.pre), *pairs)
        for activation, pre in pairs:
            owners.append(index)
            facts.append(activation)
            pres.append(by_unit(pre, site.axis))
    return [
        ([owners[i] for i in indices], [facts[i] for i in indices], pre)
        for indices, pre in stacked(pres)
    ]


def dead_units(facts: Sequence[Activation], pre: Tensor) -> Tensor:
    """Which units have slope 0 on every row: pre (group, rows, units) -> (group, units) bool.

    A NaN is not flat. It computes the row that is farthest inside the sloped part: amax is fused
    and vectorised, while `all` over a comparison takes forty times as long.
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
