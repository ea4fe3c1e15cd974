"""Fixed points, χ₁ and critical points agree with the papers and with closed forms."""

import math

import pytest

from caveats.theory.meanfield import critical_point, edge_of_chaos, fixed_point, length_map
from caveats.theory.response import Response


def test_the_length_map_of_relu_halves_and_that_of_erf_is_williams():
    import torch

    assert length_map(Response.of("relu"), 3.0, 2.0, 0.1) == pytest.approx(3.1, abs=1e-9)
    q = 0.8
    expected = 2 / math.pi * math.asin(2 * q / (1 + 2 * q))
    assert length_map(Response(torch.erf), q, 1.0) == pytest.approx(expected, abs=1e-9)


def test_schoenholz_edge_of_chaos_of_tanh():
    edge = edge_of_chaos(Response.of("tanh"), 0.05)
    assert edge is not None
    assert edge[0] == pytest.approx(1.7610, abs=5e-5)
    at = fixed_point(Response.of("tanh"), edge[0], 0.05)
    assert at.chi == pytest.approx(1.0, abs=1e-6)
    assert at.q == pytest.approx(edge[1], rel=1e-4)


def test_edges_in_closed_form():
    relu = edge_of_chaos(Response.of("relu"))
    assert relu is not None
    assert relu[0] == pytest.approx(2.0, abs=1e-9)
    assert edge_of_chaos(Response.of("relu"), 0.1) is None  # χ₁ = 1 makes q grow for ever
    leaky = edge_of_chaos(Response.of("leaky_relu"))
    assert leaky is not None
    assert leaky[0] == pytest.approx(2 / 1.0001, abs=1e-7)
    tanh = edge_of_chaos(Response.of("tanh"))
    assert tanh == (pytest.approx(1.0, abs=1e-6), 0.0)


def test_critical_point_of_gelu():
    found = critical_point(Response.of("gelu"))
    assert found is not None
    assert found[0] == pytest.approx((3 + math.sqrt(17)) / 2, abs=1e-6)
    assert critical_point(Response.of("relu")) is None


def test_selus_fixed_point_is_one():
    at = fixed_point(Response.of("selu"), 1.0)
    assert at.q == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("weights", "q", "chi"), [(1.0, 0.0, 0.5), (2.0, 1.0, 1.0), (4.0, math.inf, 2.0)]
)
def test_relu_dies_out_keeps_or_explodes(weights, q, chi):
    at = fixed_point(Response.of("relu"), weights)
    assert (at.q, at.c) == (q, 1.0)
    assert at.chi == pytest.approx(chi, abs=1e-6)
    assert not at.chaotic


def test_torch_default_is_a_sixth_for_relu():
    at = fixed_point(Response.of("relu"), 1 / 3, 1 / 300)
    assert at.chi == pytest.approx(1 / 6, abs=1e-9)
    assert math.sqrt(at.chi) == pytest.approx(0.408, abs=5e-4)
    # The map is q/6 + 1/300.
    assert at.q == pytest.approx(1 / 300 / (1 - 1 / 6), rel=1e-6)
    assert at.depth_of_length == pytest.approx(1 / math.log(6), rel=1e-4)


def test_tanh_with_large_weights_is_chaotic_and_sin_has_a_closed_form():
    at = fixed_point(Response.of("tanh"), 9.0)
    assert at.chaotic
    assert at.c == pytest.approx(0.0, abs=1e-6)  # odd, no biases: different inputs lose all ties
    # sin: q = σ_w² (1 − e^{−2q})/2, χ₁ = σ_w² (1 + e^{−2q})/2
    at = fixed_point(Response.of("sin"), 4.0)
    assert at.q == pytest.approx(2 * (1 - math.exp(-2 * at.q)), rel=1e-9)
    assert at.chi == pytest.approx(2 * (1 + math.exp(-2 * at.q)), rel=1e-9)


def test_exp_explodes_without_a_warning():
    assert fixed_point(Response.of("exp"), 1.0).q == math.inf
