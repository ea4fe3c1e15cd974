"""Draws the second generator's networks, which differ from the first's: real tables, layers of
uneven width, long and short runs, every optimizer, activation and initialiser, and faults of any
strength.

A network is a sound config plus the injected faults, so that each fault can be taken out again. The
seeds of the held-out part were fixed before any network was looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from benchmarks.verdict_suite.alterations import Alteration
from benchmarks.verdict_suite.sampling import SOUND_LR
from benchmarks.verdict_suite.table_faults import Fault, inject, one_of, power
from benchmarks.verdict_suite.tables import TABLES, dataset

from caveats.config import RunConfig
from caveats.training.optimizers import OPTIMIZERS

__all__ = ["SEEDS", "Network", "drawn", "sampled"]

Rng = np.random.Generator

COUNT = 50  # of a seed
SEEDS = {
    "dev": (*range(3301, 3306), *range(3401, 3411), *range(3415, 3418)),
    "held-out": tuple(range(3421, 3425)),
}

RECTIFIED = ("relu", "leaky_relu", "prelu", "relu6", "elu", "celu", "gelu", "silu", "mish")
UNIT_SLOPE = ("tanh", "softsign", "hard_tanh", "sin", "tanh_plus_one", "identity", "selu")
DRAWN_ACTIVATIONS = (
    *RECTIFIED, *UNIT_SLOPE, *("relu",) * 6, *("gelu", "silu", "tanh", "tanh") * 2, "sigmoid",
    "softplus",
)  # fmt: skip
INITS: dict[str, tuple[Any, ...]] = {
    "rectified": (
        "he_normal", "he_normal", "he_uniform", {"name": "orthogonal", "gain": 1.4}, "lsuv",
        "torch_default", "randomized_asymmetric", {"name": "xavier_uniform", "gain": 1.4},
    ),
    "unit slope": (
        "xavier_normal", "xavier_uniform", "lecun_normal", "lecun_uniform", "orthogonal", "lsuv",
        "torch_default",
    ),
}  # fmt: skip
LR = SOUND_LR | {"adadelta": 1.0, "radam": 0.005, "adamax": 0.005, "muon": 0.01}
DRAWN_OPTIMIZERS = (*OPTIMIZERS, *("sgd", "adam") * 4, *("adamw", "momentum") * 2)
UNSCALED = ("sgd", "momentum", "nesterov")  # their steps follow the size of the loss


@dataclass(frozen=True)
class Network:
    sound: RunConfig
    faults: tuple[Fault, ...]

    @property
    def config(self) -> RunConfig:
        config = self.sound
        for fault in self.faults:
            config = config.changed(fault.changes)
        return config

    @property
    def alterations(self) -> tuple[Alteration, ...]:
        return tuple(a for fault in self.faults for a in fault.alterations)

    def without(self, *faults: Fault) -> Network:
        return Network(self.sound, tuple(f for f in self.faults if f not in faults))


def sampled(part: str) -> list[Network]:
    """The networks of a part, always the same ones."""
    return [network for seed in SEEDS[part] for network in drawn(seed)]


def drawn(seed: int) -> list[Network]:
    rng = np.random.default_rng(seed)
    networks = []
    for index in range(COUNT):
        config = sound(rng, index)
        networks.append(Network(config, inject(rng, config)))
    return networks


def sound(rng: Rng, seed: int) -> RunConfig:
    data = {"file": f"{one_of(rng, tuple(TABLES))}.npz"}
    rows = dataset({**data, "standardize": True})
    widths = SHAPES[str(one_of(rng, tuple(SHAPES)))](rng)
    network = drawn_network(rng, widths)
    batches = [n for n in (8, 16, 32, 32, 64, 128) if n <= rows.rows]
    batch = one_of(rng, (*batches, 0))
    loss = "auto" if rng.random() < 0.7 else one_of(rng, ("mse", "cross_entropy"))
    if rows.classes is None:
        loss = "auto" if loss == "cross_entropy" else loss
    optimizer = drawn_optimizer(rng, len(widths), network)
    if loss == "mse" and rows.classes and optimizer["name"] in UNSCALED:
        optimizer["lr"] = 3 * optimizer["lr"]  # the mean over outputs is a smaller loss
    # A few long runs, of the small networks.
    short = rng.random() < 0.85 or sum(widths) > 200
    steps = round(power(rng, 2.48, 3.0) if short else power(rng, 3.0, 3.47))
    return RunConfig.from_dict(
        {
            "data": data,
            "network": network,
            "optimizer": optimizer,
            "training": {"steps": steps, "batch_size": batch, "seed": seed, "loss": loss},
        }
    )


def tapering(rng: Rng) -> list[int]:
    widths = [round(power(rng, 1.5, 2.4))]
    for _ in range(int(rng.integers(0, 6))):
        widths.append(max(5, round(widths[-1] * rng.uniform(0.25, 0.8))))
    return widths


def bottleneck(rng: Rng) -> list[int]:
    """Widths that fall to 3 to 16 units and rise again."""
    waist, outer = round(power(rng, 0.5, 1.2)), round(power(rng, 1.3, 2.1))
    if rng.random() < 0.5:
        return [outer, waist, outer]
    between = max(waist, round((waist * outer) ** 0.5))
    return [outer, between, waist, between, outer]


def uneven(rng: Rng) -> list[int]:
    return [round(power(rng, 0.7, 1.9)) for _ in range(int(rng.integers(1, 13)))]


def even(rng: Rng) -> list[int]:
    return [round(power(rng, 0.9, 1.9))] * int(rng.integers(1, 13))


SHAPES: dict[str, Callable[[Rng], list[int]]] = {
    "tapering": tapering,
    "widening": lambda rng: tapering(rng)[::-1],
    "bottleneck": bottleneck,
    "uneven": uneven,
    "even": even,
}


def drawn_network(rng: Rng, widths: list[int]) -> dict[str, Any]:
    name = one_of(rng, DRAWN_ACTIVATIONS)
    kind = "rectified" if name in RECTIFIED else "unit slope"
    names: str | list[str] = name
    if rng.random() < 0.15:
        like = RECTIFIED if name in RECTIFIED else UNIT_SLOPE
        names = [str(one_of(rng, like)) for _ in widths]
    deep = len(widths) >= 6
    held = rng.random() < (0.8 if deep else 0.25)
    # A layer of few units that is normalized row by row keeps almost no information.
    kinds = ("batch",) if min(widths) < 8 else ("batch", "layer", "layer", "rms")
    return {
        "widths": widths,
        "activation": names,
        "init": one_of(rng, INITS[kind]),
        "normalization": one_of(rng, kinds) if held else "none",
        "residual": bool(rng.random() < (0.6 if deep else 0.2)),
        "dropout": round(float(rng.uniform(0.05, 0.3)), 2) if rng.random() < 0.2 else 0.0,
    }


def drawn_optimizer(rng: Rng, depth: int, network: dict[str, Any]) -> dict[str, Any]:
    name = str(one_of(rng, DRAWN_OPTIMIZERS))
    lr = LR[name] * power(rng, -0.4, 0.2)
    if depth >= 6 and network["normalization"] == "none":
        lr /= 3
    settings: dict[str, Any] = {"name": name, "lr": float(f"{lr:.3g}")}
    if rng.random() < 0.3:
        settings["weight_decay"] = power(rng, -5, -2.5)
    if name in ("momentum", "nesterov") and rng.random() < 0.5:
        settings["momentum"] = round(float(rng.uniform(0.7, 0.95)), 2)
    if rng.random() < 0.4:
        settings["schedule"] = one_of(rng, ("linear", "cosine", "warmup"))
    if rng.random() < 0.3:
        settings["clip_norm"] = one_of(rng, (0.5, 1.0, 5.0))
    return settings
