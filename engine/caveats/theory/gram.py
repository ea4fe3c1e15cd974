"""The Gram recursion: carries a batch's inner products forward and its gradients back.

A layer is given by its width, its variances and its activation's pair expectations. In a layer of N
units with weight variance v (of one weight):

    Q^l = v K^{l-1} + v_b            the covariance of z_a, z_b over units
    K^l = N E[φ(z_a) φ(z_b)]         the inner product of two rows' activations
    D^l = D^{l+1} ∘ v' N E[φ'(z_a) φ'(z_b)]     the same of their gradients dLoss/dz
    ‖dW^l‖² = Σ_ab D^l_ab K^{l-1}_ab / rows²

Lengths are those of a typical network of these widths (`lengths`), and D is corrected for the fact
that W also made the outputs (`alignment`). All other effects of a finite width are of relative size
1/N.

Sources: Poole et al. 2016 and Schoenholz et al. 2017 (length and correlation maps, gradients),
Lee et al. 2018 (the kernel recursion), Hanin and Nica 2018 (what a finite width adds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caveats.data.dataset import FLOAT32_MAX
from caveats.theory.alignment import Alignment, Below, diagonals, outer
from caveats.theory.kernels import WidthPairs, gaussian_moments, pair_expectations, width_pairs
from caveats.theory.lengths import Lengths, Strays, log_mean
from caveats.theory.residuals import Residuals
from caveats.theory.response import Floats, Response

__all__ = [
    "Forward",
    "Gradients",
    "Passed",
    "RandomLayer",
    "backward",
    "forward",
]

_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class RandomLayer:
    """One layer of independent weights; ``response`` is None for the output layer.

    ``weight_variance`` and ``bias_variance`` are those of one entry; ``bias_mean`` is the constant
    that every bias of the layer starts from.
    """

    fan_in: int
    units: int
    weight_variance: float
    bias_variance: float = 0.0
    bias_mean: float = 0.0
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """The results of the forward recursion at one layer.

    ``inputs`` is ⟨x_a, x_b⟩ of the layer's inputs and ``cov`` the covariance of z_a, z_b, each
    (rows, rows). ``slopes`` is E[φ'φ'] of a hidden layer; ``mean`` and ``variance`` are those of
    its activations over units and rows. ``pairs``, on ``few_rows``, is the effect of finite width.
    """

    inputs: Floats
    cov: Floats
    bias_variance: float
    slopes: Floats | None
    mean: float
    variance: float
    pairs: WidthPairs | None


@dataclass(frozen=True, slots=True)
class Forward:
    """The results of a typical network at each layer, and ``lengths``: how far single networks
    differ from it on the ``few`` rows. ``between`` (rows, few) carries numbers known on few rows to
    all rows.

    ``beyond`` is the index of the first layer where z leaves float32's range; ``layers`` ends
    before it. ``uneven`` is the index of the first layer where single units decide: |φ|² differs
    between networks by more than its own size, or leaves float32's range in some networks. Both
    are None if there is no such layer."""

    layers: list[Passed]
    few: NDArray[np.intp]
    between: Floats
    lengths: Lengths
    beyond: int | None
    uneven: int | None

    def strayed(self, index: int) -> Floats:
        """(networks, few): by how much ln of z's variance in layer ``index`` differs from the
        typical network's."""
        here = self.layers[index]
        length = np.diagonal(here.cov)[self.few]
        share = 1 - here.bias_variance / length  # of the variance: what weights contribute
        out: Floats = np.log1p(share * np.expm1(np.clip(self.lengths.inputs[index], -30, 50)))
        return out


@dataclass(frozen=True, slots=True)
class Gradients:
    """Gradients at one layer, in natural logarithms (10 sigmoid layers are 1e-7, 200 are 1e-130).

    ``log_grad_norm`` is that of ‖dLoss/dW‖; it and ``log_delta_rms`` are (samples,), one entry for
    each sample of residuals. ``spread`` is the relative variance of ‖dLoss/dW‖² over networks.
    """

    log_grad_norm: Floats
    log_delta_rms: Floats
    spread: float


