"""The recursion agrees with networks that plain torch draws and differentiates."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from caveats.theory.gram import RandomLayer, backward, forward, output_sizes
from caveats.theory.residuals import residuals
from caveats.theory.response import Response

ROWS, CLASSES = 48, 4


def rows():
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, ROWS)
    x = rng.standard_normal((ROWS, 12)) + 1.5 * np.eye(CLASSES, 12)[y]
    return x, y


def layers_of(name, widths, variance, bias_variance=0.0, bias_mean=0.0):
    sizes = [12, *widths, CLASSES]
    hidden = len(widths)
    return [
        RandomLayer(
            a,
            b,
            variance / a,
            bias_variance,
            bias_mean if i < hidden else 0.0,
            Response.of(name) if i < hidden else None,
        )
        for i, (a, b) in enumerate(pairwise(sizes))
    ]


def predicted(layers, x, y, loss="cross_entropy"):
    passed = forward(x, layers)
    assert passed.beyond is None
    cov = passed.layers[-1].cov
    draws = residuals(cov, 0.0, np.eye(CLASSES)[y], loss, output_sizes(passed))
    found = backward(passed, layers, draws)
    return (
        np.array([g.log_grad_norm.mean() for g in found]) / math.log(10),
        np.array([g.log_delta_rms.mean() for g in found]) / math.log(10),
    )


def measured(activations, layers, x, y, loss, seeds):
    """log10 of ‖dW‖ and of delta_rms, (seeds, layers), from autograd in float64."""
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    norms, deltas = [], []
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape, generator=generator):
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        weights = [
            (draw(la.units, la.fan_in) * la.weight_variance**0.5).requires_grad_() for la in layers
        ]
        zs, h = [], x
        for layer, weight, activation in zip(layers, weights, [*activations, None], strict=True):
            z = h @ weight.T + layer.bias_mean + draw(layer.units) * layer.bias_variance**0.5
            zs.append(z)
            h = z if activation is None else activation(z)
        if loss == "mse":
            target = nn.functional.one_hot(y, CLASSES).double()
            value = nn.functional.mse_loss(h, target)
        else:
            value = nn.functional.cross_entropy(h, y)
        grads = torch.autograd.grad(value, weights + zs)
        norms.append([float(g.norm()) for g in grads[: len(layers)]])
        deltas.append([len(x) * float(g.square().mean().sqrt()) for g in grads[len(layers) :]])
    return np.log10(norms), np.log10(deltas)


@pytest.mark.parametrize(
    ("name", "activation", "variance", "bias_variance", "bias_mean", "loss", "bound"),
    [
        ("relu", nn.ReLU(), 2.0, 0.0, 0.0, "cross_entropy", 0.15),
        ("relu", nn.ReLU(), 1 / 3, 1 / 300, 0.0, "cross_entropy", 0.15),
        ("relu", nn.ReLU(), 2.0, 0.0, 0.3, "mse", 0.15),
        ("sigmoid", nn.Sigmoid(), 1.0, 0.0, 0.0, "cross_entropy", 0.15),
        ("gelu", nn.GELU(), 1.0, 0.1, 0.0, "mse", 0.15),
        ("selu", nn.SELU(), 1.0, 0.0, 0.0, "cross_entropy", 0.15),
        ("hard_tanh", nn.Hardtanh(), 1.5, 0.0, 0.2, "cross_entropy", 0.15),
        ("tanh", nn.Tanh(), 9.0, 0.0, 0.0, "cross_entropy", 0.25),  # chaotic
        ("sin", torch.sin, 4.0, 0.0, 0.0, "cross_entropy", 0.25),  # chaotic
    ],
)
def test_gradients_of_eight_layers(
    name, activation, variance, bias_variance, bias_mean, loss, bound
):
    x, y = rows()
    layers = layers_of(name, [100] * 8, variance, bias_variance, bias_mean)
    norm, delta = predicted(layers, x, y, loss)
    norms, deltas = measured([activation] * 8, layers, x, y, loss, seeds=32)
    assert np.abs(norm - norms.mean(0)).max() <= bound
    assert np.abs(delta - deltas.mean(0)).max() <= bound


def test_layers_of_unequal_widths_and_mixed_activations():
    x, y = rows()
    sizes = [12, 60, 200, 90, CLASSES]
    names = ["tanh", "relu", "sigmoid", None]
    layers = [
        RandomLayer(a, b, 1.5 / a, 0.0, 0.0, None if name is None else Response.of(name))
        for a, b, name in zip(sizes[:-1], sizes[1:], names, strict=True)
    ]
    functions = [torch.tanh, torch.relu, torch.sigmoid]
    norm, delta = predicted(layers, x, y)
    norms, deltas = measured(functions, layers, x, y, "cross_entropy", seeds=32)
    assert np.abs(norm - norms.mean(0)).max() <= 0.1
    assert np.abs(delta - deltas.mean(0)).max() <= 0.1


def test_a_linear_layer_is_exact():
    """One linear layer, mse: the covariance, the output's residuals and ‖dW‖² have closed forms."""
    x, y = rows()
    v, target = 0.7, np.eye(CLASSES)[y]
    layer = [RandomLayer(12, CLASSES, v)]
    passed = forward(x, layer)
    gram = x @ x.T
    assert np.allclose(passed.layers[0].cov, v * gram)
    draws = residuals(passed.layers[0].cov, 0.0, target, "mse", output_sizes(passed))
    (found,) = backward(passed, layer, draws)
    # E‖dW‖² = (2/C)² / n² Σ_ab (C v K_ab + y_a·y_b) K_ab
    expected = (
        (2 / CLASSES) ** 2 / ROWS**2 * ((CLASSES * v * gram + target @ target.T) * gram).sum()
    )
    squares = np.exp(2 * found.log_grad_norm)
    assert squares.mean() == pytest.approx(
        expected, abs=3 * squares.std() / math.sqrt(len(squares))
    )


