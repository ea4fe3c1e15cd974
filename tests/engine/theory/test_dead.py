"""The share of units born dead agrees with its closed form, its limits and with drawn units."""

import math

import numpy as np
import pytest

from caveats.theory.dead import DRAWS, dead_fraction
from caveats.theory.kernels import normal_cdf

RELU = (0.0, math.inf)


def equal_correlation(rows, c):
    """∫ Dt Φ(t√(c/(1−c)))ⁿ by midpoints."""
    edges = np.linspace(-9, 9, 20_001)
    t = (edges[1:] + edges[:-1]) / 2
    weight = np.exp(-t * t / 2) * (edges[1] - edges[0]) / math.sqrt(2 * math.pi)
    return float((normal_cdf(t * math.sqrt(c / (1 - c))) ** rows) @ weight)


@pytest.mark.parametrize(("rows", "c"), [(2, 0.5), (20, 0.6), (128, 0.9), (128, 0.99)])
def test_rows_of_one_correlation(rows, c):
    cov = 3.0 * (c + (1 - c) * np.eye(rows))
    expected = equal_correlation(rows, c)
    error = math.sqrt(expected * (1 - expected) / DRAWS)
    assert dead_fraction(cov, 0.0, RELU) == pytest.approx(expected, abs=3 * error)


def test_independent_rows_and_one_row():
    assert dead_fraction(np.eye(4), 0.0, RELU) == pytest.approx(2**-4, abs=0.016)
    assert dead_fraction(np.eye(64), 0.0, RELU) == 0.0
    assert dead_fraction(np.eye(1), 0.0, RELU) == pytest.approx(0.5, abs=0.034)


def test_a_constant_bias_kills_or_saves():
    cov = 0.01 * (0.5 + 0.5 * np.eye(16))
    assert dead_fraction(cov, -3.0, RELU) == 1.0
    assert dead_fraction(cov, 3.0, RELU) == 0.0
    assert dead_fraction(0.0 * cov, -3.0, RELU) == 1.0
    assert dead_fraction(0.0 * cov, 3.0, RELU) == 0.0


def test_both_ends_of_hard_tanh_count_and_rows_may_lie_at_different_ends():
    # z = ±100: each row is flat, at either end, but for the 2·1/100·.4 between −1 and 1.
    cov = 1e4 * np.eye(3)
    inside = float(normal_cdf(np.array([0.01]))[0] - normal_cdf(np.array([-0.01]))[0])
    assert dead_fraction(cov, 0.0, (-1.0, 1.0)) == pytest.approx((1 - inside) ** 3, abs=0.01)


def test_a_singular_or_slightly_indefinite_matrix_is_taken():
    twins = np.ones((5, 5))
    assert dead_fraction(twins, 0.0, RELU) == pytest.approx(0.5, abs=0.034)
    twins[0, 1] = twins[1, 0] = 1.001
    assert dead_fraction(twins, 0.0, RELU) == pytest.approx(0.5, abs=0.06)
