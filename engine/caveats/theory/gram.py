"""The Gram recursion: a batch's inner products carried forward, its gradients carried back.

It knows layers as widths and variances and an activation's pair expectations; it knows no config,
no data set and no loss. In a layer of N units with weight variance v (of one weight):

    Q^l = v K^{l-1} + v_b            the covariance of z_a, z_b over units
    K^l = N E[φ(z_a) φ(z_b)]         the inner product of two rows' activations
    D^l = D^{l+1} ∘ v' N E[φ'(z_a) φ'(z_b)]     the same of their gradients dLoss/dz
    ‖dW^l‖² = Σ_ab D^l_ab K^{l-1}_ab / rows²

Sources: Poole et al. 2016 and Schoenholz et al. 2017 (length and correlation maps, gradients),
Lee et al. 2018 (the kernel recursion), Hanin and Nica 2018 (what a finite width adds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caveats.theory.kernels import coupling_pairs, moments, pair_expectations, squared_pairs
from caveats.theory.lengths import Lengths, Step, log_mean, stray
from caveats.theory.residuals import Residuals
from caveats.theory.response import Floats, Response

__all__ = [
    "FLOAT32_MAX",
    "Gradients",
    "Layer",
    "Passed",
    "backward",
    "few_rows",
    "forward",
    "stray_lengths",
]

# Networks run in float32, where an entry beyond this is inf; the recursion itself is float64.
FLOAT32_MAX = 3.4028235e38
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of independent weights; ``response`` is None for the output layer.

    ``weight_variance`` and ``bias_variance`` are of one entry, ``bias_mean`` is the constant that
    every bias of the layer starts from.
    """

    fan_in: int
    units: int
    weight_variance: float
    bias_variance: float = 0.0
    bias_mean: float = 0.0
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """What the forward recursion leaves behind at one layer.

    ``inputs`` ⟨x_a, x_b⟩ of what feeds it and ``cov`` of z_a, z_b, each (rows, rows); ``slopes``
    E[φ'φ'] of a hidden layer; ``mean`` and ``variance`` of its activations over units and rows.
    ``kept`` d ln E[φ²] / d ln q: 1 for ReLU, which hands a wrong length on, below 1 for tanh.
    The rest is what a finite width adds: ``coupling`` E[φφ'φφ'], (rows, rows); ``noise`` the
    relative covariance of the rows' squared lengths and ``slope_pairs`` E[φ'²φ'²] / E[φ'²]²,
    both on ``few_rows``.
    """

    inputs: Floats
    cov: Floats
    slopes: Floats | None
    mean: float
    variance: float
    kept: float
    coupling: Floats | None
    noise: Floats | None
    slope_pairs: Floats | None


@dataclass(frozen=True, slots=True)
class Gradients:
    """Gradients at one layer, in natural logarithms (10 sigmoid layers are 1e-7, 200 are 1e-130).

    ``log_grad_norm`` of ‖dLoss/dW‖ and ``log_delta_rms``, each (samples,): one entry for each
    sample of residuals. ``spread``: the relative variance over networks of ‖dLoss/dW‖².
    """

    log_grad_norm: Floats
    log_delta_rms: Floats
    spread: float


def forward(x: Floats, layers: Sequence[Layer]) -> tuple[list[Passed], int | None]:
    """Carry the rows ``x`` (rows, features) through the layers.

    Returns what passed, and the index of the first layer where z leaves float32's range (None
    where none does); the list ends before that layer.
    """
    x = np.asarray(x, dtype=np.float64)
    inputs = x @ x.T
    few = few_rows(len(x))
    done: list[Passed] = []
    for index, layer in enumerate(layers):
        with np.errstate(all="ignore"):
            cov = layer.weight_variance * inputs + layer.bias_variance
            q = float(np.diagonal(cov).mean())
            largest = float(np.sqrt(np.diagonal(cov).max())) + abs(layer.bias_mean)
        if not largest < FLOAT32_MAX:
            return done, index
        if layer.response is None:
            done.append(Passed(inputs, cov, None, layer.bias_mean, q, 1.0, None, None, None))
            continue
        value, slopes = pair_expectations(layer.response, cov, layer.bias_mean)
        near = moments(layer.response, np.array([q, q * 1.01]), layer.bias_mean)
        coupling = coupling_pairs(layer.response, cov, layer.bias_mean)
        value_pairs, slope_pairs = squared_pairs(
            layer.response, cov[np.ix_(few, few)], layer.bias_mean
        )
        mean = float(near.mean[0])
        with np.errstate(all="ignore"):
            variance = max(float(np.diagonal(value).mean() - np.square(near.mean[0])), 0.0)
            kept = float(np.log(near.square[1] / near.square[0]) / np.log(1.01))
            noise = (value_pairs - 1) / layer.units
            done.append(
                Passed(inputs, cov, slopes, mean, variance, kept, coupling, noise, slope_pairs)
            )
            inputs = layer.units * value
    return done, None


def stray_lengths(passed: Sequence[Passed], layers: Sequence[Layer]) -> Lengths:
    """Draws of how far networks of these widths stray from what ``forward`` left, on
    ``few_rows``."""
    few = few_rows(len(passed[0].cov))
    steps = [
        Step(
            layer.response,
            layer.bias_mean,
            after.weight_variance * layer.units,
            after.bias_variance,
            here.noise,
        )
        for layer, after, here in zip(layers, layers[1:], passed, strict=False)
        if layer.response is not None and here.noise is not None
    ]
    return stray(np.diagonal(passed[0].cov)[few], steps)


