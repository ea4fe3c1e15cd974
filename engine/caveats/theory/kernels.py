"""Gaussian pair expectations E[φ(u)φ(v)] and E[φ'(u)φ'(v)].

There are three ways, each used where it is exact. sin and exp have a closed form. Kinks (all of
ReLU, leaky ReLU, hard tanh; part of SELU) use Plackett's identity: a single integral over the
correlation, which at threshold 0 is the arc-cosine kernel. Smooth parts use a Hermite series:

    E[f(u)f(v)] = Σ_k a_k(u) a_k(v) c^k,   a_k = E[f(mean + √q t) h_k(t)],  t ~ N(0, 1)

Sources: Cho and Saul 2009 (arc-cosine); Plackett 1954, Drezner and Wesolowsky 1990 (the integral);
Mehler's formula (the series).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caveats.theory.response import Floats, Kink, Response

__all__ = [
    "Moments",
    "SingleMoments",
    "WidthPairs",
    "gaussian_moments",
    "normal_cdf",
    "normal_pdf",
    "pair_expectations",
    "single_moments",
    "width_pairs",
]

TERMS = 60  # of the Hermite series
_NODES = 320
_TINY = 1e-150


class _Grid(NamedTuple):
    t: Floats  # (nodes,)
    weight: Floats  # (nodes,), the normal density included
    weighted: Floats  # (nodes, TERMS): weight * h_k(t)


class _Parts(NamedTuple):
    """Hermite coefficients of one function of rows: of its smooth part and of its kinks."""

    rest: Floats  # (rows, TERMS)
    kinks: Floats  # (rows, TERMS)
    square: Floats  # (rows,): E[rest²] + 2 E[rest kinks]


@dataclass(frozen=True, slots=True)
class Moments:
    """Expectations over single rows z ~ N(mean, q), each array of shape (rows,)."""

    mean: Floats  # E[φ]
    square: Floats  # E[φ²]
    slope_square: Floats  # E[φ'²]


class SingleMoments(NamedTuple):
    """As `Moments`, with those that say how far a network of finite width differs; each (rows,)."""

    square: Floats  # E[φ²]
    fourth: Floats  # E[φ⁴]
    slope_square: Floats  # E[φ'²]
    far_slopes: Floats  # E[(z − mean)² φ'²] / q: as slope_square where slopes do not depend on z


class WidthPairs(NamedTuple):
    """Second-order expectations over pairs of rows u, v, each (rows, rows)."""

    squares: Floats  # E[φ²φ²] / (E[φ²] E[φ²]): 1 for independent rows
    slope_squares: Floats  # the same of φ'
    coupling: Floats  # E[φφ'(u) φφ'(v)]
    scatter: Floats  # covariance of (z − mean)φ'(z) without its part along φ: 0 for ReLU


@cache
def _grid() -> _Grid:
    # t = a sinh(s), evenly spaced in s: steps of 0.0007 at 0, where a saturating φ(√q t) changes
    # within 1/√q, and of 0.03 at 1. No node on 0, where most kinks are.
    a, reach = 0.02, 11.0
    step = 2 * np.arcsinh(reach / a) / _NODES
    s = (np.arange(_NODES) - (_NODES - 1) / 2) * step
    t = a * np.sinh(s)
    weight = normal_pdf(t) * a * np.cosh(s) * step
    return _Grid(t, weight, hermite(t, TERMS) * weight[:, None])


@cache
def _legendre(count: int) -> tuple[Floats, Floats]:
    node, weight = np.polynomial.legendre.leggauss(count)
    return (node + 1) / 2, weight / 2


def normal_pdf(t: Floats) -> Floats:
    density: Floats = np.exp(-0.5 * np.square(t)) / np.sqrt(2 * np.pi)
    return density


def normal_cdf(t: Floats) -> Floats:
    """Φ(t), elementwise."""
    import torch  # numpy has no erf

    out: Floats = torch.special.ndtr(torch.from_numpy(np.array(t, dtype=np.float64))).numpy()
    return out


def hermite(t: Floats, terms: int) -> Floats:
    """Normalised Hermite polynomials h_0..h_{terms-1}, E[h_j h_k] = [j = k]: (*t.shape, terms)."""
    out = np.empty((*t.shape, max(terms, 2)))
    out[..., 0], out[..., 1] = 1.0, t
    for k in range(1, terms - 1):
        out[..., k + 1] = (t * out[..., k] - np.sqrt(k) * out[..., k - 1]) / np.sqrt(k + 1)
    return out[..., :terms]


def pair_expectations(response: Response, cov: Floats, mean: float = 0.0) -> tuple[Floats, Floats]:
    """E[φ(z_a)φ(z_b)] and E[φ'(z_a)φ'(z_b)] for every pair of rows, z ~ N(mean, cov).

    ``cov`` (rows, rows), symmetric and positive semidefinite; both results have its shape. Values
    beyond float range are inf, without a warning.
    """
    with np.errstate(all="ignore"):
        closed = _CLOSED.get(response.name)
        if closed is not None:
            return closed(cov, mean)
        scale, c = _scale_and_correlation(cov)
        kinks = response.kinks_seen_at(float(scale.max()))
        value, slope = _coefficients(response, scale, mean, kinks)
        by_value, by_slope = _kink_pairs(kinks, scale, mean, c)
        return _series(value, c, 2) + by_value, _series(slope, c, 1) + by_slope


def gaussian_moments(response: Response, q: Floats, mean: float = 0.0) -> Moments:
    """Expectations over single rows z ~ N(mean, q), ``q`` of shape (rows,)."""
    with np.errstate(all="ignore"):
        q = np.asarray(q, dtype=np.float64)
        grid = _grid()
        value = response.value(mean + np.sqrt(q)[:, None] * grid.t)
        pairs = [pair_expectations(response, one.reshape(1, 1), mean) for one in q]
        return Moments(
            mean=value @ grid.weight,
            square=np.array([by_value[0, 0] for by_value, _ in pairs]),
            slope_square=np.array([by_slope[0, 0] for _, by_slope in pairs]),
        )


def single_moments(response: Response, q: Floats, mean: float = 0.0) -> SingleMoments:
    """Moments of z ~ N(mean, q) by quadrature alone: accurate to 1e-3, in one pass for many q.
    `gaussian_moments` is exact."""
    with np.errstate(all="ignore"):
        grid = _grid()
        value, slope = response.both(mean + np.sqrt(q)[:, None] * grid.t)
        square, slope_square = np.square(value), np.square(slope)
        return SingleMoments(
            square @ grid.weight,
            np.square(square) @ grid.weight,
            slope_square @ grid.weight,
            slope_square @ (np.square(grid.t) * grid.weight),
        )


def width_pairs(response: Response, cov: Floats, mean: float = 0.0) -> WidthPairs:
    """The expectations of finite width for every pair of rows, ``cov`` (rows, rows)."""
    with np.errstate(all="ignore"):
        scale, c = _scale_and_correlation(cov)
        grid = _grid()
        value, slope = response.both(mean + scale[:, None] * grid.t)
        relative = []
        for f in (value * value, slope * slope):
            each = f @ grid.weight
            relative.append(np.nan_to_num(_short_series(f, c) / np.outer(each, each), nan=1.0))
        steep = scale[:, None] * grid.t * slope
        # E[zφ'φ] / E[φ²] = d ln E[φ²] / d ln q is the part of zφ' along φ.
        along = (steep * value) @ grid.weight / ((value * value) @ grid.weight)
        scatter = _short_series(steep - along[:, None] * value, c)
        coupling = _short_series(value * slope, c)
        return WidthPairs(relative[0], relative[1], coupling, np.nan_to_num(scatter))


def _short_series(f: Floats, c: Floats) -> Floats:
    """E[f(z_a)f(z_b)] of f on the grid (rows, nodes), for corrections of relative size 1/width: a
    series of 30 terms, with an exact diagonal."""
    a = f @ _grid().weighted[:, :30]  # (rows, 30)
    total, each = np.zeros_like(c), np.empty_like(c)
    for k in range(29, -1, -1):
        total *= c
        total += np.multiply(a[:, k, None], a[:, k], out=each)
    np.fill_diagonal(total, (f * f) @ _grid().weight)
    return total


def _scale_and_correlation(cov: Floats) -> tuple[Floats, Floats]:
    scale = np.sqrt(np.maximum(np.diagonal(cov), _TINY))  # (rows,)
    c = np.clip(cov / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(c, 1.0)
    return scale, c


def _coefficients(
    response: Response, scale: Floats, mean: float, kinks: tuple[Kink, ...]
) -> tuple[_Parts, _Parts]:
    """Hermite coefficients of φ and φ'. Σ J max(z − t, 0) over the kinks (t, J) is split off, so
    that the quadrature never meets a jump."""
    grid = _grid()
    z = mean + scale[:, None] * grid.t  # (rows, nodes)
    value, slope = response.both(z)
    whole_value, whole_slope = value.copy(), slope.copy()
    in_value = np.zeros((len(scale), TERMS))
    in_slope = np.zeros((len(scale), TERMS))
    order = np.sqrt(np.arange(1, TERMS))
    for where, jump in kinks:
        value -= jump * np.maximum(z - where, 0.0)
        slope -= jump * (z > where)
        at = (where - mean) / scale  # (rows,)
        density, above = normal_pdf(at), normal_cdf(-at)
        h = hermite(np.clip(at, -40.0, 40.0), TERMS)
        step = np.empty_like(in_slope)  # of 1[t > at]: E[h_k 1] = pdf h_{k-1} / √k
        step[:, 0] = above
        step[:, 1:] = density[:, None] * h[:, :-1] / order
        ramp = np.empty_like(in_value)  # of max(t − at, 0): k a_k(ramp)² falls one power faster
        ramp[:, 0] = density - at * above
        ramp[:, 1] = above
        ramp[:, 2:] = step[:, 1:-1] / order[1:]
        in_slope += jump * step
        in_value += jump * scale[:, None] * ramp
    return (
        _Parts(value @ grid.weighted, in_value, value * (2 * whole_value - value) @ grid.weight),
        _Parts(slope @ grid.weighted, in_slope, slope * (2 * whole_slope - slope) @ grid.weight),
    )


def _series(parts: _Parts, c: Floats, first: int) -> Floats:
    """Σ_k c^k over every product of coefficients, except (kink, kink) for k ≥ ``first``, which
    ``_kink_pairs`` has exactly. Stops when what is left of the smooth part is 1e-7 of its size."""
    rest, kinks, square = parts
    whole, has_kinks = rest + kinks, kinks.any()
    size = np.abs(rest).max(axis=1, keepdims=True)
    alive = np.flatnonzero((np.abs(rest) > 1e-7 * size).any(axis=0))
    terms = max(first, int(alive[-1]) + 1 if len(alive) else 0)
    total, each = np.zeros_like(c), np.empty_like(c)
    if terms >= TERMS - 1:  # cut off before that (an even or odd φ has every second order only)
        # The missing rest is known at c = 1. Added at order 2 TERMS it is exact there, and
        # negligible again below c = 0.95.
        left = square - np.einsum("ak,ak->a", rest, rest + 2 * kinks)
        total += np.maximum(c, 0.0) ** (2 * TERMS - terms) * (left[:, None] + left) / 2
    for k in range(terms - 1, -1, -1):
        total *= c
        if k < first:
            total += np.multiply(whole[:, k, None], whole[:, k], out=each)
        else:
            total += np.multiply(rest[:, k, None], whole[:, k], out=each)
            if has_kinks:
                total += np.multiply(kinks[:, k, None], rest[:, k], out=each)
    return total


def _kink_pairs(
    kinks: tuple[Kink, ...], scale: Floats, mean: float, c: Floats
) -> tuple[Floats, Floats]:
    """Σ over pairs of kinks of the Hermite orders k ≥ 2 of E[ramp ramp] and k ≥ 1 of E[step step]:

    step: (1/2π) ∫_0^{asin c} exp(−(h² + k² − 2hk sin θ) / (2 cos² θ)) dθ
    ramp: √(q_a q_b) times the same with (c − sin θ) in front
    """
    by_value, by_slope = np.zeros_like(c), np.zeros_like(c)
    if not kinks:
        return by_value, by_slope
    angle = np.arcsin(c)
    row, column = np.triu_indices(len(c))
    known: dict[tuple[float, float], tuple[Floats, Floats]] = {}
    for first, (where_a, jump_a) in enumerate(kinks):
        for where_b, jump_b in kinks[first:]:
            at_a, at_b = where_a - mean, where_b - mean
            if at_a == at_b == 0:  # the arc-cosine kernel
                step = angle
                ramp = c * angle + np.sqrt(np.maximum(1 - c * c, 0.0)) - 1.0
            elif abs(at_a) == abs(at_b):  # symmetric: half is enough, also for -a, -b
                key = abs(at_a), at_a * at_b
                if key not in known:
                    h, k = at_a / scale, at_b / scale
                    half = _plackett(h[row], k[column], c[row, column], angle[row, column])
                    known[key] = _mirrored(half[0], row, column), _mirrored(half[1], row, column)
                step, ramp = known[key]
                if at_a != at_b:
                    step, ramp = 2 * step, 2 * ramp
            else:
                h, k = at_a / scale, at_b / scale
                step, ramp = _plackett(h[:, None], k[None, :], c, angle)
                step, ramp = step + step.T, ramp + ramp.T
            by_slope += jump_a * jump_b / (2 * np.pi) * step
            by_value += jump_a * jump_b / (2 * np.pi) * ramp
    return by_value * np.outer(scale, scale), by_slope


def _mirrored(half: Floats, row: NDArray[np.intp], column: NDArray[np.intp]) -> Floats:
    side = int(row[-1]) + 1
    whole = np.empty((side, side))
    whole[row, column] = whole[column, row] = half
    return whole


def _plackett(h: Floats, k: Floats, c: Floats, angle: Floats) -> tuple[Floats, Floats]:
    step, ramp = np.zeros_like(c), np.zeros_like(c)
    square, product = (h * h + k * k) / -2, h * k
    for node, weight in zip(*_legendre(12), strict=True):
        sine = np.sin(angle * node)
        value = product * sine
        value += square
        value /= np.maximum(1 - sine * sine, 1e-15)
        np.exp(value, out=value)
        value *= weight
        step += value
        np.subtract(c, sine, out=sine)
        sine *= value
        ramp += sine
    return step * angle, ramp * angle


def _exp_pairs(cov: Floats, mean: float) -> tuple[Floats, Floats]:
    """E[e^u e^v] = exp(2 mean + (q_a + q_b)/2 + cov); exp is its own slope."""
    q = np.diagonal(cov)
    value = np.exp(2 * mean + (q[:, None] + q) / 2 + cov)
    return value, value.copy()


def _sin_pairs(cov: Floats, mean: float) -> tuple[Floats, Floats]:
    """E[sin u sin v] = (E[cos(u − v)] − E[cos(u + v)]) / 2; + for cos, its slope."""
    half = np.diagonal(cov) / 2
    difference = np.exp(cov - half[:, None] - half)
    total = np.cos(2 * mean) * np.exp(-cov - half[:, None] - half)
    return (difference - total) / 2, (difference + total) / 2


_CLOSED: dict[str, Callable[[Floats, float], tuple[Floats, Floats]]] = {
    "exp": _exp_pairs,
    "sin": _sin_pairs,
}