def forward(x: Floats, layers: Sequence[RandomLayer]) -> Forward:
    """Carry the rows ``x`` (rows, features) through the layers.

    Correlations are those of infinite width. Lengths are those of a typical network of these
    widths; single networks lie on both sides of it. (GELU with He weights: after 30 layers of 300
    units the median network's variance is e^5 times that of an infinitely wide one.)
    """
    x = np.asarray(x, dtype=np.float64)
    inputs = x @ x.T
    few = few_rows(np.diagonal(inputs))
    between = _between(np.log(np.diagonal(inputs) + _TINY), few)
    strays = Strays(len(few))
    done: list[Passed] = []
    uneven: int | None = None
    for index, layer in enumerate(layers):
        with np.errstate(all="ignore"):
            cov = layer.weight_variance * inputs + layer.bias_variance
            q = float(np.diagonal(cov).mean())
            largest = float(np.sqrt(np.diagonal(cov).max())) + abs(layer.bias_mean)
        if not largest < FLOAT32_MAX:  # networks run in float32, the recursion in float64
            return Forward(done, few, between, strays.lengths(), index, uneven)
        if layer.response is None:
            done.append(Passed(inputs, cov, layer.bias_variance, None, layer.bias_mean, q, None))
            continue
        value, slopes = pair_expectations(layer.response, cov, layer.bias_mean)
        near = gaussian_moments(layer.response, np.array([q]), layer.bias_mean)
        near_few = cov[np.ix_(few, few)]
        pairs = width_pairs(layer.response, near_few, layer.bias_mean)
        noise = (pairs.squares - 1) / layer.units
        shift = strays.through(
            layer.response,
            layer.bias_mean,
            layer.weight_variance * np.diagonal(inputs)[few],
            layer.bias_variance,
            noise,
        )
        if uneven is None and (strays.beyond or not np.diagonal(noise).mean() <= 1.0):
            uneven = index
        mean = float(near.mean[0])
        with np.errstate(all="ignore"):
            variance = max(float(np.diagonal(value).mean() - np.square(near.mean[0])), 0.0)
            done.append(Passed(inputs, cov, layer.bias_variance, slopes, mean, variance, pairs))
            half = np.exp(between @ shift / 2)
            inputs = layer.units * value * np.outer(half, half)
    return Forward(done, few, between, strays.lengths(), None, uneven)


def backward(
    forward: Forward, layers: Sequence[RandomLayer], residuals: Residuals
) -> list[Gradients]:
    """Carry residuals dLoss/dout of each row's own loss back to every layer, output layer last.

    The logarithms are those of a typical network, so the part that finite width adds to the mean is
    subtracted: the mean of a lognormal lies above its median (Hanin and Nica: by β/2, β = 5 Σ 1/N
    for He ReLU).
    """
    draws = residuals.values
    samples, rows = draws.shape[:2]
    passed, few, lengths = forward.layers, forward.few, forward.lengths
    at_few = np.ix_(few, few)
    own = np.square(draws).sum(2)  # (samples, rows)
    aligned = _squared_cosines(draws[:, few])  # (few, few)
    carried = np.ones((rows, rows))  # D^l without the residuals, in units of exp(log_unit)
    log_unit = 0.0
    alignment = Alignment(draws[:, few], residuals.pull[:, few])
    back = np.zeros((len(few), len(few)))
    sway = np.zeros((len(few), len(few)))
    strayed = np.zeros_like(lengths.inputs[0])  # of δ², (networks, few)
    weight = np.log(own[:, few].mean(0) + _TINY)
    out: list[Gradients] = []
    with np.errstate(all="ignore"):
        for index in range(len(layers) - 1, -1, -1):
            layer, here = layers[index], passed[index]
            if here.slopes is not None:
                assert here.pairs is not None
                v = layers[index + 1].weight_variance
                turned = _correlation(carried[at_few])
                more = here.pairs.slope_squares * (1 + 2 * aligned * turned**2)
                back += np.log1p((more - 1) / layer.units)
                # ‖dW‖ sums over rows first: its spread is what rows have in common.
                more = here.pairs.slope_squares * (1 + 2 * turned**2)
                sway += np.log1p((more - 1) / layer.units)
                alignment.down(_below(forward, layers, index, samples), carried[at_few])
                carried = here.slopes * carried
                unit = float(np.abs(carried).max())
                if unit > 0:
                    carried = carried / unit
                    alignment.measure_in(unit)
                log_unit += float(np.log(v * layer.units * unit))
                strayed = strayed + lengths.slopes[index]
            scale = float(np.abs(here.inputs).max())
            reach = here.inputs / scale
            back_mean = float(back.mean())
            at = weight + np.log(np.diagonal(carried)[few])
            of_delta = log_mean(at + strayed) - log_mean(at)
            own_delta, top_delta = _own_factors(strayed[:samples])
            spread = own_delta @ forward.between.T  # (samples, rows)
            delta = (np.square(spread) * own) @ np.diagonal(carried)
            delta += (diagonals(alignment.added) * np.square(own_delta)).sum(1) * (rows / len(few))
            at = at + np.log(np.diagonal(reach)[few])
            longer = strayed + lengths.inputs[index]
            of_norm = log_mean(at + longer) - log_mean(at)
            own_norm, top_norm = _own_factors(longer[:samples])
            each = draws * (own_norm @ forward.between.T)[:, :, None]
            square = np.einsum("srj,srj->s", np.matmul(carried * reach, each), each)
            more = _over_all(alignment.added * reach[at_few] * outer(own_norm), rows)
            square = _grown(square, more)
            delta = np.maximum(delta, 1e-9 * delta.max())
            # All networks show how sizes are spread, the samples what else changes.
            shift = top_norm - of_norm[:samples] + of_norm.mean() - back_mean / 2
            shift_delta = top_delta - of_delta[:samples] + of_delta.mean() - back_mean / 2
            out.append(
                Gradients(
                    (np.log(square / rows**2) + np.log(scale) + log_unit + shift) / 2,
                    (np.log(delta / (rows * layer.units)) + log_unit + shift_delta) / 2,
                    float(of_norm.var()) + float(sway.mean()),
                )
            )
    return out[::-1]


