"""What theory predicts for a config on rows of its own data, before the first step.

It combines the parts of this folder. Its quantities are those that a probe measures on a fresh
network, so that the two can be compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from caveats.config import RunConfig
from caveats.data.dataset import FLOAT32_MAX
from caveats.models.initializers import INITIALIZERS
from caveats.theory.applies import layers_of, why_not
from caveats.theory.dead import dead_fraction
from caveats.theory.gram import (
    Gradients,
    Passed,
    RandomLayer,
    backward,
    forward,
    output_sizes,
)
from caveats.theory.residuals import residuals
from caveats.theory.response import Floats
from caveats.training.objective import CLASS_WEIGHTS

__all__ = ["Prediction", "predict"]

FLOAT32_TINY = 1e-45
# The expected number of units of a layer that fire on a row. Below it single units decide: on moons
# with a bias of -1 (8e-4 units) the spread over networks overflows, on digits (1 unit) norms are
# right within .13 decades.
_FEWEST_FIRING = 1e-3


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predictions for each layer, the output last: arrays (layers,) float64, NaN where a layer has
    no such quantity.

    ``grad_norm`` is ‖dLoss/dW‖ of the mean loss over the rows, ``delta_rms`` is that of each row's
    own loss; both are those of a typical network, the geometric mean over seeds. ``band`` (lower,
    upper) for ``grad_norm`` is two standard deviations to each side; it held 93 % of networks
    (median over 72 configs, 79 % in the worst). ``dead_fraction`` is the share of dead units (of
    hidden layers whose activation can be flat), ``activation_std`` is taken over units and rows (of
    hidden layers). Arrays are None if theory does not apply; ``note`` then says why in one
    sentence, otherwise it names the assumptions. ``explodes_at`` is the first layer (from 0) whose
    numbers leave float32's range.
    """

    grad_norm: Floats | None = None
    delta_rms: Floats | None = None
    dead_fraction: Floats | None = None
    activation_std: Floats | None = None
    band: tuple[Floats, Floats] | None = None
    note: str = ""
    explodes_at: int | None = None

    @property
    def applies(self) -> bool:
        return self.grad_norm is not None


def predict(
    config: RunConfig, x: ArrayLike, y: ArrayLike, outputs: int | None = None
) -> Prediction:
    """Predict a fresh network's layers on the rows ``x`` (rows, features), ``y``: (rows,) integer
    classes or (rows, targets) numbers.

    ``outputs`` is the number of output units, needed if ``y`` does not show it (because no row has
    the last class). It takes 0.1 to 0.3 s for 20 layers on 128 rows, and grows with the square of
    the rows.
    """
    reason = why_not(config.network)
    if reason:
        return Prediction(note=reason)
    rows = np.asarray(x, dtype=np.float64)
    if not np.isfinite(rows).all():
        return Prediction(note="theory needs finite inputs")
    if not rows.any():
        return Prediction(note="theory needs inputs that are not all 0")
    target, loss = _target(np.asarray(y), outputs, config.training.loss)
    layers = layers_of(config.network, rows.shape[1], target.shape[1])
    carried = forward(rows, layers)
    passed, explodes_at = carried.layers, carried.beyond
    hidden = len(layers) - 1
    dead, std = np.full(len(layers), np.nan), np.full(len(layers), np.nan)
    for index, here in enumerate(passed[:hidden]):
        response = layers[index].response
        std[index] = np.sqrt(here.variance)
        if response is not None and response.can_die:
            dead[index] = dead_fraction(here.cov, layers[index].bias_mean, response.flat)
    if explodes_at is not None:
        note = f"explodes beyond float range at layer {explodes_at + 1}"
        return Prediction(None, None, dead, std, None, note, explodes_at)
    silent = _silent(layers, passed)
    if silent:
        note = f"theory needs units that fire: with a bias of {config.network.bias:g} {silent}"
        return Prediction(None, None, dead, std, None, note)
    if carried.uneven is not None:
        return Prediction(None, None, dead, std, None, _uneven(config, carried.uneven))
    draws = residuals(
        passed[-1].cov,
        passed[-1].mean,
        target,
        loss,
        output_sizes(carried),
        behind=config.network.output_activation,
        weights=_weights(np.asarray(y), config.training.class_weight),
    )
    gradients = backward(carried, layers, draws)
    return _assemble(config, layers, passed, gradients, dead, std)


