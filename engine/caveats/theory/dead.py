"""The share of units born dead: flat on every one of the given rows.

It needs a layer's covariance over rows, and where the activation is flat. At infinite width the z
of one unit over the rows are jointly Gaussian, so the share is the probability that such a vector
lies in the flat part. If all pairs of rows had the same correlation c, that would be
∫ Dt Φ(t√(c/(1−c)))ⁿ for ReLU without bias. A user's rows come in clusters, so the share is counted
on random draws of the vector.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from caveats.theory.response import Floats

__all__ = ["DRAWS", "dead_fraction"]

DRAWS = 1024  # a share of .2 is accurate to .0125


@cache
def _noise(rows: int) -> NDArray[np.float32]:
    return np.random.default_rng(2).standard_normal((rows, DRAWS), dtype=np.float32)


def dead_fraction(cov: Floats, mean: float, flat: tuple[float, float]) -> float:
    """P(every z_a <= flat[0] or >= flat[1]) for z ~ N(mean, cov), ``cov`` (rows, rows)."""
    low, high = flat
    size = float(np.diagonal(cov).mean()) ** 0.5
    if size == 0.0:
        return float(mean <= low or mean >= high)
    z = _root(cov / size**2).astype(np.float32) @ _noise(len(cov))  # (rows, draws)
    is_flat = (z <= (low - mean) / size) | (z >= (high - mean) / size)
    return float(is_flat.all(axis=0).mean())


def _root(cov: Floats) -> Floats:
    """A with A Aᵀ = ``cov`` of size about 1."""
    try:
        # Independent noise of 1e-6 makes a singular Gram matrix definite.
        return np.asarray(np.linalg.cholesky(cov + 1e-6 * np.eye(len(cov))), dtype=np.float64)
    except np.linalg.LinAlgError:  # steep kinks: the recursion's own error reaches 1e-4
        values, vectors = np.linalg.eigh(cov)
        root: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
        return root
