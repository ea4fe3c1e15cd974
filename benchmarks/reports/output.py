"""Reports about rare classes, memorized rows, and outputs that cannot reach their targets."""

from __future__ import annotations

import numpy as np
from benchmarks.reports.report import Cure, Report, Rng, Rows, change

__all__ = ["OUTPUT"]

LINEAR = Cure(without=("network.output_activation",))
# A target beyond what the output can reach may be called unscaled, or the network unable to fit it.
UNREACHABLE = {"unscaled_data": LINEAR, "underfitting": LINEAR, "saturation": LINEAR}


def one_in_nine(rng: Rng) -> Rows:
    x = rng.normal(0, 1, (3000, 30))
    y = (rng.random(3000) < 0.116).astype(np.int64)
    x[:, :4] += 0.4 * y[:, None]
    return Rows(x, y)


def small_digits(rng: Rng) -> Rows:
    """Ten noisy prototypes of 100 pixels: 150 rows to learn from, 2,000 more."""
    prototypes = rng.normal(0, 1, (10, 100))
    y = np.arange(2150) % 10
    x = 0.45 * prototypes[y] + rng.normal(0, 1.8, (2150, 100))
    return Rows(x[:150], y[:150], x[150:], y[150:])


def licence_plates(rng: Rng) -> Rows:
    """Two kinds that five of 60 columns tell apart, with one label in twenty wrong."""
    x = rng.normal(0, 1, (2400, 60))
    y = (x[:, :5].sum(1) > 0).astype(np.int64)
    wrong = rng.random(2400) < 0.05
    y = np.where(wrong, 1 - y, y)
    return Rows(x[:400], y[:400], x[400:], y[400:])


def doubles(rng: Rng) -> Rows:
    x = np.arange(1.0, 9.0)
    return Rows(x[:, None], 2 * x)


def four_values(rng: Rng) -> Rows:
    x = rng.integers(0, 2, (60, 2)).astype(float)
    return Rows(x, 1.0 + 2 * x[:, 0] + x[:, 1] + rng.normal(0, 0.01, 60))


def falling_sigmoid(rng: Rng) -> Rows:
    x = np.linspace(-1, 1, 111)
    return Rows(x[:, None], -1 / (np.exp(10 * x) + 1))


def seven_points(rng: Rng) -> Rows:
    x = np.linspace(-5, -0.5, 10)
    return Rows(x[:, None], 2 * x - 1)


OUTPUT = (
    Report(
        "only_the_bias", "imbalance",
        "https://datascience.stackexchange.com/questions/19283/"
        "why-mlp-only-learns-bias-for-unbalanced-binary-classification",
        "Why MLP only learns bias for unbalanced binary classification?",
        "88.4 % of the rows say no, and so does the network, to all of them",
        {
            "data": {"standardize": True},
            "network": {"widths": [8, 8, 8], "activation": "relu", "init": "xavier_uniform"},
            "optimizer": {"name": "adam", "lr": 0.001},
            "training": {"batch_size": 64, "steps": 400},
        },
        {"class_imbalance": Cure(balanced=True)},
        one_in_nine,
        measure="balanced accuracy",
    ),
    Report(
        "a_thousand_digits", "overfitting",
        "https://discourse.julialang.org/t/why-my-nn-overfitting/76333",
        "Why my NN overfitting?",
        "a network with far more weights than rows learns the rows by heart",
        {
            "data": {"standardize": False, "validation": 0.2},
            "network": {"widths": [128], "activation": "relu", "init": "he_normal"},
            "optimizer": {"name": "adam", "lr": 0.005},
            "training": {"batch_size": 32, "steps": 1500},
        },
        {"overfitting": change(optimizer__name="adamw", optimizer__lr=0.005,
                               optimizer__weight_decay=3.0)},
        small_digits,
        measure="new rows",
    ),
    Report(
        "licence_plates", "overfitting",
        "https://stats.stackexchange.com/questions/534022/"
        "what-can-i-do-when-overfitting-doesnt-seem-to-go-away-by-any-means",
        "What can I do when Overfitting doesn't seem to go away by any means?",
        "few rows, some labels wrong: the loss on other rows only rises",
        {
            "data": {"standardize": False, "validation": 0.2},
            "network": {"widths": [64], "activation": "tanh", "init": "xavier_normal"},
            "optimizer": {"name": "adam", "lr": 0.01},
            "training": {"batch_size": 32, "steps": 1500},
        },
        {"overfitting": change(optimizer__name="adamw", optimizer__lr=0.01,
                               optimizer__weight_decay=3.0)},
        licence_plates,
        measure="new rows",
    ),
    Report(
        "sigmoid_cannot_double", "output",
        "https://github.com/BrainJS/brain.js/issues/687",
        "Single input, Single output",
        "a sigmoid output for targets up to 16",
        {
            "data": {"standardize": True, "task": "regression"},
            "network": {"widths": [8], "activation": "tanh", "init": "xavier_normal",
                        "output_activation": "sigmoid"},
            "optimizer": {"name": "adam", "lr": 0.03},
            "training": {"batch_size": 0, "steps": 2000},
        },
        UNREACHABLE,
        doubles,
    ),
    Report(
        "tanh_for_one_to_four", "output",
        "http://ansaurus.com/question/3644795-neural-network-python",
        "Neural network in Python",
        "a tanh output for targets from 1 to 4",
        {
            "data": {"standardize": True, "task": "regression"},
            "network": {"widths": [5], "activation": "tanh", "init": "xavier_normal",
                        "output_activation": "tanh"},
            "optimizer": {"name": "sgd", "lr": 0.1},
            "training": {"batch_size": 4, "steps": 1000},
        },
        UNREACHABLE,
        four_values,
    ),
    Report(
        "sigmoid_for_negative", "output",
        "https://codewithsundeep.com/discussion/solution/58887284",
        "A network of one sigmoid neuron does not learn the target curve",
        "a sigmoid output for a curve below zero",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": [8], "activation": "tanh", "init": "xavier_normal",
                        "output_activation": "sigmoid"},
            "optimizer": {"name": "adam", "lr": 0.01},
            "training": {"batch_size": 32, "steps": 1500},
        },
        UNREACHABLE,
        falling_sigmoid,
    ),
    Report(
        "relu_output_on_a_line", "output",
        "https://community.deeplearning.ai/t/loss-values-do-not-change/324182",
        "Loss values do not change",
        "a ReLU output for targets that are mostly negative: it is dead, and the loss constant",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": [16, 8], "activation": "relu", "init": "he_normal",
                        "output_activation": "relu"},
            "optimizer": {"name": "adam", "lr": 0.003},
            "training": {"batch_size": 0, "steps": 1500},
        },
        {**UNREACHABLE, "dying_relu": LINEAR},
        seven_points,
    ),
)  # fmt: skip
