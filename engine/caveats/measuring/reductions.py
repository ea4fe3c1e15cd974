"""Reduces over the rows of a pass, for many layers in one kernel. One number for each unit is left,
so the host can do the rest.

Layers of the same shape are stacked: on 8 layers of 64 units that takes a third of the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caveats.measuring.sites import Site, by_unit
from caveats.models.activations import Activation

__all__ = [
    "fetch",
    "fingerprints",
    "flat_units",
    "moments",
    "slopes_by_group",
    "stacked",
    "tail_share",
]

Group = tuple[list[int], Tensor]


def stacked(tensors: Sequence[Tensor | None]) -> list[Group]:
    """Group tensors by shape: [(indices, (group, ...) tensor)], None left out."""
    groups: dict[tuple[torch.Size, torch.dtype], tuple[list[int], list[Tensor]]] = {}
    for index, tensor in enumerate(tensors):
        if tensor is not None:
            indices, members = groups.setdefault((tensor.shape, tensor.dtype), ([], []))
            indices.append(index)
            members.append(tensor)
    return [
        (indices, members[0][None] if len(members) == 1 else torch.stack(members))
        for indices, members in groups.values()
    ]


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


def flat_units(facts: Sequence[Activation], pre: Tensor) -> Tensor:
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


def moments(values: Tensor) -> Tensor:
    """Moments of each unit over the rows: values (group, rows, units) -> E a, Var a, E |a| as
    (3, group, units). The variance uses centred values, because rounding would dominate
    E a² - (E a)² for a layer that hardly varies."""
    if values.dtype.itemsize < 4:
        values = values.float()
    mean = values.mean(1)
    centred = values - mean[:, None]
    return torch.stack((mean, centred.mul_(centred).mean(1), values.abs().mean(1)))


def fingerprints(rows: Tensor, cache: dict[tuple[int, torch.device], Tensor]) -> Tensor:
    """One int64 for each row: rows (group, units, n) -> (group, units).

    Equal rows have equal fingerprints, because integer sums do not depend on the order. Different
    rows have equal fingerprints with a probability of at most 2^-32. ``cache`` keeps the
    multipliers.
    """
    # Adding 0 turns -0.0 into 0.0.
    bits = (rows + 0.0).view(torch.int32 if rows.dtype.itemsize >= 4 else torch.int16)
    key = bits.shape[-1], rows.device
    if key not in cache:
        generator = np.random.Generator(np.random.PCG64(0))
        odd = generator.integers(-(2**63), 2**63 - 1, bits.shape[-1]) | 1
        cache[key] = torch.from_numpy(odd).to(rows.device)
    return (bits * cache[key]).sum(-1)


def fetch(tensors: Sequence[Tensor]) -> list[NDArray[Any]]:
    """The tensors as arrays on the host. From a GPU all tensors of one dtype are copied as one, so
    there is one wait for each dtype, not for each tensor."""
    # numpy has no bfloat16.
    tensors = [t.float() if t.is_floating_point() and t.dtype.itemsize < 4 else t for t in tensors]
    if all(tensor.device.type == "cpu" for tensor in tensors):
        return [tensor.numpy() for tensor in tensors]
    arrays: list[NDArray[Any]] = [np.empty(0)] * len(tensors)
    for dtype in {tensor.dtype for tensor in tensors}:
        which = [i for i, tensor in enumerate(tensors) if tensor.dtype == dtype]
        flat = torch.cat([tensors[i].reshape(-1) for i in which]).cpu().numpy()
        cuts = np.cumsum([tensors[i].numel() for i in which])[:-1]
        for i, part in zip(which, np.split(flat, cuts), strict=True):
            arrays[i] = part.reshape(tuple(tensors[i].shape))
    return arrays