def _grown(size: Floats, more: Floats) -> Floats:
    """``size`` + ``more``, where ``more`` is known to first order in 1/width.

    A negative ``more`` becomes a factor exp(more / size), which is the same to that order and keeps
    the result positive. The factor is at least 1/e: beyond that, first order is not enough, and
    residuals that cancel over all rows do not cancel over the few on which ``more`` is known.
    """
    size = np.maximum(size, 1e-9 * size.max())  # rows may cancel to rounding
    less = np.exp(np.clip(more / size, -1.0, 0.0))
    grown: Floats = np.where(more < 0, size * less, size + more)
    return grown


def _over_all(pairs: Floats, rows: int) -> Floats:
    """(samples,): ``pairs`` (samples, few, few) extended to ``rows`` rows and summed over all
    pairs."""
    few = pairs.shape[1]
    same = diagonals(pairs).sum(1)
    others = pairs.sum((1, 2)) - same
    total: Floats = same * (rows / few)
    if few > 1:
        total += others * (rows * (rows - 1) / (few * (few - 1)))
    return total


def _own_factors(logs: Floats) -> tuple[Floats, Floats]:
    """exp of half of (``logs`` − their maximum), ``logs`` (samples, few), and the maximum."""
    top = logs.max(axis=1)
    return np.exp((logs - top[:, None]) / 2), top


def _below(forward: Forward, layers: Sequence[RandomLayer], index: int, samples: int) -> Below:
    """Hidden layer ``index`` of the typical network and of the first ``samples`` networks."""
    here, after, lengths = forward.layers[index], forward.layers[index + 1], forward.lengths
    few = np.ix_(forward.few, forward.few)
    assert here.slopes is not None
    assert here.pairs is not None
    return Below(
        units=layers[index].units,
        weight_variance=layers[index + 1].weight_variance,
        slopes=here.slopes[few],
        coupling=here.pairs.coupling,
        scatter=here.pairs.scatter,
        fed=np.diagonal(after.inputs)[forward.few],
        cov=after.cov[few],
        log_kept=lengths.kept[index][:samples],
        log_scatter=lengths.scatter[index][:samples],
        log_slopes=lengths.slopes[index][:samples],
        log_fed=lengths.inputs[index + 1][:samples],
        log_cov=forward.strayed(index + 1)[:samples],
    )


def output_sizes(forward: Forward) -> Floats:
    """(networks, rows): how much larger each network's outputs are than the typical one's."""
    sizes: Floats = np.exp(forward.strayed(len(forward.layers) - 1) @ forward.between.T / 2)
    return sizes


def few_rows(lengths: Floats) -> NDArray[np.intp]:
    """Indices of at most 32 rows, from short to long. Corrections of relative size 1/width need no
    more; long rows must be among them, as they decide where lengths grow without limit."""
    count = min(len(lengths), 32)
    middles = (np.arange(count) + 0.5) * len(lengths) / count
    found: NDArray[np.intp] = np.argsort(lengths, kind="stable")[middles.astype(np.intp)]
    return found


def _between(lengths: Floats, few: NDArray[np.intp]) -> Floats:
    """(rows, few): the matrix that carries numbers known on ``few`` rows (from short to long) to
    all rows. Rows of about the same length differ from the typical network in the same way."""
    return np.stack([np.interp(lengths, lengths[few], one) for one in np.eye(len(few))], axis=1)


def _correlation(cov: Floats) -> Floats:
    scale = np.sqrt(np.maximum(np.diagonal(cov), _TINY))
    out: Floats = cov / np.outer(scale, scale)
    return out


def _squared_cosines(draws: Floats) -> Floats:
    unit = draws / np.maximum(np.linalg.norm(draws, axis=2, keepdims=True), 1e-100)
    cosines: Floats = np.square(unit @ unit.transpose(0, 2, 1)).mean(0)
    return cosines
