"""The residuals dLoss/dout at step 0, for outputs drawn as theory says.

At infinite width every output of a row is a Gaussian with the output layer's covariance over rows,
independent of the other outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caveats.theory.response import Floats

__all__ = ["Residuals", "residuals"]

_DRAWS = 320  # outputs drawn in all: the mean over samples is accurate to 0.02 decades
_FEWEST, _FEWEST_OF_MANY, _MANY = 64, 32, 256  # samples, for many rows, whose sums scatter less


@dataclass(frozen=True, slots=True)
class Residuals:
    """Draws of the residuals, one network for each sample. ``values`` (samples, rows, outputs) is
    dLoss/dout of each row's own loss. ``pull`` (samples, rows) is (out − mean)·dLoss/dout: how
    strongly the loss pulls each output along its own direction."""

    values: Floats
    pull: Floats


def residuals(cov: Floats, mean: float, target: Floats, loss: str, sizes: Floats) -> Residuals:
    """Residuals for outputs ~ N(mean, size² cov), independent over outputs.

    ``cov`` is (rows, rows); ``target`` (rows, outputs), one-hot for classes; ``loss`` is
    cross_entropy or mse, with torch's reduction over outputs. ``sizes`` (networks, rows) says how
    much larger the outputs of single networks are than typical. The draws are the same in every
    call.
    """
    rows, outputs = target.shape
    fewest = _FEWEST if rows < _MANY else _FEWEST_OF_MANY  # the cost goes with rows²
    samples = min(max(fewest, _DRAWS // outputs), len(sizes))
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))  # (rows, rows)
    drawn = root @ np.random.default_rng(0).standard_normal((samples, rows, outputs))
    drawn *= sizes[:samples, :, None]
    found = 2 * (mean + drawn - target) / outputs if loss == "mse" else _softmax(drawn) - target
    return Residuals(found, (found * drawn).sum(2))


def _softmax(out: Floats) -> Floats:
    odds = np.exp(out - out.max(axis=-1, keepdims=True))
    shares: Floats = odds / odds.sum(axis=-1, keepdims=True)
    return shares
