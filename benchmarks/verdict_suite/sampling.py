"""Draws the configs on which the verdicts are tested: most to develop rules, some held out.

The faults are those that people make. A third of the networks are sound; the others have one to
three choices drawn at random, most of them harmful. All come from the same distribution, and each
held-out seed was fixed before any of its networks was judged.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from caveats.config import RunConfig

__all__ = ["SEEDS", "SOUND_LR", "drawn", "matched", "sampled"]

COUNT, COUNT_NOISY = 320, 80
# Every seed of dev except the first was held out until its networks were looked at.
SEEDS = {
    "dev": (71, *range(20261126, 20261144)),
    "held-out": (20261144,),
}
STEPS = 300
ROWS = 400

DATA: tuple[dict[str, Any], ...] = (
    {"name": "moons", "n": ROWS},
    {"name": "circles", "n": ROWS},
    {"name": "spirals", "n": ROWS, "turns": 1.0},
    {"name": "xor", "n": ROWS},
    {"name": "blobs", "n": ROWS, "classes": 5, "features": 4},
    {"name": "gaussian_teacher", "n": ROWS},
    {"name": "sine", "n": ROWS},
    {"name": "abs", "n": ROWS},
    {"name": "digits", "n": 600},
    {"name": "digits", "n": 600},
)
# Data that cannot be learned perfectly: a sound network stops at their noise.
NOISY: tuple[dict[str, Any], ...] = (
    {"name": "moons", "n": ROWS, "noise": 0.4},
    {"name": "moons", "n": ROWS, "noise": 0.8},
    {"name": "circles", "n": ROWS, "noise": 0.3},
    {"name": "xor", "n": ROWS, "noise": 0.4},
    {"name": "blobs", "n": ROWS, "noise": 5.0, "classes": 5, "features": 4},
    {"name": "sine", "n": ROWS, "noise": 0.6},
    {"name": "abs", "n": ROWS, "noise": 0.4},
)
CENTRED = ("tanh", "sigmoid", "softsign", "hard_tanh", "tanh_plus_one", "hard_sigmoid")
ACTIVATIONS = (
    *("relu",) * 6, *("tanh",) * 4, *("sigmoid",) * 3, "leaky_relu", "elu", "selu", "gelu", "silu",
    "softsign", "hard_tanh", "softplus", "tanh_plus_one", "relu6", "mish",
)  # fmt: skip
INITS: tuple[Any, ...] = (
    "torch_default", "torch_default", "xavier_normal", "xavier_uniform", "he_normal",
    "lecun_normal", "orthogonal", {"name": "normal", "std": 0.01}, {"name": "normal", "std": 0.1},
    {"name": "normal", "std": 1.0}, {"name": "normal", "std": 0.5}, {"name": "uniform"},
    "zeros", {"name": "constant", "value": 0.5}, {"name": "constant", "value": 0.1}, "sparse",
    {"name": "xavier_normal", "gain": 3.0},
)  # fmt: skip
SOUND_LR = {
    "sgd": 0.1, "momentum": 0.02, "nesterov": 0.02, "rmsprop": 0.002, "adagrad": 0.03,
    "adam": 0.003, "adamw": 0.003, "nadam": 0.003,
}  # fmt: skip
OPTIMIZERS = (
    *("sgd",) * 6, *("adam",) * 4, "momentum", "momentum", "nesterov", "rmsprop", "adagrad",
    "adamw", "nadam",
)  # fmt: skip


def sampled(part: str) -> list[RunConfig]:
    """The configs of a part, always the same ones."""
    return [config for seed in SEEDS[part] for config in drawn(seed)]


def drawn(seed: int) -> list[RunConfig]:
    rng = np.random.default_rng(seed)
    clean = [one(rng, index, DATA) for index in range(COUNT)]
    return clean + [one(rng, COUNT + index, NOISY) for index in range(COUNT_NOISY)]


def one(rng: np.random.Generator, seed: int, kinds: tuple[dict[str, Any], ...]) -> RunConfig:
    tree = sound(rng, seed, kinds)
    for fault in faults(rng):
        spoil(tree, fault, rng)
    tree["optimizer"]["lr"] = float(f"{tree['optimizer']['lr']:.3g}")
    return RunConfig.from_dict(tree)


def pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def sound(
    rng: np.random.Generator, seed: int, kinds: tuple[dict[str, Any], ...]
) -> dict[str, dict[str, Any]]:
    """A network with nothing wrong, except perhaps its depth."""
    data = dict(pick(rng, kinds))
    depth = round(float(np.exp(rng.uniform(0, np.log(30.4)))))
    width = round(float(np.exp(rng.uniform(np.log(2), np.log(256)))))
    if width * depth > 2500:
        width = 2500 // depth
    activation = pick(rng, ACTIVATIONS)
    optimizer = pick(rng, OPTIMIZERS)
    network: dict[str, Any] = {
        "widths": [width] * depth, "activation": activation, "init": matched(activation),
    }  # fmt: skip
    lr = SOUND_LR[optimizer] * 10 ** rng.uniform(-0.4, 0.2)
    if depth >= 10:
        lr /= 3
        network["normalization"] = pick(rng, ("none", "none", "layer", "batch"))
        network["residual"] = bool(rng.random() < 0.3)
    batch = pick(rng, (16, 32, 64, 64, 128, 0))
    return {
        "data": data,
        "network": network,
        "optimizer": {"name": optimizer, "lr": lr},
        "training": {"steps": STEPS, "batch_size": batch, "seed": seed},
    }


def matched(activation: str) -> str:
    """The initialiser that suits an activation."""
    if activation == "selu":
        return "lecun_normal"
    return "xavier_normal" if activation in CENTRED else "he_normal"


def spoil(tree: dict[str, dict[str, Any]], fault: str, rng: np.random.Generator) -> None:
    data, network, optimizer = tree["data"], tree["network"], tree["optimizer"]
    match fault:
        case "init":
            network["init"] = pick(rng, INITS)
        case "lr_high":
            optimizer["lr"] *= 10 ** rng.uniform(0.7, 2.3)
        case "lr_low":
            optimizer["lr"] *= 10 ** rng.uniform(-3, -0.7)
        case "raw" if data["name"] == "digits":
            data["standardize"] = False
        case "raw":
            data |= {"standardize": False, "shift": pick(rng, (3.0, 5.0, 10.0))}
        case "bias":
            network["bias"] = pick(rng, (-3.0, -1.0, 1.0))
        case "optimizer":
            optimizer |= {"name": "sgd", "lr": 10 ** rng.uniform(-2.5, -0.5)}
        case "plain":
            network |= {"normalization": "none", "residual": False}
        case "dropout":
            network["dropout"] = pick(rng, (0.1, 0.3))


def faults(rng: np.random.Generator) -> list[str]:
    kinds = (
        *("init",) * 5, *("lr_high",) * 3, *("lr_low",) * 2, "raw", "bias", "optimizer", "plain",
        "dropout",
    )  # fmt: skip
    how_many = int(rng.choice([0, 1, 2, 3], p=[0.33, 0.37, 0.2, 0.1]))
    return [str(kinds[int(i)]) for i in rng.choice(len(kinds), how_many, replace=False)]
