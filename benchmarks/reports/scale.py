"""Reports in which inputs or targets were of a far-off scale."""

from __future__ import annotations

import numpy as np
from benchmarks.reports.report import Cure, Report, Rng, Rows, change

__all__ = ["SCALE"]

STANDARDIZED = change(data__standardize=True)
BOTH = Cure({"data.standardize": True}, scaled_target=True)


def squares(rng: Rng) -> Rows:
    n = np.arange(100.0)
    return Rows(((n - n.mean()) / n.std())[:, None], n**2 + 3)


def threshold(rng: Rng) -> Rows:
    x = rng.integers(0, 100_000, 3000)
    return Rows(x[:, None].astype(float), (x >= 50_000).astype(np.int64))


def thousand_days(rng: Rng) -> Rows:
    x = np.arange(1000.0)
    return Rows(x[:, None], np.sin(2 * np.pi * x / 500))


def incomes(rng: Rng) -> Rows:
    age = rng.uniform(23, 62, 20)
    years = np.clip((age - 22) * rng.uniform(0.2, 0.6, 20), 1, 17)
    income = 22_000 + 900 * years + 250 * age + rng.normal(0, 1_500, 20)
    return Rows(np.column_stack([age, years]).round(), income.round(-1))


def rents(rng: Rng) -> Rows:
    beds = rng.integers(1, 5, 24)
    feet = 450 * beds + rng.normal(100, 90, 24)
    baths = np.clip(beds - rng.integers(0, 2, 24), 1, 3)
    rent = 400 + 0.75 * feet + 80 * baths + rng.normal(0, 40, 24)
    return Rows(np.column_stack([beds, baths, feet]).round(), rent.round())


def yearly_budget(rng: Rng) -> Rows:
    years = np.arange(2004.0, 2022.0)
    shares = rng.uniform(0.02, 0.5, 8)
    growth = 11_500 + 1_100 * (years - 2004)
    y = growth[:, None] * shares * rng.normal(1, 0.06, (18, 8))
    return Rows(years[:, None], y)


def distant_cloud(rng: Rng) -> Rows:
    x = rng.uniform(40, 44, 100)
    return Rows(x[:, None], 30 + 2 * np.sin(1.5 * x) + rng.normal(0, 0.1, 100))


def colours(rng: Rng) -> Rows:
    x = rng.integers(0, 256, (200, 3)).astype(float)
    light = x @ [0.299, 0.587, 0.114]
    return Rows(x, (light > 128).astype(np.int64))


def two_features_of_one(rng: Rng) -> Rows:
    x = np.linspace(2, 5, 12)
    return Rows(np.column_stack([x**2, x]), np.sin(1.3 * x) + rng.normal(0, 0.05, 12))


def hours(rng: Rng) -> Rows:
    x = rng.uniform(0, 40, 60)
    return Rows(x[:, None], 3 * x + 2 + rng.normal(0, 1.0, 60))


