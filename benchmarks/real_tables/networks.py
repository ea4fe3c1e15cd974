"""Draws networks for the real tables: sound ones, and ones with one or two faults that people make.

Whether a network is well-trained or has failed only its outcome says; a fault may be harmless, and
a network that was meant to be sound may fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from benchmarks.real_tables.tables import TABLES, table
from benchmarks.verdict_suite import table_faults
from benchmarks.verdict_suite.sampling import SOUND_LR, matched
from benchmarks.verdict_suite.table_faults import one_of, power

from caveats.config import RunConfig

__all__ = ["RAW", "SCALED", "SEEDS", "Network", "drawn", "sampled"]

Rng = np.random.Generator

COUNT = 40  # of a seed
SEEDS = {
    "dev": (4101, 4102, *(100 * k + n for k in (42, 43, 44, 45, 46) for n in range(1, 9))),
    "held-out": tuple(range(4701, 4709)),
}
SOUND = 0.45

SCALED, RAW = "{}.scaled", "{}.raw"  # how a config names a table, until it is written to a file
WIDTHS = ([16], [32], [64], [32, 32], [64, 32], [32, 16], [16, 16, 16], [64, 64])
ACTIVATIONS = ("relu", "relu", "relu", "tanh", "tanh", "gelu", "silu", "elu", "leaky_relu", "selu")
OPTIMIZERS = ("sgd", "sgd", "momentum", "adam", "adam", "adam", "adamw", "rmsprop", "nadam")


@dataclass(frozen=True)
class Network:
    """``config`` names its table as data.file, by `SCALED` or, if its target is raw, `RAW`."""

    table: str
    config: RunConfig
    faults: tuple[str, ...]

    @property
    def raw_target(self) -> bool:
        return self.config.data.file == RAW.format(self.table)

    def on(self, file: str) -> RunConfig:
        return replace(self.config, data=replace(self.config.data, file=file))


def sampled(part: str) -> list[Network]:
    """The networks of a part, always the same ones."""
    return [network for seed in SEEDS[part] for network in drawn(seed)]


def drawn(seed: int) -> list[Network]:
    rng = np.random.default_rng(seed)
    networks = []
    for index in range(COUNT):
        name = str(one_of(rng, tuple(TABLES)))
        config, faults = sound(rng, name, index), ()
        if rng.random() >= SOUND:
            config, faults = faulty(rng, config)
        networks.append(Network(name, config, faults))
    return networks


def sound(rng: Rng, name: str, seed: int) -> RunConfig:
    activation = one_of(rng, ACTIVATIONS)
    init = one_of(rng, (matched(activation), matched(activation), "torch_default"))
    optimizer = one_of(rng, OPTIMIZERS)
    return RunConfig.from_dict({
        "data": {"file": SCALED.format(name), "standardize": True, "task": table(name).task},
        "network": {"widths": one_of(rng, WIDTHS), "activation": activation, "init": init},
        "optimizer": {"name": optimizer, "lr": near(rng, SOUND_LR[optimizer])},
        "training": {
            "steps": round(power(rng, 2.6, 3.2)), "batch_size": one_of(rng, (16, 32, 64)),
            "seed": seed,
        },
    })  # fmt: skip


def near(rng: Rng, lr: float) -> float:
    return float(f"{lr * power(rng, -0.4, 0.3):.3g}")


def faulty(rng: Rng, config: RunConfig) -> tuple[RunConfig, tuple[str, ...]]:
    """One fault in seven of ten networks, two in the others."""
    how_many = 1 if rng.random() < 0.7 else 2
    names = rng.choice(list(FAULTS), how_many, replace=False, p=SHARES)
    for name in names:
        config = FAULTS[name](rng, config)
    return config, tuple(str(name) for name in names)


def raw_target(rng: Rng, c: RunConfig) -> RunConfig:
    assert c.data.file is not None
    return replace(c, data=replace(c.data, file=c.data.file.replace(".scaled", ".raw")))


def raw_inputs(rng: Rng, c: RunConfig) -> RunConfig:
    return c.changed({"data.standardize": False})


def raw(rng: Rng, c: RunConfig) -> RunConfig:
    return raw_target(rng, raw_inputs(rng, c))


def few_steps(rng: Rng, c: RunConfig) -> RunConfig:
    return c.changed({"training.steps": round(power(rng, 0.7, 1.7))})


def narrow(rng: Rng, c: RunConfig) -> RunConfig:
    return c.changed({"network.widths": one_of(rng, ([1], [1, 1], [2, 2], [2, 1, 2]))})


def no_hidden_layer(rng: Rng, c: RunConfig) -> RunConfig:
    return c.changed({"network.widths": []})


def deep_sigmoid(rng: Rng, c: RunConfig) -> RunConfig:
    widths = [int(one_of(rng, (16, 32)))] * int(rng.integers(3, 9))
    return c.changed({"network.widths": widths, "network.activation": "sigmoid",
                      "network.init": "xavier_normal"})  # fmt: skip


def deep_default(rng: Rng, c: RunConfig) -> RunConfig:
    widths = [int(one_of(rng, (16, 32)))] * int(rng.integers(8, 16))
    return c.changed({"network.widths": widths, "network.activation": "relu",
                      "network.init": "torch_default"})  # fmt: skip


def same(maker: Callable[[Rng, RunConfig], Any]) -> Callable[[Rng, RunConfig], RunConfig]:
    """A fault of the second generator, where it only changes the config."""
    return lambda rng, config: config.changed(maker(rng, config).changes)


FAULTS: dict[str, Callable[[Rng, RunConfig], RunConfig]] = {
    "raw_inputs": raw_inputs,
    "raw_target": raw_target,
    "raw": raw,
    "lr_low": same(table_faults.lr_low),
    "lr_high": same(table_faults.lr_high),
    "borrowed_lr": same(table_faults.borrowed_lr),
    "few_steps": few_steps,
    "constant_init": same(table_faults.constant_init),
    "fixed_std": same(table_faults.fixed_std),
    "all_biases": same(table_faults.all_biases),
    "deep_sigmoid": deep_sigmoid,
    "deep_default": deep_default,
    "narrow": narrow,
    "no_hidden_layer": no_hidden_layer,
    "weight_decay": same(table_faults.weight_decay),
    "dropout": same(table_faults.dropout),
}  # fmt: skip
# Scale is the commonest fault of all, then steps.
WEIGHTS = (4, 4, 6, 4, 4, 2, 3, 3, 3, 1, 3, 2, 2, 1, 1, 1)
SHARES = [w / sum(WEIGHTS) for w in WEIGHTS]
