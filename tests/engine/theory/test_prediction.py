"""`predict` and `factor` of configs: right numbers if theory applies, one sentence if not."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from caveats.config import RunConfig
from caveats.data import load
from caveats.measuring.probe import Probe
from caveats.models.activations import ACTIVATIONS
from caveats.models.initializers import INITIALIZERS
from caveats.models.mlp import build
from caveats.run import probe_rows
from caveats.theory import factor, predict
from caveats.training.losses import LOSSES


def config_of(**network):
    return RunConfig.from_dict({"network": {"widths": [100] * 6, **network}})


def some_rows(rows=32, features=12, classes=3):
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, features)), rng.integers(0, classes, rows)


def test_on_digits_it_agrees_with_the_probe_layer_by_layer():
    config = config_of(activation="relu", init="torch_default")
    data = load(config.data.settings())
    x, y = torch.tensor(data.x[:96]), torch.tensor(data.y[:96])
    found = predict(config, data.x[:96], data.y[:96], data.outputs)
    norms, deltas, dead, std = [], [], [], []
    for seed in range(24):
        network = build(config.network, data.features, data.outputs, seed)
        loss = LOSSES[config.training.loss].make
        layers = Probe(network, loss, x, y).measure().layers
        norms.append(np.log10(layers["grad_norm"]))
        deltas.append(np.log10(layers["delta_rms"]))
        dead.append(layers["dead"] / layers["units"])
        std.append(layers["activation_std"])
    assert np.abs(np.log10(found.grad_norm) - np.mean(norms, 0)).max() <= 0.15
    assert np.abs(np.log10(found.delta_rms) - np.mean(deltas, 0)).max() <= 0.15
    assert np.abs(found.dead_fraction - np.mean(dead, 0))[:-1].max() <= 0.06
    assert np.abs(np.log10(found.activation_std / np.mean(std, 0)))[:-1].max() <= 0.05
    assert math.isnan(found.dead_fraction[-1])
    low, high = found.band
    inside = (np.log10(low) < norms) & (np.array(norms) < np.log10(high))
    assert inside.mean() >= 0.8


@pytest.mark.parametrize("data", ["digits", "spirals"])
def test_on_the_labs_512_rows_residuals_that_cancel_leave_a_prediction(data):
    """The correction for finite width, known on 32 rows, used to be subtracted from sums over all
    rows, which may cancel where the 32 do not: layers 7 to 12 came out a decade too low, or at 0,
    in a band of six decades."""
    config = config_of(widths=[64] * 20, activation="relu", init="torch_default")
    config = config.changed({"data.name": data})
    rows = load(config.data.settings())
    kept = probe_rows(rows.rows)
    x, y = rows.x[kept], rows.y[kept]
    found = predict(config, x, y, rows.outputs)
    norms = []
    for seed in range(12):
        network = build(config.network, rows.features, rows.outputs, seed)
        probe = Probe(network, LOSSES["cross_entropy"].make, torch.tensor(x), torch.tensor(y))
        norms.append(np.log10(probe.measure().layers["grad_norm"]))
    error = np.std(norms, 0) / math.sqrt(len(norms))
    off = np.abs(np.log10(found.grad_norm) - np.mean(norms, 0))
    assert np.all(off <= 0.15 + 2 * error)
    low, high = found.band
    assert np.log10(high / low).max() < 2.5


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_and_initialiser_gets_numbers_or_a_sentence(activation):
    x, y = some_rows()
    for init in INITIALIZERS:
        found = predict(config_of(widths=[30] * 3, activation=activation, init=init), x, y)
        assert found.note
        if found.applies:
            assert np.isfinite(found.grad_norm).all()
            assert (found.delta_rms > 0).all()
            assert (found.band[0] < found.grad_norm).all()
            assert (found.grad_norm < found.band[1]).all()


@pytest.mark.parametrize(
    ("network", "word"),
    [
        ({"normalization": "batch"}, "normalization"),
        ({"dropout": 0.1}, "dropout"),
        ({"residual": True}, "residual"),
        ({"widths": [100, 19]}, "at least 20"),
        ({"init": "lsuv"}, "lsuv"),
        ({"init": "sparse"}, "sparse"),
        ({"init": "zeros"}, "zeros"),
        ({"init": {"name": "uniform", "low": 0.0, "high": 0.1}}, "mean"),
        ({"init": {"name": "normal", "std": 0.0}}, "every weight is 0"),
    ],
)
def test_where_it_does_not_apply_it_says_why_in_one_sentence(network, word):
    x, y = some_rows()
    for found in (predict(config_of(**network), x, y), factor(config_of(**network), 12)):
        text = found.note if hasattr(found, "note") else found.sentence
        assert word in text
        assert "\n" not in text
    assert not predict(config_of(**network), x, y).applies


def test_orthogonal_is_said_to_be_leading_order():
    x, y = some_rows()
    assert "orthogonal" in predict(config_of(activation="tanh", init="orthogonal"), x, y).note


@pytest.mark.parametrize("activation", ["exp", "sin", "relu", "identity"])
def test_an_explosion_is_named_by_its_layer_and_warns_of_nothing(activation):
    x, y = some_rows()
    init = {"name": "normal", "std": 1e6}
    found = predict(config_of(widths=[100] * 30, activation=activation, init=init), x, y)
    assert found.explodes_at is not None
    assert f"layer {found.explodes_at + 1}" in found.note


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias", [-3.0, 3.0, -1e6])
def test_a_bias_that_silences_layers_gets_numbers_or_a_sentence(activation, bias):
    """Rows near the origin: at a bias of -3 none of 100 ReLU units reaches them (Φ(-3/0.05))."""
    x, y = some_rows()
    x[0] *= 0.01
    found = predict(config_of(activation=activation, bias=bias), x, y)
    if found.applies:
        assert np.isfinite(found.grad_norm).all()
        assert np.isfinite(found.delta_rms).all()
    else:
        assert "bias" in found.note or "explodes" in found.note
    if activation == "relu":
        assert found.applies == (bias == 3.0)
        if bias < 0:
            assert found.dead_fraction[0] > 0.0


@pytest.mark.parametrize("activation", ["relu", "gelu", "sigmoid"])
def test_rows_of_zeros_leave_the_gradients_of_the_others(activation):
    """They add nothing to ‖dW‖ of layer 1, and at most halve delta's mean square."""
    config = config_of(activation=activation)
    x, y = some_rows(rows=64)
    whole = predict(config, x, y)
    x[::2] = 0.0
    half = predict(config, x, y)
    assert half.applies
    assert np.abs(np.log10(half.grad_norm / whole.grad_norm)).max() < 0.5
    assert np.abs(np.log10(half.delta_rms / whole.delta_rms)).max() < 0.4
    assert "not all 0" in predict(config, 0 * x, y).note


