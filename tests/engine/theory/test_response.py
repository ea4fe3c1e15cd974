"""What theory reads from an activation agrees with the table of choices and with calculus."""

import math

import numpy as np
import pytest
import torch

from caveats.models.activations import ACTIVATIONS
from caveats.theory.response import Response


def test_kinks_are_where_the_formulas_have_them():
    found = {name: Response.of(name).kinks for name in ACTIVATIONS}
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    expected = {
        "relu": [(0, 1)],
        "leaky_relu": [(0, 0.99)],
        "prelu": [(0, 0.75)],
        "relu6": [(0, 1), (6, -1)],
        "selu": [(0, scale * (1 - alpha))],
        "hard_sigmoid": [(-3, 1 / 6), (3, -1 / 6)],
        "hard_tanh": [(-1, 1), (1, -1)],
    }
    for name, kinks in found.items():
        wanted = expected.get(name, [])
        assert len(kinks) == len(wanted), name
        for kink, (where, jump) in zip(kinks, wanted, strict=True):
            assert kink == (pytest.approx(where, abs=1e-6), pytest.approx(jump, abs=1e-6)), name


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_tables_flat_ends_are_flat_and_nothing_else_is(name):
    response = Response.of(name)
    low, high = response.flat
    z = np.linspace(-8.0, 8.0, 1601) + 1e-4
    flat = response.slope(z) == 0
    assert np.array_equal(flat, (z <= low) | (z >= high))
    assert response.can_die == bool(flat.any())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_slope_is_the_derivative_of_the_value(name):
    response = Response.of(name)
    z = np.linspace(-4.03, 4.05, 50)
    numeric = (response.value(z + 1e-6) - response.value(z - 1e-6)) / 2e-6
    assert np.allclose(response.slope(z), numeric, atol=1e-6 * (1 + np.abs(numeric)).max())


def test_seen_from_afar_a_smooth_relu_has_a_kink_and_tanh_has_none():
    assert Response.of("gelu").kinks_seen_at(1.0) == ()
    ((where, by),) = Response.of("gelu").kinks_seen_at(100.0)
    assert (where, by) == (0.0, pytest.approx(1.0))
    assert Response.of("tanh").kinks_seen_at(100.0) == ()
    # SELU has its own kink at the same place: there is one, of the whole size.
    ((where, by),) = Response.of("selu").kinks_seen_at(100.0)
    assert (where, by) == (0.0, pytest.approx(1.0507009873554805))


def test_a_users_own_function_needs_no_table():
    response = Response(torch.erf)
    assert response.kinks == ()
    assert response.slope(np.array([0.0]))[0] == pytest.approx(2 / math.sqrt(math.pi))
