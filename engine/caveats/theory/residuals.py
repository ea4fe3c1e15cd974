"""The residuals dLoss/dz of the output layer at step 0, for outputs z drawn as theory says.

At infinite width every output of a row is a Gaussian with the output layer's covariance over rows,
independent of the other outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from caveats.theory.response import Floats

__all__ = ["LOSSES", "Residuals", "residuals"]

_DRAWS = 320  # outputs drawn in all: the mean over samples is accurate to 0.02 decades
_FEWEST, _FEWEST_OF_MANY, _MANY = 64, 32, 256  # samples, for many rows, whose sums scatter less


@dataclass(frozen=True, slots=True)
class Residuals:
    """Draws of the residuals, one network for each sample. ``values`` (samples, rows, outputs) is
    dLoss/dz of each row's own loss. ``pull`` (samples, rows) is (z − mean)·dLoss/dz: how strongly
    the loss pulls each output along its own direction."""

    values: Floats
    pull: Floats


def residuals(
    cov: Floats,
    mean: float,
    target: Floats,
    loss: str,
    sizes: Floats,
    *,
    behind: str = "none",
    weights: Floats | None = None,
) -> Residuals:
    """Residuals for outputs ~ N(mean, size² cov), independent over outputs.

    ``cov`` is (rows, rows); ``target`` (rows, outputs), one-hot for classes; ``loss`` is a key of
    `LOSSES`, with torch's reduction over outputs. ``sizes`` (networks, rows) says how much larger
    the outputs of single networks are than typical. ``behind`` is network.output_activation,
    ``weights`` (rows,) multiply each row's loss. The draws are the same in every call.
    """
    rows, outputs = target.shape
    fewest = _FEWEST if rows < _MANY else _FEWEST_OF_MANY  # the cost goes with rows²
    samples = min(max(fewest, _DRAWS // outputs), len(sizes))
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))  # (rows, rows)
    drawn = root @ np.random.default_rng(0).standard_normal((samples, rows, outputs))
    drawn *= sizes[:samples, :, None]
    found = _gradient(mean + drawn, target, loss, behind)
    if weights is not None:
        found = found * weights[:, None]
    return Residuals(found, (found * drawn).sum(2))


def _gradient(z: Floats, target: Floats, loss: str, behind: str) -> Floats:
    """dLoss/dz of each row's loss on what ``behind`` makes of z (samples, rows, outputs)."""
    if behind == "none":
        return LOSSES[loss](z, target)
    if loss == "bce" and behind in ("sigmoid", "softmax"):
        loss = "bce_on_probabilities"
    if behind == "softmax":
        shares = _softmax(z)
        pull = LOSSES[loss](shares, target)
        found: Floats = shares * (pull - (shares * pull).sum(-1, keepdims=True))
    elif behind == "sigmoid":
        out = _sigmoid(z)
        found = LOSSES[loss](out, target) * out * (1 - out)
    elif behind == "tanh":
        out = np.tanh(z)
        found = LOSSES[loss](out, target) * (1 - out**2)
    else:
        assert behind == "relu"
        found = LOSSES[loss](np.maximum(z, 0.0), target) * (z > 0)
    return found


# dLoss/dout of each row's own loss, for outputs (…, outputs).
LOSSES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "cross_entropy": lambda out, t: _softmax(out) - t,
    "bce": lambda out, t: (_sigmoid(out) - t) / out.shape[-1],
    "bce_on_probabilities": lambda out, t: (
        (out - t) / np.maximum(out * (1 - out), 1e-12) / out.shape[-1]  # as torch bounds it
    ),
    "mse": lambda out, t: 2 * (out - t) / out.shape[-1],
    "l1": lambda out, t: np.sign(out - t) / out.shape[-1],
    "huber": lambda out, t: np.clip(out - t, -1, 1) / out.shape[-1],
}


def _sigmoid(z: Floats) -> Floats:
    found: Floats = 0.5 * (1 + np.tanh(z / 2))  # no overflow
    return found


def _softmax(out: Floats) -> Floats:
    odds = np.exp(out - out.max(axis=-1, keepdims=True))
    shares: Floats = odds / odds.sum(axis=-1, keepdims=True)
    return shares