def _assemble(
    config: RunConfig,
    layers: list[RandomLayer],
    passed: list[Passed],
    gradients: list[Gradients],
    dead: Floats,
    std: Floats,
) -> Prediction:
    with np.errstate(all="ignore"):  # a gradient that overflows is reported below
        log_norm = np.array([g.log_grad_norm.mean() for g in gradients])
        log_delta = np.array([g.log_delta_rms.mean() for g in gradients])
        # Two standard deviations to each side: from finite width (half, because the logarithm is
        # of the norm, not of its square) and from the random outputs.
        sway = 2 * np.sqrt([g.log_grad_norm.var() + g.spread / 4 for g in gradients])
        norm, delta = np.exp(log_norm), np.exp(log_delta)
        band = np.exp(log_norm - sway), np.exp(log_norm + sway)
    if np.isnan(log_norm).any():
        layer = int(np.flatnonzero(np.isnan(log_norm))[-1])
        return Prediction(None, None, dead, std, None, _uneven(config, layer))
    note = "at step 0, to leading order in 1/width"
    if not all(INITIALIZERS[init.name].independent for init in config.network.layer_inits):
        note += "; orthogonal weights treated as independent ones of the same variance"
    spread = max(g.spread for g in gradients)
    # The spread of ‖dW‖². ReLU networks deeper than half their width reach this, and GELU with He
    # weights from 20 layers on.
    if spread > 2.0:
        note += f"; at this depth single networks differ up to {np.exp(np.sqrt(spread)):.0f}-fold"
    beyond = np.flatnonzero(~(norm < FLOAT32_MAX) | ~(delta < FLOAT32_MAX))
    explodes_at = int(beyond[-1]) if len(beyond) else None  # the first that backward meets
    if explodes_at is not None:
        note = f"gradients explode beyond float range at layer {explodes_at + 1}"
    elif (delta < FLOAT32_TINY).any():
        lost = int(np.flatnonzero(delta < FLOAT32_TINY)[-1])
        note += f"; gradients fall below the smallest float at layer {lost + 1}: a run has 0 there"
    return Prediction(norm, delta, dead, std, band, note, explodes_at)


def _uneven(config: RunConfig, index: int) -> str:
    bias = config.network.bias
    return (
        "theory needs networks that resemble one another: "
        f"in layer {index + 1} single units decide{f' under a bias of {bias:g}' if bias else ''}"
    )


def _silent(layers: list[RandomLayer], passed: list[Passed]) -> str:
    """A phrase about the first hidden layer that a constant bias silences; "" if there is none."""
    for index, (layer, here) in enumerate(zip(layers, passed, strict=True)):
        if layer.response is None or layer.bias_mean == 0.0:
            continue
        assert here.slopes is not None
        if not np.trace(here.slopes) > 0:
            return f"layer {index + 1} is flat on every row"
        low, high = layer.response.flat
        for q in np.diagonal(here.cov):
            scale = math.sqrt(2 * q) or math.inf
            below = math.erfc((low - layer.bias_mean) / scale)  # twice the chance above ``low``
            above = math.erfc((high - layer.bias_mean) / scale)
            if layer.units * (below - above) / 2 < _FEWEST_FIRING:
                return f"some rows hardly reach one in layer {index + 1}"
    return ""


def _weights(y: np.ndarray[Any, Any], class_weight: str) -> Floats | None:
    """The weight of each row by its class, (rows,), None for 1; from the classes of these rows,
    which stand for all training rows."""
    if not np.issubdtype(y.dtype, np.integer):
        return None
    weights = CLASS_WEIGHTS[class_weight].make(np.bincount(y))
    return None if weights is None else np.asarray(weights[y], dtype=np.float64)


def _target(y: np.ndarray[Any, Any], outputs: int | None, loss: str) -> tuple[Floats, str]:
    """``y`` as numbers (rows, outputs), one-hot for classes, and the name of the loss ("auto"
    resolved)."""
    if not np.issubdtype(y.dtype, np.integer):
        numbers = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        return numbers, "mse" if loss == "auto" else loss
    classes = outputs or int(y.max()) + 1
    if loss == "bce" and classes <= 2:  # the single output of two classes
        return y[:, None].astype(np.float64), loss
    return np.eye(classes)[y], "cross_entropy" if loss == "auto" else loss
