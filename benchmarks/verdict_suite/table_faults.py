"""Faults for the second generator: changes of the config or of single layers' weights, with a
strength drawn from harmless to fatal.

The faults are those that people make. Whether a fault does harm, only the outcome shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from benchmarks.verdict_suite.alterations import Alteration

from caveats.config import RunConfig
from caveats.training.optimizers import OPTIMIZERS

__all__ = ["Fault", "inject"]

Rng = np.random.Generator


@dataclass(frozen=True)
class Fault:
    """``strength`` is in the fault's own unit: a factor, a share, a rate."""

    kind: str
    strength: float
    changes: dict[str, Any] = field(default_factory=dict)
    alterations: tuple[Alteration, ...] = ()


def power(rng: Rng, low: float, high: float) -> float:
    """Between 10 ** low and 10 ** high, three digits."""
    return float(f"{10 ** rng.uniform(low, high):.3g}")


def hidden(rng: Rng, config: RunConfig) -> int:
    return int(rng.integers(len(config.network.widths)))


def one_of(rng: Rng, values: tuple[Any, ...]) -> Any:
    return values[int(rng.integers(len(values)))]


def init_scale(rng: Rng, config: RunConfig) -> Fault:
    factor = power(rng, 0.3, 1.6) if rng.random() < 0.5 else power(rng, -1.6, -0.3)
    layers = range(len(config.network.widths) + 1)
    return Fault("init_scale", factor, {}, tuple(Alteration("scale", i, factor) for i in layers))


def layer_scale(rng: Rng, config: RunConfig) -> Fault:
    factor = power(rng, 0.5, 2.5) if rng.random() < 0.5 else power(rng, -3.5, -0.5)
    layer = int(rng.integers(len(config.network.widths) + 1))
    return Fault("layer_scale", factor, {}, (Alteration("scale", layer, factor),))


def zero_layer(rng: Rng, config: RunConfig) -> Fault:
    return Fault("zero_layer", 0.0, {}, (Alteration("scale", hidden(rng, config), 0.0),))


def zero_output(rng: Rng, config: RunConfig) -> Fault:
    return Fault("zero_output", 0.0, {}, (Alteration("scale", -1, 0.0),))


def frozen_layer(rng: Rng, config: RunConfig) -> Fault:
    """Biases that keep one layer where its activation is flat, if they are large enough."""
    bias = -power(rng, -0.3, 1.7)
    return Fault("frozen_layer", bias, {}, (Alteration("bias", hidden(rng, config), bias),))


def copied_layer(rng: Rng, config: RunConfig) -> Fault:
    return Fault("copied_layer", 1.0, {}, (Alteration("copy", hidden(rng, config)),))


def constant_init(rng: Rng, config: RunConfig) -> Fault:
    value = power(rng, -2.5, 0.0)
    init = one_of(rng, ("zeros", "ones", *({"name": "constant", "value": value},) * 3))
    return Fault("constant_init", value, {"network.init": init})


def fixed_std(rng: Rng, config: RunConfig) -> Fault:
    """Weights of the same deviation in layers of any width."""
    std = power(rng, -3, 0.7)
    name = one_of(rng, ("normal", "truncated_normal", "uniform", "sparse"))
    init = {"name": name, "std": std}
    if name == "uniform":
        init = {"name": name, "low": -2 * std, "high": 2 * std}
    return Fault("fixed_std", std, {"network.init": init})


def all_biases(rng: Rng, config: RunConfig) -> Fault:
    bias = round(float(rng.uniform(-5, 5)), 2)
    return Fault("all_biases", bias, {"network.bias": bias})


def lr_high(rng: Rng, config: RunConfig) -> Fault:
    factor = power(rng, 0.5, 3)
    return Fault("lr_high", factor, {"optimizer.lr": config.optimizer.lr * factor})


def lr_low(rng: Rng, config: RunConfig) -> Fault:
    factor = power(rng, -3.5, -0.7)
    return Fault("lr_low", factor, {"optimizer.lr": config.optimizer.lr * factor})


def borrowed_lr(rng: Rng, config: RunConfig) -> Fault:
    """Another optimizer, the learning rate kept."""
    lr = config.optimizer.lr
    others = tuple(name for name in OPTIMIZERS if name != config.optimizer.name)
    return Fault("borrowed_lr", lr, {"optimizer.name": one_of(rng, others), "optimizer.lr": lr})


def damped(rng: Rng, config: RunConfig) -> Fault:
    """An optimizer setting that is far off: too long a memory, or a divisor that is mostly eps."""
    options = config.optimizer.options
    if "momentum" in options:
        share = 1 - power(rng, -3.5, -1)
        return Fault("damped", share, {"optimizer.momentum": share})
    if "eps" in options:
        eps = power(rng, -4, 0)
        return Fault("damped", eps, {"optimizer.eps": eps})
    lr = config.optimizer.lr
    changes = {"optimizer.name": "momentum", "optimizer.lr": lr, "optimizer.momentum": 0.99}
    return Fault("damped", 0.99, changes)


def weight_decay(rng: Rng, config: RunConfig) -> Fault:
    decay = power(rng, -2, 1)
    return Fault("weight_decay", decay, {"optimizer.weight_decay": decay})


def clip(rng: Rng, config: RunConfig) -> Fault:
    length = power(rng, -4, -1)
    return Fault("clip", length, {"optimizer.clip_norm": length})


def dropout(rng: Rng, config: RunConfig) -> Fault:
    share = round(float(rng.uniform(0.4, 0.95)), 2)
    return Fault("dropout", share, {"network.dropout": share})


def activation(rng: Rng, config: RunConfig) -> Fault:
    """An activation that saturates, explodes, is not centred or is linear, without normalization
    or residuals."""
    name = one_of(rng, ("exp", "sigmoid", "hard_sigmoid", "tanh_plus_one", "hard_tanh", "identity"))
    plain = {"network.normalization": "none", "network.residual": False}
    return Fault("activation", float("nan"), {"network.activation": name, **plain})


def plain(rng: Rng, config: RunConfig) -> Fault:
    """Neither normalization nor residuals, and torch's own init."""
    changes = {"network.normalization": "none", "network.residual": False}
    return Fault("plain", float("nan"), {**changes, "network.init": "torch_default"})


def raw(rng: Rng, config: RunConfig) -> Fault:
    return Fault("raw", float("nan"), {"data.standardize": False})


# At most one fault of each family is used, because two would undo each other. Each family has its
# share of all faults, and its makers.
FAMILIES: tuple[tuple[float, tuple[Callable[[Rng, RunConfig], Fault], ...]], ...] = (
    (0.24, (init_scale, layer_scale, constant_init, fixed_std)),
    (0.22, (zero_layer, zero_output, frozen_layer, copied_layer)),
    (0.05, (all_biases,)),
    (0.26, (lr_high, lr_high, lr_low, lr_low, borrowed_lr, damped)),
    (0.13, (weight_decay, clip, dropout)),
    (0.08, (activation, plain)),
    (0.02, (raw,)),
)


def inject(rng: Rng, config: RunConfig) -> tuple[Fault, ...]:
    """The faults of one network: none in 38 of 100 networks, one in 34, two in 19, three in 9."""
    how_many = int(rng.choice([0, 1, 2, 3], p=[0.38, 0.34, 0.19, 0.09]))
    shares = [share for share, _ in FAMILIES]
    chosen = rng.choice(len(FAMILIES), how_many, replace=False, p=shares)
    return tuple(one_of(rng, FAMILIES[i][1])(rng, config) for i in chosen)
