"""The rank of what enters a layer: how many directions its rows (examples, positions, tokens)
spread over."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caveats.measuring.sites import Site, by_unit

__all__ = ["feature_ranks", "srank"]

ROWS = 128
MOST_LAYERS = 12  # of one model, evenly spread over its depth
MOST_COLUMNS = 2**12
PART = 0.99  # of the sum of the singular values


def srank(features: Tensor) -> float:
    """The least k with Σ_{i≤k} σ ≥ .99 Σ σ, σ the singular values of features (rows, units), the
    largest first (Kumar et al. 2021); NaN where features are not finite, 0 where all are 0."""
    rows = features.double()
    gram = rows @ rows.mT if rows.shape[0] < rows.shape[1] else rows.mT @ rows
    if not math.isfinite(gram.trace()):  # each number's square is in it
        return math.nan
    # In half the time of the singular values, and to 1e-8 of the largest one.
    values = torch.linalg.eigvalsh(gram).cpu().numpy()
    reached = np.sqrt(values.clip(0))[::-1].cumsum()
    return float((reached < PART * reached[-1]).sum() + 1) if reached[-1] > 0 else 0.0


def spread(count: int) -> list[int]:
    """At most `MOST_LAYERS` of so many, evenly spread, the first and the last one among them."""
    if count <= MOST_LAYERS:
        return list(range(count))
    return [int(at) for at in np.linspace(0, count - 1, MOST_LAYERS)]


def feature_ranks(sites: Sequence[Site]) -> NDArray[np.float64]:
    """The `srank` of the inputs of up to `MOST_LAYERS` sites, the last one among them: (sites,),
    NaN for the others and where nothing was seen."""
    found = np.full(len(sites), math.nan)
    seen = [i for i, site in enumerate(sites) if site.x is not None and site.x.numel()]
    for at in spread(len(seen)):
        site = sites[seen[at]]
        assert site.x is not None
        if site.x.is_floating_point() and site.x.ndim >= -site.axis:
            rows = by_unit(site.x, site.axis)
            if rows.shape[1] <= MOST_COLUMNS:
                found[seen[at]] = srank(rows[:: max(1, -(-len(rows) // ROWS))])
    return found
