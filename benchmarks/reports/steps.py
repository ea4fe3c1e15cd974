"""Reports in which the learning rate was wrong, or the steps too few."""

from __future__ import annotations

import numpy as np
from benchmarks.reports.report import Report, Rng, Rows, change

__all__ = ["STEPS"]


def flowers(rng: Rng) -> Rows:
    kind = np.arange(100) % 3
    means = np.array([[5.0, 3.4, 1.5, 0.25], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.5, 2.0]])
    return Rows(means[kind] + rng.normal(0, [0.45, 0.3, 0.35, 0.2], (100, 4)), kind)


def fast_sine(rng: Rng) -> Rows:
    x = rng.uniform(-7.5, 7.5, 300)
    return Rows(x[:, None], np.sin(2 * x))


def images(rng: Rng) -> Rows:
    """Ten kinds of 784 grey values, mostly black, and much alike, as those of MNIST are."""
    kind = np.arange(1000) % 10
    body = (rng.random(784) < 0.3) * rng.uniform(0.4, 1, 784)
    strokes = (rng.random((10, 784)) < 0.05) * rng.uniform(0.4, 1, (10, 784))
    shown = rng.random((1000, 784)) < 0.7
    x = np.maximum(body, strokes[kind]) * shown + rng.normal(0, 0.05, (1000, 784))
    return Rows(np.clip(x, 0, 1), kind)


DIGITS = {"name": "digits", "n": 1000}

STEPS = (
    Report(
        "flowers_uniform_guess", "few steps",
        "https://datascience.stackexchange.com/questions/13163/"
        "mlp-on-iris-data-not-working-but-it-does-fine-on-mnist-keras",
        "MLP on Iris data not working but it does fine on MNIST - Keras",
        "a small table has few steps in an epoch: at sgd 0.01 the sigmoid units hardly moved",
        {
            "data": {"standardize": True},
            "network": {"widths": [8], "activation": "sigmoid", "init": "xavier_uniform"},
            "optimizer": {"name": "sgd", "lr": 0.01},
            "training": {"batch_size": 32, "steps": 400},
        },
        {
            "step_too_small": change(optimizer__lr=1.0),
            "underfitting": change(training__steps=20_000),
        },
        flowers,
    ),
    Report(
        "sine_at_its_edges", "few steps",
        "https://discuss.pytorch.org/t/neural-net-to-approximate-a-sine-function/101647",
        "Neural net to approximate a sine function",
        "plain SGD with a small rate learns high frequencies last",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": [64, 64], "activation": "tanh", "init": "torch_default"},
            "optimizer": {"name": "sgd", "lr": 0.002},
            "training": {"batch_size": 0, "steps": 2500},
        },
        {
            "ravine": change(optimizer__name="adam", optimizer__lr=0.005),
            "plateau": change(optimizer__name="adam", optimizer__lr=0.005),
            "step_too_small": change(optimizer__lr=0.1),
        },
        fast_sine,
    ),
    Report(
        "tutorial_with_a_tenth", "rate",
        "https://github.com/ml-explore/mlx/issues/188",
        "learning_rate is too large in Multi-Layer Perception example",
        "a rate of 0.1 where 0.001 works: accuracy stays at one class of ten",
        {
            "data": {"standardize": False},
            "network": {"widths": [32, 32], "activation": "relu", "init": "torch_default"},
            "optimizer": {"name": "adam", "lr": 0.1},
            "training": {"batch_size": 256, "steps": 200},
        },
        {
            "step_too_large": change(optimizer__lr=0.001),
            "dying_relu": change(optimizer__lr=0.001),
        },
        images,
    ),
    Report(
        "tanh_squares_too_fast", "rate",
        "https://github.com/tiny-dnn/tiny-dnn/issues/318",
        "Cannot train 'simple' neural net",
        "the maintainer's answer: a smaller rate; tanh units had saturated",
        {
            "data": DIGITS,
            "network": {"widths": [32], "activation": "tanh", "init": "xavier_uniform"},
            "optimizer": {"name": "adagrad", "lr": 3.0},
            "training": {"batch_size": 16, "steps": 600, "loss": "mse"},
        },
        {
            "step_too_large": change(optimizer__lr=0.03),
            "saturation": change(optimizer__lr=0.03),
        },
    ),
)  # fmt: skip
