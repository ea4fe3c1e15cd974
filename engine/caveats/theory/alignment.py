"""Corrects gradients for the fact that the weights they pass also made the outputs of the loss.

The Gram recursion assumes that W is independent of the gradient that comes back through it. It is
not: z = Wx went into the loss, so Wᵀδ has a part along x, namely (δ·z/|x|²) x; independence would
give a part of size δ·z ~ N(0, Q D). The difference is of order 1/width, but it stays or grows on
its way down: ReLU conserves δ·z, and any φ multiplies it by d ln E[φ²] / d ln q a layer. It matters
where residuals of different rows cancel (He ReLU on random labels: 0.2 decades) and where lengths
move away from their fixed point (30 layers of GELU with He weights: a factor of 2 in δ²).

It works on samples of networks on a few rows. It is derived here, not in a paper; tests compare it
with drawn networks. For ReLU it is Euler's theorem on homogeneous functions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caveats.theory.response import Floats

__all__ = ["Alignment", "Below", "diagonals", "outer"]

_NOTHING = 1e-30


class Below(NamedTuple):
    """A hidden layer of the typical network, and how the sampled networks differ from it. Arrays
    are (few, few), (few,), or (samples, few) of natural logarithms."""

    units: int
    weight_variance: float  # of the weights that lead out of the layer
    slopes: Floats  # E[φ'φ']
    coupling: Floats  # E[φφ'φφ']
    scatter: Floats  # covariance of zφ' less its part along φ
    fed: Floats  # |φ|²
    cov: Floats  # of z in the next layer
    log_kept: Floats  # d ln E[φ²] / d ln q
    log_scatter: Floats  # of ``scatter`` over q E[φ'²]
    log_slopes: Floats  # E[φ'²]
    log_fed: Floats  # |φ|²
    log_cov: Floats  # variance of z in the next layer


class Alignment:
    """Carries the correction down from the output layer, alongside the recursion.

    ``draws`` (samples, few, outputs) are residuals, ``pull`` (samples, few) is δ·(z − mean) at the
    output. ``added`` (samples, few, few) is the correction to a layer's D, relative to the sampled
    network's slopes, in the units of the recursion's D without its residuals.
    """

    def __init__(self, draws: Floats, pull: Floats) -> None:
        self._draws = draws
        self._pull = pull
        self._rest = draws @ draws.transpose(0, 2, 1)
        self._rng = np.random.default_rng(3)
        self.added: Floats = np.zeros_like(self._rest)

    def down(self, below: Below, carried: Floats) -> None:
        """Carry the correction through a hidden layer. ``carried`` (few, few) is the recursion's D
        above it; afterwards ``added`` is in units of its weight_variance × units."""
        v = below.weight_variance
        whole = carried * self._rest + self.added
        expected = below.cov * outer(np.exp(below.log_cov / 2)) * whole
        length = np.diagonal(below.cov)
        # A row of zeros has no direction to be aligned with.
        per_length = np.where(length > _NOTHING * length.max(), 1 / length, 0.0)
        # The coupling is proportional to the sampled network's |φ|², both lengths below it to its
        # variance.
        relative = outer(np.exp(below.log_fed / 2 - below.log_cov) * per_length)
        gained = v * below.coupling * relative * (outer(self._pull) - expected)
        self.added = below.slopes * self.added + gained
        # (z − mean)·δ = Σ zφ'(z) Wᵀδ: the part of Wᵀδ along φ keeps its share, the rest is noise.
        kept = below.fed * per_length * np.exp(below.log_kept + below.log_fed - below.log_cov)
        values, vectors = np.linalg.eigh(carried * below.scatter)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        noise = (self._draws * (root @ self._rng.standard_normal(self._draws.shape))).sum(2)
        noise = noise * np.exp(below.log_scatter / 2)
        self._pull = kept * self._pull * np.sqrt(v / below.units) + noise
        self._pull *= np.exp(-below.log_slopes / 2)

    def measure_in(self, unit: float) -> None:
        """Switch to units that are ``unit`` times as large."""
        self.added = self.added / unit
        self._pull = self._pull / np.sqrt(unit)


def outer(factors: Floats) -> Floats:
    """(samples, few, few) of ``factors`` (samples, few)."""
    both: Floats = factors[:, :, None] * factors[:, None]
    return both


def diagonals(pairs: Floats) -> Floats:
    """(samples, few) of ``pairs`` (samples, few, few)."""
    return np.diagonal(pairs, axis1=1, axis2=2)
