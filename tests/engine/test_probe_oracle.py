"""The probe against a numpy oracle that shares no code with it, over random configs."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.measuring.probe import Measurement
from caveats.models.mlp import linears
from caveats.run import Run

sys.path.insert(0, str(Path(__file__).parent))
import oracle

ACTIVATIONS = ("relu", "tanh", "sigmoid", "leaky_relu")
INITS = (
    "he_normal", "xavier_uniform", "torch_default", "orthogonal", "lecun_normal", "constant",
    "zeros", {"name": "normal", "std": 1.0}, {"name": "normal", "std": 0.1},
    "randomized_asymmetric", "sparse",
)  # fmt: skip
DATA = ("moons", "spirals", "blobs", "abs", "sine", "gaussian_teacher")


def random_config(seed: int) -> RunConfig:
    draw = np.random.Generator(np.random.PCG64(seed))
    name = str(draw.choice(DATA))
    depth = int(draw.integers(0, 6))
    numbers = name in ("abs", "sine")
    return RunConfig.from_dict(
        {
            "data": {"name": name, "n": int(draw.integers(20, 900)), "standardize": bool(seed % 3)},
            "network": {
                "widths": [int(w) for w in draw.integers(1, 40, depth)],
                # All of one kind for the first seeds, then a mixture of layers.
                "activation": ACTIVATIONS[seed % 4]
                if seed < 32
                else [str(a) for a in draw.choice(ACTIVATIONS, depth)],
                "init": INITS[int(draw.integers(len(INITS)))],
                "bias": float(draw.choice([0.0, 0.0, 0.5, -0.5])),
            },
            "optimizer": {"name": str(draw.choice(["sgd", "adam"])), "lr": 0.02},
            "training": {
                "loss": "mse" if numbers else str(draw.choice(["mse", "cross_entropy"])),
                "batch_size": 16,
                "seed": seed,
            },
        }
    )


@cache
def measured_run(seed: int) -> tuple[Run, Measurement]:
    """A few steps of a random config, and what the probe says then: for both tests."""
    run = Run(random_config(seed), every=10**9)
    for _ in range(seed % 5):
        run.advance()
    return run, run.probe.measure(deep=True)


@pytest.mark.parametrize("seed", range(64))
def test_agrees_with_numpy(seed: int) -> None:
    run, measured = measured_run(seed)
    config = run.config
    layers = linears(run.trainer.network)
    rows = run.probe.y.numpy()
    expected = oracle.measure(
        [layer.weight.detach().numpy().astype(np.float64) for layer in layers],
        [layer.bias.detach().numpy().astype(np.float64) for layer in layers],
        list(config.network.activations),
        run.probe.x.numpy().astype(np.float64),
        rows if rows.dtype == np.int64 else rows.astype(np.float64),
        config.training.loss,
    )
    assert measured.loss == pytest.approx(expected.loss, rel=1e-4)
    for name in ("dead", "saturated", "dormant", "distinct"):
        assert measured.layers[name].tolist() == getattr(expected, name), name
    for name in ("grad_norm", "delta_rms", "weight_norm"):
        np.testing.assert_allclose(
            measured.layers[name], getattr(expected, name), rtol=1e-4, err_msg=name
        )
    for name in ("activation_mean", "activation_std"):
        size = np.hypot(expected.activation_mean, expected.activation_std)
        difference = np.abs(measured.layers[name] - getattr(expected, name))
        assert (difference <= 1e-4 * size).all(), name
    np.testing.assert_allclose(measured.layers["mean_fraction"], expected.mean_fraction, atol=1e-5)
    np.testing.assert_allclose(
        measured.layers["sign_coherence"], expected.sign_coherence, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(measured.layers["spread"], expected.spread, rtol=1e-4)
    for layer, dead in enumerate(expected.dead_units):
        assert ((measured.states[layer] == 3) == dead).all()


def test_the_random_configs_hold_what_they_are_to_test() -> None:
    """Dead, saturated, dormant and copied units all occur among them."""
    found = {"dead": 0.0, "saturated": 0.0, "dormant": 0.0, "copied": 0.0}
    for seed in range(64):
        layers = measured_run(seed)[1].layers
        for name in ("dead", "saturated", "dormant"):
            found[name] += layers[name].sum()
        found["copied"] += (layers["units"] - layers["distinct"]).sum()
    assert min(found.values()) > 10, found
