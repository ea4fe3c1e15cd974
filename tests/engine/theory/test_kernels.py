"""Pair expectations agree with closed forms, with brute-force integrals and with Monte Carlo."""

import math

import numpy as np
import pytest
import torch

from caveats.models.activations import ACTIVATIONS
from caveats.theory.kernels import gaussian_moments, normal_cdf, pair_expectations, width_pairs
from caveats.theory.response import Response

CORRELATIONS = (-0.9, -0.3, 0.0, 0.4, 0.8, 0.95)


def covariance(q_a, q_b, c):
    off = c * math.sqrt(q_a * q_b)
    return np.array([[q_a, off], [off, q_b]])


def brute(function, q_a, q_b, c, mean):
    """E[f(u)f(v)] by midpoints on a grid of 1,000 by 1,000, over u and the part of v that is
    independent of u; the cells are cut at the kinks."""
    edges = np.linspace(-8, 8, 1001)
    t = (edges[1:] + edges[:-1]) / 2
    weight = np.exp(-t * t / 2) * (edges[1] - edges[0]) / math.sqrt(2 * math.pi)
    u = function(mean + math.sqrt(q_a) * t)
    v = function(mean + math.sqrt(q_b) * (c * t[:, None] + math.sqrt(1 - c * c) * t))
    return float((u * weight) @ (v @ weight))


def arc_cosine(q_a, q_b, c):
    angle = math.acos(c)
    root = math.sqrt(q_a * q_b)
    value = root * (math.sin(angle) + (math.pi - angle) * c) / (2 * math.pi)
    return value, (math.pi - angle) / (2 * math.pi)


@pytest.mark.parametrize("c", CORRELATIONS)
def test_relu_and_leaky_relu_are_the_arc_cosine_kernel(c):
    value, slope = pair_expectations(Response.of("relu"), covariance(2.0, 0.7, c))
    expected, expected_slope = arc_cosine(2.0, 0.7, c)
    assert value[0, 1] == pytest.approx(expected, abs=1e-9)
    assert slope[0, 1] == pytest.approx(expected_slope, abs=1e-9)
    # φ(z) = .01 z + .99 relu(z): E[φφ] = .01² E + 2·.01·.99 E[z relu] + .99² E[relu relu]
    value, slope = pair_expectations(Response.of("leaky_relu"), covariance(2.0, 0.7, c))
    cross = c * math.sqrt(1.4) / 2
    assert value[0, 1] == pytest.approx(
        1e-4 * 2 * cross + 2 * 0.0099 * cross + 0.9801 * expected, abs=1e-7
    )
    assert slope[0, 1] == pytest.approx(1e-4 + 0.0099 + 0.9801 * expected_slope, abs=1e-7)


@pytest.mark.parametrize("c", CORRELATIONS)
@pytest.mark.parametrize("q", [0.1, 2.0])
def test_erf_is_the_arcsine_kernel_of_williams(c, q):
    value, slope = pair_expectations(Response(torch.erf), covariance(q, q, c))
    assert value[0, 1] == pytest.approx(2 / math.pi * math.asin(2 * c * q / (1 + 2 * q)), abs=1e-9)
    root = math.sqrt((1 + 2 * q) ** 2 - (2 * c * q) ** 2)
    # 1e-8: 60 terms of the series at c = .95, q = 2
    assert slope[0, 1] == pytest.approx(4 / math.pi / root, abs=1e-8)


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n != "exp"])
@pytest.mark.parametrize(("q", "c", "mean"), [(1.0, 0.5, 0.0), (6.0, 0.9, -0.7)])
def test_every_activation_agrees_with_a_brute_force_integral(name, q, c, mean):
    response = Response.of(name)
    value, slope = pair_expectations(response, covariance(q, 1.3 * q, c), mean)
    for ours, function in ((value, response.value), (slope, response.slope)):
        expected = brute(function, q, 1.3 * q, c, mean)
        scale = math.sqrt(ours[0, 0] * ours[1, 1])
        # 8e-3: a step of the brute force's own grid at a jump of the slope
        assert ours[0, 1] == pytest.approx(expected, abs=8e-3 * scale)


@pytest.mark.parametrize("c", CORRELATIONS)
def test_exp_is_lognormal(c):
    value, _ = pair_expectations(Response.of("exp"), covariance(0.5, 0.5, c), 0.3)
    assert value[0, 1] == pytest.approx(brute(np.exp, 0.5, 0.5, c, 0.3), rel=1e-6)


@pytest.mark.parametrize("name", ["tanh", "softsign", "hard_tanh", "selu"])
def test_in_wide_inputs_and_near_twins_the_errors_stay_small(name):
    """√q = 10 and correlation .9: far in the chaotic phase, against 2 million draws."""
    response = Response.of(name)
    cov = covariance(100.0, 100.0, 0.9)
    draws = np.random.default_rng(0).standard_normal((2_000_000, 2)) @ np.linalg.cholesky(cov).T
    value, slope = pair_expectations(response, cov)
    for ours, function in ((value, response.value), (slope, response.slope)):
        product = function(draws[:, 0]) * function(draws[:, 1])
        error = 3 * product.std() / 2_000_000**0.5
        assert ours[0, 1] == pytest.approx(product.mean(), abs=error + 0.02 * product.mean())


def test_single_rows_agree_with_the_closed_form_of_relu_with_bias():
    q, mean = 2.0, 0.5
    at = gaussian_moments(Response.of("relu"), np.array([q]), mean)
    s = math.sqrt(q)
    density = math.exp(-((mean / s) ** 2) / 2) / math.sqrt(2 * math.pi)
    above = float(normal_cdf(np.array([mean / s]))[0])
    assert at.mean[0] == pytest.approx(mean * above + s * density, abs=1e-5)
    assert at.square[0] == pytest.approx((mean**2 + q) * above + mean * s * density, abs=1e-9)
    assert at.slope_square[0] == pytest.approx(above, abs=1e-9)


def test_squares_of_relu_fluctuate_as_hanin_and_nica_say():
    """E[φ⁴]/E[φ²]² = 6 and E[φ'⁴]/E[φ'²]² = 2: β is 5/N a layer either way."""
    found = width_pairs(Response.of("relu"), covariance(1.0, 1.0, 0.5))
    assert found.squares[0, 0] == pytest.approx(6.0, rel=1e-3)
    assert found.slope_squares[0, 0] == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_huge_and_tiny_inputs_give_numbers_or_inf_without_a_warning(name):
    for q in (1e-30, 1e30, 1e300):
        value, slope = pair_expectations(Response.of(name), covariance(q, q, 0.5))
        assert not np.isnan(value).any()
        assert not np.isnan(slope).any()
