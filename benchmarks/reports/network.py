"""Reports in which the network was wrong: its depth, width, activation or start."""

from __future__ import annotations

import numpy as np
from benchmarks.reports.report import Report, Rng, Rows, change
from benchmarks.reports.steps import DIGITS

__all__ = ["NETWORK"]

TANH = change(network__activation="tanh", network__init="xavier_normal")
RELU = change(network__activation="relu", network__init="he_normal")


def four_corners(rng: Rng) -> Rows:
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return Rows(x, np.array([0, 1, 1, 0]))


def corners_many_times(rng: Rng) -> Rows:
    x = rng.integers(0, 2, (1000, 2))
    return Rows(x.astype(float), x[:, 0] ^ x[:, 1])


def corners_as_numbers(rng: Rng) -> Rows:
    found = corners_many_times(rng)
    return Rows(found.x, found.y.astype(float))


def alike_corners(rng: Rng) -> Rows:
    x = rng.integers(0, 2, (200, 2))
    return Rows(x.astype(float), 1 - (x[:, 0] ^ x[:, 1]))


def convex_region(rng: Rng) -> Rows:
    x = rng.uniform(-1, 1, (1000, 2))
    return Rows(x, ((x[:, 0] ** 2 + x[:, 1] ** 2) < 0.6).astype(np.int64))


def bits(rng: Rng) -> Rows:
    x = rng.integers(0, 2, (800, 20)).astype(float)
    weights = rng.normal(0, 1, 20)
    y = x @ weights + x[:, 0] * x[:, 1] * 2
    return Rows(x, (y - y.mean()) / y.std())