def test_the_spread_of_he_relu_is_hanin_and_nicas():
    """One row: the relative variance is β = 5 Σ 1/N in every layer."""
    x = np.ones((1, 12))
    widths = [100, 200, 300, 150]
    layers = layers_of("relu", widths, 2.0)
    passed = forward(x, layers)
    cov = passed.layers[-1].cov
    draws = residuals(cov, 0.0, np.eye(CLASSES)[:1], "mse", output_sizes(passed))
    beta = 5 * sum(1 / n for n in widths)
    for gradients in backward(passed, layers, draws):
        assert gradients.spread == pytest.approx(beta, rel=0.2)  # 256 networks


def test_lengths_are_those_of_a_typical_network():
    """The mean over networks of ln z² of a row, 14 layers of 60 units deep; 4 standard errors."""
    x, _ = rows()
    layers = layers_of("gelu", [60] * 14, 2.0)
    found = forward(x, layers)
    logs = []
    for seed in range(300):
        generator = torch.Generator().manual_seed(seed)
        h = torch.from_numpy(x)[found.few]
        for layer in layers[:-1]:
            weight = torch.randn(
                layer.units, layer.fan_in, generator=generator, dtype=torch.float64
            )
            z = h @ weight.T * math.sqrt(layer.weight_variance)
            h = nn.functional.gelu(z)
        logs.append(z.square().mean(1).log().numpy())
    error = np.std(logs, axis=0) / math.sqrt(len(logs))
    typical = np.log(np.diagonal(found.layers[-2].cov)[found.few])
    # ln of the mean square over 60 units lies 1/60 below that of its expectation.
    off = typical - 1 / 60 - np.mean(logs, axis=0)
    assert np.abs(off / error).max() <= 4.0
    # And it is not the infinitely wide network's, which decays far below.
    wide = layers_of("gelu", [100_000] * 14, 2.0)
    lowest = np.log(np.diagonal(forward(x, wide).layers[-2].cov)[found.few])
    assert (np.abs(lowest - 1 / 60 - np.mean(logs, axis=0)) > 8 * error).mean() > 0.5


def test_weights_that_know_their_inputs_are_counted():
    """Random labels, 16 layers of 100 units: without the contribution of δ·z, delta in the first
    layers comes out 0.13 decades too low."""
    x, y = rows()
    y = np.random.default_rng(5).permutation(y)
    layers = layers_of("gelu", [100] * 16, 2.0)
    _, delta = predicted(layers, x, y)
    _, deltas = measured([nn.GELU()] * 16, layers, x, y, "cross_entropy", seeds=96)
    assert np.abs(delta - deltas.mean(0)).max() <= 0.08


@pytest.mark.parametrize(("name", "variance"), [("exp", 2.0), ("relu", 1e30), ("identity", 1e60)])
def test_what_leaves_float_range_is_told_by_its_layer(name, variance):
    x, _ = rows()
    passed = forward(x, layers_of(name, [100] * 8, variance))
    assert passed.beyond is not None
    assert len(passed.layers) == passed.beyond
    assert all(np.isfinite(p.cov).all() for p in passed.layers)
