"""How far single networks of finite width differ from the length map, and the effect of that.

In a layer of N units the squared length of a row's activations is a mean over N draws. So it
differs from E[φ²] by a random factor, which is about the same for similar rows, and the next layer
starts from the result. For ReLU this is exactly Hanin and Nica's lognormal. For GELU with He
weights, whose length map moves away from its fixed point, it determines the upper layers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caveats.theory.kernels import single_moments
from caveats.theory.response import Floats, Response

__all__ = ["Lengths", "Strays", "log_mean"]

_NETWORKS = 256
_GRID = 96
_TINY, _HUGE = 1e-300, 1e150  # squares beyond float32's range, and their squares still float64
_BEYOND = 2 * np.log(3.4e38)
_NO_SCATTER = 1e-6  # ReLU's, which is 0, comes out of the quadrature as less than this


class Lengths(NamedTuple):
    """How networks differ from the typical one, in natural logarithms.

    ``inputs`` (layers, networks, rows) is the difference in the squared length of each layer's
    inputs; ``slopes`` (hidden layers, networks, rows) that in E[φ'²], ``scatter`` that in
    (E[z²φ'²] − E[zφφ']² / E[φ²]) / q. ``kept`` is ln of each network's own d ln E[φ²] / d ln q: 0
    for ReLU, which passes on a wrong length unchanged, below 0 for tanh.
    """

    inputs: Floats
    slopes: Floats
    kept: Floats
    scatter: Floats


class Strays:
    """Networks drawn alongside the forward recursion, layer by layer; the same in every call."""

    def __init__(self, rows: int) -> None:
        self.beyond = False  # whether a network's z has left float32's range
        self._rng = np.random.default_rng(1)
        self._inputs = [np.zeros((_NETWORKS, rows))]
        self._slopes: list[Floats] = []
        self._kept: list[Floats] = []
        self._scatter: list[Floats] = []

    def through(
        self, response: Response, mean: float, weights: Floats, biases: float, noise: Floats
    ) -> Floats:
        """Carry the networks through a hidden layer. Returns (rows,): by how much the typical
        network's ln |φ|² differs from ln E[φ²] of its own z.

        ``weights`` (rows,) and ``biases`` are the two parts of the variance of z in the typical
        network. ``noise`` (rows, rows) is the relative covariance of the rows' squared lengths that
        comes from the layer's finite width.
        """
        with np.errstate(all="ignore"):
            typical = np.log(np.maximum(weights + biases, _TINY))  # (rows,)
            drawn = np.logaddexp(np.log(weights) + self._inputs[-1], np.log(biases))
            self.beyond |= not drawn.max() < _BEYOND
            drawn = np.clip(drawn, np.log(_TINY), np.log(_HUGE))  # (networks, rows)
        low, high = min(drawn.min(), typical.min()), max(drawn.max(), typical.max())
        grid = np.linspace(low - 1e-3, high + 1e-3, _GRID)
        at = single_moments(response, np.exp(grid), mean)
        with np.errstate(all="ignore"):
            # If no unit fires both are 0; a floor far below any float keeps differences finite.
            log_square = np.log(np.clip(at.square, _TINY, _HUGE))
            log_slope = np.log(np.clip(at.slope_square, _TINY, _HUGE))
            kept = np.gradient(log_square, grid)
            left = at.far_slopes - np.square(kept) * at.square / np.exp(grid)
            scatter = np.log(np.maximum(np.nan_to_num(left / at.slope_square), _NO_SCATTER))
            log_kept = np.log(np.maximum(kept, _TINY))
            own = np.clip(np.nan_to_num(at.fourth / at.square**2 - 1), 0.0, _HUGE)
        self._slopes.append(np.interp(drawn, grid, log_slope) - np.interp(typical, grid, log_slope))
        self._kept.append(np.interp(drawn, grid, log_kept))
        self._scatter.append(np.interp(drawn, grid, scatter) - np.interp(typical, grid, scatter))
        # Lognormal factors of mean 1, in mirrored pairs. Above a relative variance of 1 (ReLU's is
        # 5/N) they would miss the few huge units whose sum decides for exp.
        covariance = np.log1p(np.clip(np.nan_to_num(noise), -0.5, 1.0))
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        half = self._rng.standard_normal((_NETWORKS // 2, len(typical))) @ root.T
        length = np.interp(drawn, grid, log_square) - np.interp(typical, grid, log_square)
        # The noise is given at the typical network's q; each network has a q of its own.
        at_typical = np.maximum(np.interp(typical, grid, own), 1e-12)
        times = np.sqrt(np.interp(drawn, grid, own) / at_typical)
        length += times * np.stack((half, -half), axis=1).reshape(drawn.shape)
        length -= np.square(times) * np.diagonal(covariance) / 2
        shift: Floats = length.mean(0)
        self._inputs.append(length - shift)
        return shift

    def lengths(self) -> Lengths:
        parts = self._inputs, self._slopes, self._kept, self._scatter
        return Lengths(*map(np.array, parts))


def log_mean(logs: Floats) -> Floats:
    """log of the mean of exp over the last axis."""
    top = logs.max(axis=-1, keepdims=True)
    out: Floats = np.log(np.exp(logs - top).mean(-1)) + top[..., 0]
    return out