def backward(
    passed: Sequence[Passed], layers: Sequence[Layer], residuals: Residuals, lengths: Lengths
) -> list[Gradients]:
    """Carry residuals dLoss/dout of each row's own loss back to every layer, output layer last.

    The logarithms are those of a typical network, so what finite width adds is taken off: the
    mean of a lognormal lies above its median (Hanin and Nica: by β/2, β = 5 Σ 1/N for He ReLU).
    """
    draws = residuals.values  # (samples, rows, outputs)
    rows = draws.shape[1]
    few = few_rows(rows)
    own = np.square(draws).sum(2)  # (samples, rows)
    aligned = _squared_cosines(draws[:, few])  # (few, few)
    carried = np.ones((rows, rows))  # D^l without the residuals, in units of exp(log_unit)
    coupled = np.zeros((rows, rows))  # what weights that know the outputs add, same units
    pull = residuals.pull  # E[δ·z], (rows,)
    log_unit = 0.0
    back = np.zeros((len(few), len(few)))
    sway = np.zeros((len(few), len(few)))
    strayed = np.zeros_like(lengths.inputs[0])  # of δ², (networks, few)
    weight = np.log(own[:, few].mean(0) + _TINY)
    out: list[Gradients] = []
    with np.errstate(all="ignore"):
        for index in range(len(layers) - 1, -1, -1):
            layer, here = layers[index], passed[index]
            if here.slopes is not None:
                assert here.coupling is not None
                assert here.slope_pairs is not None
                v = layers[index + 1].weight_variance
                turned = _correlation(carried[np.ix_(few, few)])
                pairs = here.slope_pairs * (1 + 2 * aligned * turned**2)
                back += np.log1p((pairs - 1) / layer.units)
                # ‖dW‖ adds rows up before it squares: its spread is that of rows that agree.
                pairs = here.slope_pairs * (1 + 2 * turned**2)
                sway += np.log1p((pairs - 1) / layer.units)
                after = passed[index + 1]
                added = v * _along_inputs(here.coupling, after.cov, pull, carried, draws.shape[2])
                coupled = here.slopes * coupled + added * np.exp(-log_unit)
                pull = pull * here.kept * v * np.diagonal(after.inputs) / np.diagonal(after.cov)
                carried = here.slopes * carried
                unit = float(np.abs(carried).max())
                if unit > 0:
                    carried, coupled = carried / unit, coupled / unit
                log_unit += float(np.log(v * layer.units * unit))
                strayed = strayed + lengths.slopes[index]
            scale = float(np.abs(here.inputs).max())
            reach = here.inputs / scale
            square = np.einsum("srj,srj->s", np.matmul(carried * reach, draws), draws)
            square = (square + (coupled * reach).sum()) / rows**2
            square = np.maximum(square, 1e-9 * square.max())  # rows may cancel to rounding
            delta = (own @ np.diagonal(carried) + np.trace(coupled)) / (rows * layer.units)
            back_mean = float(back.mean())
            at = weight + np.log(np.diagonal(carried)[few])
            of_delta = log_mean(at + strayed) - log_mean(at)
            at = at + np.log(np.diagonal(reach)[few])
            of_norm = log_mean(at + strayed + lengths.inputs[index]) - log_mean(at)
            shift_delta = float(of_delta.mean()) - back_mean / 2
            shift = float(of_norm.mean()) - back_mean / 2
            out.append(
                Gradients(
                    (np.log(square) + np.log(scale) + log_unit + shift) / 2,
                    (np.log(delta) + log_unit + shift_delta) / 2,
                    float(of_norm.var()) + float(sway.mean()),
                )
            )
    return out[::-1]


def _along_inputs(
    coupling: Floats, cov: Floats, pull: Floats, carried: Floats, outputs: int
) -> Floats:
    """What D gains because W is not independent of what comes back through it, (rows, rows), for
    a weight variance of 1.

    The loss pulls at z = Wx, so Wᵀδ has a part along x, (δ·z/|x|²) x, by Stein's lemma. It is of
    order 1/width but of one sign, and counts where the residuals of different rows cancel: without
    it ‖dW‖ of a He ReLU net on random labels comes out 0.2 to 0.27 decades low. ``pull`` is
    E[δ·z] of each row; layer by layer it keeps the share d ln E[φ²] / d ln q (all of it for ReLU).
    """
    length = np.diagonal(cov)
    along = np.outer(pull / length, pull / length)
    return coupling * along * (1 + _correlation(carried) ** 2 / outputs)


def few_rows(rows: int) -> NDArray[np.intp]:
    """At most 32 of the rows, evenly: corrections of relative size 1/width need no more."""
    return np.unique(np.linspace(0, rows - 1, min(rows, 32)).astype(np.intp))


def _correlation(cov: Floats) -> Floats:
    scale = np.sqrt(np.maximum(np.diagonal(cov), _TINY))
    out: Floats = cov / np.outer(scale, scale)
    return out


def _squared_cosines(draws: Floats) -> Floats:
    unit = draws / np.maximum(np.linalg.norm(draws, axis=2, keepdims=True), 1e-100)
    cosines: Floats = np.square(unit @ unit.transpose(0, 2, 1)).mean(0)
    return cosines
