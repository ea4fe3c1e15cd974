"""Mean-field quantities of one layer repeated infinitely often: fixed points, χ₁, depth scales, the
edge of chaos.

They depend on the activation, on the variances σ_w² (of a weight, times its fan_in) and σ_b², and
on the mean of the biases. Sources: Poole et al. 2016, Schoenholz et al. 2017, Roberts, Yaida and
Hanin 2022 (critical points).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from caveats.theory.kernels import gaussian_moments, pair_expectations, single_moments
from caveats.theory.response import Floats, Response

__all__ = [
    "FixedPoint",
    "critical_point",
    "edge_of_chaos",
    "fixed_point",
    "length_map",
]

_LOW, _HIGH = 1e-6, 1e6  # fixed points are searched for between these lengths q


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """The limit of a deep network's signal, and how fast it is reached.

    ``q`` is the variance of z (0 if signals die out, inf if they explode), ``c`` the correlation of
    two different inputs, ``chi`` is χ₁ = σ_w² E[φ'²], by which each layer multiplies δ².
    ``depth_of_length`` and ``depth_of_correlation`` are ξ: the number of layers over which a
    deviation falls by a factor e (inf at criticality).
    """

    q: float
    c: float
    chi: float
    depth_of_length: float
    depth_of_correlation: float

    @property
    def chaotic(self) -> bool:
        """Whether nearby inputs move apart with depth, and gradients explode."""
        return self.chi > 1.0 + 1e-9 and self.c < 1.0


def length_map(
    response: Response, q: float, weights: float, biases: float = 0.0, mean: float = 0.0
) -> float:
    """The next layer's q: σ_w² E[φ²] + σ_b² (Poole et al. 2016, eq. 3)."""
    return weights * float(gaussian_moments(response, np.array([q]), mean).square[0]) + biases


def fixed_point(
    response: Response, weights: float, biases: float = 0.0, mean: float = 0.0
) -> FixedPoint:
    """The stable fixed point that the length map reaches from q = 1, with its quantities.

    ``weights`` is σ_w² and ``biases`` is σ_b², both variances; ``mean`` is the constant that biases
    start from. If every q is a fixed point (ReLU with σ_w² = 2), it is q = 1.
    """

    def excess(q: float) -> float:  # of ln q
        return math.log(max(length_map(response, q, weights, biases, mean), 1e-300) / q)

    q = _follow(excess)
    if q == 0.0 or math.isinf(q):
        edge = _LOW * 1e-3 if q == 0.0 else _HIGH
        chi = weights * float(gaussian_moments(response, np.array([edge]), mean).slope_square[0])
        return FixedPoint(q, 1.0, chi, _depth(chi), _depth(chi))
    at = gaussian_moments(response, np.array([q]), mean)
    chi = weights * float(at.slope_square[0])
    step = 1e-3
    slope = (
        length_map(response, q * (1 + step), weights, biases, mean)
        - length_map(response, q * (1 - step), weights, biases, mean)
    ) / (2 * step * q)

    def pair(c: float) -> tuple[float, float]:
        value, slopes = pair_expectations(response, q * np.array([[1.0, c], [c, 1.0]]), mean)
        return (weights * float(value[0, 1]) + biases) / q, weights * float(slopes[0, 1])

    c = 1.0
    if chi > 1.0 + 1e-9:
        c = _solution(lambda c: pair(c)[0] - c, 0.0, 1.0 - 1e-7)
    return FixedPoint(q, c, chi, _depth(slope), _depth(chi if c == 1.0 else pair(c)[1]))


def edge_of_chaos(
    response: Response, biases: float = 0.0, mean: float = 0.0
) -> tuple[float, float] | None:
    """(σ_w², q*) with χ₁ = 1 at the fixed point, for a given σ_b²; None if there is none.

    At χ₁ = 1, σ_w² = 1/E[φ'²], so q* solves q = E[φ²]/E[φ'²] + σ_b² (Schoenholz et al. 2017,
    section 3.2). For ReLU every q is a solution, and q* = 1 is returned; tanh with σ_b² = 0 has
    q* = 0.
    """

    def ratio(q: float) -> float:
        at = gaussian_moments(response, np.array([q]), mean)
        return (float(at.square[0]) / float(at.slope_square[0]) + biases) / q - 1.0

    grid = np.geomspace(_LOW, _HIGH, 121)
    at_grid = single_moments(response, grid, mean)
    with np.errstate(all="ignore"):
        signs = (at_grid.square / at_grid.slope_square + biases) / grid - 1.0
    if np.abs(ratio(1.0)) < 1e-9:
        q = 1.0
    elif (found := _sign_change(grid, signs)) is not None:
        q = _solution(ratio, *found)
    elif abs(signs[0]) < 1e-3:
        q = 0.0
    else:
        return None
    at = gaussian_moments(response, np.array([max(q, 1e-12)]), mean)
    return 1.0 / float(at.slope_square[0]), q


def critical_point(response: Response) -> tuple[float, float, float] | None:
    """(q*, σ_w², σ_b²) where both χ₁ and the length map's slope are 1; None if there is none.

    Both are 1 where E[φφ''] = 0; by Stein's lemma E[tφφ']/√q = E[φ'²] + E[φφ''] (Roberts, Yaida
    and Hanin 2022, section 5.3.4: GELU at q* = (3 + √17)/2).
    """
    grid = np.geomspace(1e-2, 1e4, 25)
    signs = np.array([_bend(response, q) for q in grid])
    found = _sign_change(grid, signs)
    if found is None or np.abs(signs).max() < 1e-6:  # 0 for ReLU at every q: φφ'' is 0
        return None
    q = _solution(lambda q: _bend(response, q), *found)
    at = gaussian_moments(response, np.array([q]))
    weights = 1.0 / float(at.slope_square[0])
    return q, weights, q - weights * float(at.square[0])


def _bend(response: Response, q: float) -> float:
    """E[φφ''] at variance q, by a central difference of E[φ²]."""
    step = 1e-4
    near = gaussian_moments(response, q * np.array([1 - step, 1.0, 1 + step]))
    rise = (near.square[2] - near.square[0]) / (2 * step * q)
    return float(rise - near.slope_square[1])


def _depth(factor: float) -> float:
    """ξ = −1/ln(factor): the layers over which a deviation falls (or grows) by a factor e."""
    if factor <= 0.0 or abs(factor - 1.0) < 1e-12:
        return math.inf if factor > 0 else 0.0
    return abs(1.0 / math.log(factor))


def _follow(excess: Callable[[float], float]) -> float:
    """The q that a map with ln(next/q) = excess(q) reaches from 1: the first root on its way."""
    here = excess(1.0)
    if abs(here) < 1e-9:
        return 1.0
    grid = np.geomspace(1.0, _HIGH if here > 0 else _LOW, 61)
    last = 1.0
    for q in grid[1:]:
        if (excess(float(q)) > 0) != (here > 0):
            return _solution(excess, min(last, float(q)), max(last, float(q)))
        last = float(q)
    return math.inf if here > 0 else 0.0


def _sign_change(grid: Floats, values: Floats) -> tuple[float, float] | None:
    with np.errstate(all="ignore"):
        found = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
    return None if not len(found) else (float(grid[found[0]]), float(grid[found[0] + 1]))


def _solution(function: Callable[[float], float], low: float, high: float) -> float:
    """A root between two points of different sign, by the Illinois variant of regula falsi: about
    10 steps, where bisection takes 50."""
    at_low, at_high = function(low), function(high)
    middle = low
    for _ in range(100):
        if at_low == at_high:
            break
        last, middle = middle, (low * at_high - high * at_low) / (at_high - at_low)
        here = function(middle)
        if here == 0.0 or abs(middle - last) <= 1e-13 * abs(middle):
            break
        if (here > 0) == (at_high > 0):
            high, at_high, at_low = middle, here, at_low / 2
        else:
            low, at_low, at_high = middle, here, at_high / 2
    return middle
