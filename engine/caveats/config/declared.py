"""Derives the facts of a network and an optimizer from a config alone.

Today runs observe these facts; this replaces them for kept runs that are older than that.
"""

from __future__ import annotations

from typing import Any

from caveats.config.run_config import RunConfig
from caveats.facts import LayerFacts, Normalization, OptimizerFacts
from caveats.models.output_activations import OUTPUT_ACTIVATIONS

__all__ = ["declared_layers", "declared_optimizer"]

ADAPTIVE = frozenset({"rmsprop", "adadelta", "adam", "adamw", "nadam", "radam", "adamax", "muon"})
NORMALIZATIONS: dict[str, Normalization] = {
    "none": "none", "batch": "batch", "layer": "layer", "rms": "rms",
}  # fmt: skip


def declared_layers(config: RunConfig, features: int, outputs: int) -> tuple[LayerFacts, ...]:
    """The layers of a config's network, the output last, for data of ``features``; ``outputs`` are
    the units of the output layer."""
    network = config.network
    layers, fan_in = [], features
    for index, (width, name) in enumerate(zip(network.widths, network.activations, strict=True)):
        layers.append(
            LayerFacts(
                f"layer {index + 1}",
                "linear",
                width,
                fan_in,
                name,
                NORMALIZATIONS[network.normalization],
                network.residual and fan_in == width,
                network.dropout,
            )
        )
        fan_in = width
    behind = OUTPUT_ACTIVATIONS[network.output_activation].activation or "identity"
    return (*layers, LayerFacts("output", "linear", outputs, fan_in, behind, output=True))


def declared_optimizer(config: RunConfig) -> OptimizerFacts:
    """The optimizer of a config; "momentum" or "nesterov" with a momentum of 0 counts as "sgd"."""
    o = config.optimizer
    options: dict[str, Any] = dict(o.options)
    momentum = float(options.get("momentum", 0.0))
    plain = o.name in ("momentum", "nesterov") and momentum == 0
    return OptimizerFacts(
        "sgd" if plain else o.name,
        o.lr,
        o.name in ADAPTIVE,
        momentum,
        options.get("betas"),
        float(options.get("eps", 0.0)),
        float(options.get("weight_decay", 0.0)),
        o.clip_norm,
    )