def test_deep_sigmoid_gradients_below_the_smallest_float_are_told():
    x, y = some_rows()
    found = predict(config_of(widths=[50] * 90, activation="sigmoid", init="xavier_normal"), x, y)
    assert 0 < found.grad_norm[0] < 1e-45
    assert "smallest float" in found.note


def test_a_depth_at_which_chance_decides_is_told():
    """β = 5 L/N: 4 at 80 layers of 100, 0.3 at 6."""
    x, y = some_rows()
    for depth, told in ((80, True), (6, False)):
        found = predict(config_of(widths=[100] * depth, activation="relu"), x, y)
        assert ("single networks differ" in found.note) == told


def test_regression_targets_and_no_hidden_layers():
    x, _ = some_rows()
    y = np.sin(x[:, :2])
    config = RunConfig.from_dict({"network": {"widths": []}})
    found = predict(config, x, y)
    assert found.grad_norm.shape == (1,)
    assert predict(config_of(activation="tanh"), x, y).grad_norm.shape == (7,)


@pytest.mark.parametrize(
    ("network", "features", "expected"),
    [
        ({"activation": "relu", "init": "torch_default"}, 64, math.sqrt(1 / 6)),
        ({"activation": "relu", "init": "he_uniform"}, 64, 1.0),
        ({"activation": "relu", "init": "xavier_normal"}, 100, math.sqrt(0.5)),
        ({"activation": "identity", "init": "orthogonal"}, 100, 1.0),
    ],
)
def test_the_factor_a_layer_in_closed_form(network, features, expected):
    found = factor(config_of(**network), features)
    assert found.per_layer == pytest.approx(expected, abs=1e-6)
    assert found.total == pytest.approx(expected**5, rel=1e-5)
    assert len(found.steps) == 5


def test_the_factor_of_sigmoid_is_said_in_a_sentence():
    found = factor(config_of(widths=[64] * 10, activation="sigmoid", init="xavier_normal"), 64)
    assert found.sentence == (
        "sigmoid + xavier_normal: gradients ×0.23 a layer, ×2e-06 from layer 10 back to layer 1"
    )


def test_the_factor_of_constant_bias_follows_the_shifted_gaussian():
    """ReLU under bias b: E[φ'²] = Φ(b/√q), here with weights so small that every unit fires."""
    config = config_of(activation="relu", init={"name": "normal", "std": 0.001}, bias=1.0)
    assert factor(config, 64).per_layer == pytest.approx(0.001 * math.sqrt(100), rel=1e-4)


def test_importing_theory_does_not_import_torch():
    code = "import sys, caveats.theory; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
