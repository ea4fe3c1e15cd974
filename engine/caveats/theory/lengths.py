"""How far single networks of finite width stray from the length map, and what that does.

It knows layers' widths and an activation's E[φ²] and E[φ'²]; it knows no data beyond rows'
lengths. In a layer of N units the squared length of a row's activations is a mean over N draws,
so it misses E[φ²] by a random factor, much the same for rows that are alike; the next layer
starts from there. For ReLU this is Hanin and Nica's lognormal exactly; for GELU with He weights,
whose length map runs away from its fixed point, it decides the upper layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from caveats.theory.kernels import single_moments
from caveats.theory.response import Floats, Response

__all__ = ["Lengths", "Step", "log_mean", "output_sizes", "stray"]

_NETWORKS = 128
_GRID = 96


class Step(NamedTuple):
    """One hidden layer: z ~ N(mean, q); the next layer's q is gain E[φ²] + offset; ``noise``
    (rows, rows) the relative covariance of the rows' squared lengths that its width adds."""

    response: Response
    mean: float
    gain: float
    offset: float
    noise: Floats


class Lengths(NamedTuple):
    """Deviations of networks from infinite width, as differences of natural logarithms.

    ``inputs`` (layers + 1, networks, rows): of the squared length that feeds each layer;
    ``slopes`` (layers, networks, rows): of E[φ'²] in each hidden layer.
    """

    inputs: Floats
    slopes: Floats


def stray(q: Floats, steps: Sequence[Step]) -> Lengths:
    """Draw networks' lengths, starting from ``q`` (rows,) at the first layer; the same at every
    call."""
    rows = len(q)
    rng = np.random.default_rng(1)
    inputs = np.zeros((len(steps) + 1, _NETWORKS, rows))
    slopes = np.zeros((len(steps), _NETWORKS, rows))
    wide = np.log(np.maximum(q, 1e-300))
    drawn = np.tile(wide, (_NETWORKS, 1))
    for index, step in enumerate(steps):
        low, high = min(drawn.min(), wide.min()), max(drawn.max(), wide.max())
        grid = np.linspace(low - 1e-3, high + 1e-3, _GRID)
        square, fourth, slope_square = single_moments(step.response, np.exp(grid), step.mean)
        with np.errstate(all="ignore"):
            # Where no unit fires both are 0; a floor far below any float keeps differences finite.
            log_square = np.log(np.maximum(square, 1e-300))
            log_slope = np.log(np.maximum(slope_square, 1e-300))
            own = np.nan_to_num(np.maximum(fourth / square**2 - 1, 0.0))
        slopes[index] = np.interp(drawn, grid, log_slope) - np.interp(wide, grid, log_slope)
        # Lognormal factors of mean 1. In pairs with their mirror image, so that the mean over
        # networks is exact.
        covariance = np.log1p(np.maximum(step.noise, -0.5))
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        half = rng.standard_normal((_NETWORKS // 2, rows)) @ root.T
        exact = np.interp(wide, grid, log_square)
        length = np.interp(drawn, grid, log_square)
        # The noise is given at the wide network's q; a network that strayed has its own.
        at_wide = np.maximum(np.interp(wide, grid, own), 1e-12)
        times = np.sqrt(np.interp(drawn, grid, own) / at_wide)
        length += times * np.stack((half, -half), axis=1).reshape(_NETWORKS, rows)
        length -= np.square(times) * np.diagonal(covariance) / 2
        inputs[index + 1] = length - exact
        with np.errstate(all="ignore"):
            gain, offset = np.log(step.gain), np.log(step.offset)
        wide = np.logaddexp(gain + exact, offset)
        drawn = np.logaddexp(gain + length, offset)
    return Lengths(inputs, slopes)


def output_sizes(lengths: Lengths, inputs: Floats, share: float) -> Floats:
    """(networks,): how much larger each network's outputs are than at infinite width.

    ``inputs`` (rows,) squared lengths that feed the output layer at infinite width; ``share`` of
    the outputs' variance comes from the weights and the rest from biases.
    """
    at = np.log(inputs)
    grown = np.exp(np.minimum(log_mean(at + lengths.inputs[-1]) - log_mean(at), 50.0))
    sizes: Floats = np.sqrt(share * grown + 1 - share)
    return sizes


def log_mean(logs: Floats) -> Floats:
    """log of the mean of exp over the last axis."""
    top = logs.max(axis=-1, keepdims=True)
    out: Floats = np.log(np.exp(logs - top).mean(-1)) + top[..., 0]
    return out