SCALE = (
    Report(
        "two_linear_layers", "scale",
        "https://stats.stackexchange.com/questions/418955/"
        "why-is-deep-neural-net-with-linear-activation-diverges",
        "Why is deep neural net with linear activation diverges",
        "targets up to 9,800 behind two linear layers: only a tiny rate does not diverge",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": [1], "activation": "identity", "init": "xavier_uniform"},
            "optimizer": {"name": "sgd", "lr": 0.01},
            "training": {"batch_size": 32, "steps": 1200},
        },
        {"unscaled_data": Cure(scaled_target=True)},
        squares,
    ),
    Report(
        "threshold_50000", "scale",
        "https://geeksmental.com/question/why-does-accuracy-remain-the-same",
        "Why does accuracy remain the same",
        "one raw input from 0 to 100,000",
        {
            "data": {"standardize": False},
            "network": {"widths": [3, 5], "activation": "relu", "init": "xavier_uniform"},
            "optimizer": {"name": "adam", "lr": 0.001},
            "training": {"batch_size": 5, "steps": 3000},
        },
        {"unscaled_data": STANDARDIZED},
        threshold,
    ),
    Report(
        "sine_of_a_thousand_days", "scale",
        "https://stackoverflow.com/questions/46995209/",
        "Neural network toy model to fit sine function fails, what's wrong?",
        "inputs from 0 to 999 saturate tanh",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": [32, 16], "activation": "tanh", "init": "xavier_uniform"},
            "optimizer": {"name": "adam", "lr": 0.003},
            "training": {"batch_size": 50, "steps": 2000},
        },
        {"unscaled_data": STANDARDIZED},
        thousand_days,
    ),
    Report(
        "income_of_twenty", "scale",
        "https://community.deeplearning.ai/t/"
        "linear-regression-with-neural-network-need-help-and-advice/752992",
        "Linear regression with neural network (need help and advice)",
        "a target of about 40,000, one linear unit, adam 0.001",
        {
            "data": {"standardize": True, "task": "regression"},
            "network": {"widths": []},
            "optimizer": {"name": "adam", "lr": 0.001},
            "training": {"batch_size": 0, "steps": 2000},
        },
        {
            "unscaled_data": Cure(scaled_target=True),
            "step_too_small": change(optimizer__lr=1000.0),
        },
        incomes,
    ),
    Report(
        "rent_by_size", "scale",
        "https://github.com/BrainJS/brain.js/issues/195",
        'Output (almost) always returns "0" when running a network',
        "square feet and rents in their own units, a few units, sgd 0.3 a row",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": [3], "activation": "sigmoid", "init": "torch_default"},
            "optimizer": {"name": "sgd", "lr": 0.3},
            "training": {"batch_size": 1, "steps": 1500},
        },
        {"unscaled_data": BOTH},
        rents,
    ),
    Report(
        "budget_by_year", "scale",
        "https://github.com/BrainJS/brain.js/issues/850",
        "brain.js not oututting any real results - what should I do",
        "the year as input, eight amounts of up to 25,000 as targets",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": [3], "activation": "sigmoid", "init": "torch_default"},
            "optimizer": {"name": "sgd", "lr": 0.3},
            "training": {"batch_size": 1, "steps": 2000},
        },
        {"unscaled_data": BOTH},
        yearly_budget,
    ),
    Report(
        "cloud_far_from_zero", "scale",
        "https://datascience.stackexchange.com/questions/31499/"
        "neural-network-only-converges-when-data-cloud-is-close-to-0",
        "Neural network only converges when data cloud is close to 0",
        "inputs and targets with means far larger than their deviations",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": [6, 6], "activation": "sigmoid", "init": "xavier_uniform"},
            "optimizer": {"name": "sgd", "lr": 0.5},
            "training": {"batch_size": 0, "steps": 6000},
        },
        {"unscaled_data": BOTH},
        distant_cloud,
    ),
    Report(
        "light_or_dark_colours", "scale",
        "https://github.com/BrainJS/brain.js/issues/98",
        "net.run gives same response regardless of input",
        "colours from 0 to 255 saturate a few sigmoid units",
        {
            "data": {"standardize": False},
            "network": {"widths": [3], "activation": "sigmoid", "init": "torch_default"},
            "optimizer": {"name": "sgd", "lr": 0.3},
            "training": {"batch_size": 1, "steps": 2000},
        },
        {"unscaled_data": STANDARDIZED},
        colours,
    ),
    Report(
        "polynomial_by_gradient", "scale",
        "https://discuss.pytorch.org/t/"
        "finding-coefficients-of-a-polynomial-through-linear-regression/71751",
        "Finding coefficients of a polynomial through linear regression",
        "x² and x as raw columns: this rate diverges, a smaller one crawls",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": []},
            "optimizer": {"name": "momentum", "lr": 0.03},
            "training": {"batch_size": 0, "steps": 400},
        },
        {"unscaled_data": STANDARDIZED},
        two_features_of_one,
    ),
    Report(
        "two_layers_for_a_line", "rate",
        "http://pullrequest.ru/9622617/",
        "Why does linear regression converge more slowly with two linear layers?",
        "a rate that one linear layer bears is too large for two on raw hours",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": [2], "activation": "identity", "init": "torch_default"},
            "optimizer": {"name": "sgd", "lr": 0.001},
            "training": {"batch_size": 0, "steps": 1000},
        },
        {"step_too_large": change(optimizer__lr=0.00003), "unscaled_data": BOTH},
        hours,
    ),
)  # fmt: skip