NETWORK = (
    Report(
        "one_unit_for_xor", "capacity",
        "https://ai.stackexchange.com/questions/27010/"
        "why-does-my-neural-network-to-solve-the-xor-problem-always-output-0-5",
        "Why does my neural network to solve the XOR problem always output 0.5?",
        "a single hidden unit cannot separate XOR",
        {
            "data": {"standardize": False},
            "network": {"widths": [1], "activation": "sigmoid", "init": "xavier_normal"},
            "optimizer": {"name": "sgd", "lr": 1.0},
            "training": {"batch_size": 4, "steps": 6000},
        },
        {"underfitting": change(network__widths=[6])},
        four_corners,
    ),
    Report(
        "two_relus_for_xor", "capacity",
        "https://stats.stackexchange.com/questions/320672/"
        "clarification-on-simple-perceptron-neural-network",
        "Clarification on simple perceptron neural network",
        "of two ReLU units one is soon dead; five or more learn at once",
        {
            "data": {"standardize": False},
            "network": {"widths": [2], "activation": "relu", "init": "xavier_uniform"},
            "optimizer": {"name": "rmsprop", "lr": 0.001},
            "training": {"batch_size": 4, "steps": 5000, "seed": 1},
        },
        {
            "underfitting": change(network__widths=[16]),
            "dying_relu": change(network__widths=[16]),
        },
        corners_many_times,
    ),
    Report(
        "few_relus_for_xnor", "capacity",
        "http://pullrequest.ru/13148192/pochemu-mogu-obuchit-ann-dlya-xnor",
        "Why can't I train an ANN for XNOR?",
        "with few ReLU units dead ones leave too few; wider layers learn it",
        {
            "data": {"standardize": False},
            "network": {"widths": [2, 2], "activation": "relu", "init": "xavier_uniform"},
            "optimizer": {"name": "adam", "lr": 0.01},
            "training": {"batch_size": 32, "steps": 1000, "seed": 1},
        },
        {
            "underfitting": change(network__widths=[20, 20]),
            "dying_relu": change(network__widths=[20, 20]),
        },
        alike_corners,
    ),
    Report(
        "linear_first_layer", "capacity",
        "https://stats.stackexchange.com/questions/433365/xor-with-neural-network",
        "XOR with Neural Network",
        "two ReLU units after a linear layer of two: too few, and dead ones among them",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": [2, 2], "activation": ["identity", "relu"],
                        "init": "xavier_uniform"},
            "optimizer": {"name": "sgd", "lr": 0.01},
            "training": {"batch_size": 32, "steps": 2000, "seed": 1},
        },
        {
            "underfitting": change(network__widths=[16, 16]),
            "dying_relu": change(network__widths=[16, 16]),
        },
        corners_as_numbers,
    ),
    Report(
        "three_and_four_units", "capacity",
        "https://github.com/kdexd/digit-classifier/issues/5",
        "What kind of accuracy do you get?",
        "784 pixels pass through sigmoid layers of 3 and 4 units",
        {
            "data": DIGITS,
            "network": {"widths": [3, 4], "activation": "sigmoid", "init": "xavier_normal"},
            "optimizer": {"name": "sgd", "lr": 0.1},
            "training": {"batch_size": 32, "steps": 1500},
        },
        {
            "underfitting": change(network__widths=[64]),
            "plateau": change(network__activation="tanh", optimizer__lr=0.3),
            "step_too_small": change(optimizer__lr=3.0),
            "vanishing_gradient": change(network__activation="tanh", optimizer__lr=0.3),
        },
    ),
    Report(
        "five_layers_for_xor", "depth",
        "https://github.com/CodingTrain/Toy-Neural-Network-JS/issues/139",
        "Unexpected behavior on adding multiple hidden layers",
        "five sigmoid layers let hardly any gradient through",
        {
            "data": {"standardize": False},
            "network": {"widths": [8, 8, 8, 8, 8], "activation": "sigmoid",
                        "init": {"name": "uniform", "low": -1.0, "high": 1.0}},
            "optimizer": {"name": "sgd", "lr": 0.1},
            "training": {"batch_size": 1, "steps": 4000},
        },
        {"vanishing_gradient": TANH, "plateau": TANH},
        four_corners,
    ),
    Report(
        "third_layer_breaks_it", "depth",
        "http://stackoverflow.com/questions/20009078/neural-network-architecture-design",
        "Neural Network Architecture Design",
        "with a third sigmoid layer a convex region is no longer learnt",
        {
            "data": {"standardize": False},
            "network": {"widths": [10, 10, 10], "activation": "sigmoid", "init": "xavier_normal"},
            "optimizer": {"name": "sgd", "lr": 0.1},
            "training": {"batch_size": 8, "steps": 4000},
        },
        {"vanishing_gradient": RELU, "plateau": RELU},
        convex_region,
    ),
    Report(
        "four_layers_of_sigmoid", "depth",
        "https://ai.stackexchange.com/questions/16557/what-could-be-the-problem-when-a-"
        "neural-network-with-four-hidden-layers-with-the",
        "What could be the problem when a neural network with four hidden layers with the sigmoid "
        "activation function is not learning?",
        "the sigmoid's slope, at most 1/4, four times over",
        {
            "data": {"standardize": False, "task": "regression"},
            "network": {"widths": [48, 48, 48, 48], "activation": "sigmoid",
                        "init": "xavier_normal"},
            "optimizer": {"name": "sgd", "lr": 0.01},
            "training": {"batch_size": 32, "steps": 1500},
        },
        {"vanishing_gradient": RELU, "plateau": RELU},
        bits,
    ),
    Report(
        "always_the_same_digit", "depth",
        "https://github.com/makeyourownneuralnetwork/makeyourownneuralnetwork/issues/18",
        "cant get 97 % accuracy",
        "one layer of 200 sigmoid units learns, three predict one digit for ever",
        {
            "data": DIGITS,
            "network": {"widths": [64, 64, 64, 64], "activation": "sigmoid",
                        "init": "lecun_normal"},
            "optimizer": {"name": "sgd", "lr": 0.1},
            "training": {"batch_size": 16, "steps": 1200},
        },
        {"vanishing_gradient": RELU, "plateau": RELU},
    ),
    Report(
        "a_book_in_another_library", "depth",
        "https://stackoverflow.com/questions/37896853/mnist-tensorflow-vs-code-from-michael-nielsen",
        "MNIST Tensorflow vs code from Michael Nielsen",
        "three sigmoid layers and squared errors that are averaged instead of summed: 10 %",
        {
            "data": DIGITS,
            "network": {"widths": [30, 30, 30], "activation": "sigmoid", "init": "lecun_normal"},
            "optimizer": {"name": "sgd", "lr": 0.3},
            "training": {"batch_size": 10, "steps": 1500, "loss": "mse"},
        },
        {
            "vanishing_gradient": RELU,
            "plateau": RELU,
            "ravine": change(optimizer__name="momentum", optimizer__lr=0.3),
        },
    ),
    Report(
        "seventh_layer", "depth",
        "https://github.com/microsoft/CNTK/issues/476",
        "Training invalidation when add the nubmer of layers",
        "six sigmoid layers train, seven do not",
        {
            "data": DIGITS,
            "network": {"widths": [48] * 7, "activation": "sigmoid", "init": "xavier_normal"},
            "optimizer": {"name": "momentum", "lr": 0.05},
            "training": {"batch_size": 64, "steps": 1000},
        },
        {"vanishing_gradient": RELU, "plateau": RELU},
    ),
    Report(
        "two_layers_of_zeros", "symmetry",
        "https://github.com/tensorflow/tensorflow/issues/3916",
        "some change to Mnist_softmax.py",
        "both layers start at zero: every hidden unit is the same for ever",
        {
            "data": DIGITS,
            "network": {"widths": [64], "activation": "sigmoid", "init": "zeros"},
            "optimizer": {"name": "sgd", "lr": 0.5},
            "training": {"batch_size": 100, "steps": 500},
        },
        {"symmetry": change(network__init="xavier_normal")},
    ),
    Report(
        "ten_hidden_zeros", "symmetry",
        "http://pullrequest.ru/11818227/neironnaya-set-odnim-skrytym-sloem-mozhet-byt-obuchena",
        "A neural network with one hidden layer cannot be trained",
        "all weights start at zero, the accepted answer says: at random instead",
        {
            "data": DIGITS,
            "network": {"widths": [10], "activation": "tanh", "init": "zeros"},
            "optimizer": {"name": "adam", "lr": 0.01},
            "training": {"batch_size": 50, "steps": 600},
        },
        {"symmetry": change(network__init="xavier_normal")},
    ),
)  # fmt: skip
