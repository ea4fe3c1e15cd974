"""Writes the observed facts of a network and its optimizer as the table [facts] of run.toml, and
reads them back.

Values that are None or empty are left out; values from a file are checked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, get_args

from caveats.errors import ConfigError
from caveats.facts import DataFacts, Kind, LayerFacts, Normalization, OptimizerFacts
from caveats.models.activations import ACTIVATIONS
from caveats.runs.section import Section

__all__ = ["facts_from_toml", "facts_to_toml", "without_none"]

MOST_LAYERS = 1001
MOST_CLASSES = 100_000
LARGEST = 2**40  # units of a layer, inputs of a unit


def facts_to_toml(
    layers: Sequence[LayerFacts], optimizer: OptimizerFacts | None, data: DataFacts
) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    if layers:
        tree["layers"] = [without_none(asdict(layer)) for layer in layers]
    if optimizer is not None:
        tree["optimizer"] = without_none(asdict(optimizer))
    if data != DataFacts():
        tree["data"] = without_none(asdict(data))
    return tree


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if value is not None
    }


def facts_from_toml(
    facts: Section,
) -> tuple[tuple[LayerFacts, ...], OptimizerFacts | None, DataFacts]:
    """The layers (none if the table has none), the optimizer and the data.

    Raises:
        ConfigError: one sentence, for an impossible value.
    """
    layers = facts.sections("layers", MOST_LAYERS) if "layers" in facts.tree else ()
    optimizer = facts.section("optimizer") if "optimizer" in facts.tree else None
    return (
        tuple(read_layer(layer) for layer in layers),
        None if optimizer is None else read_optimizer(optimizer),
        read_data(facts.section("data")) if "data" in facts.tree else DataFacts(),
    )


def read_layer(layer: Section) -> LayerFacts:
    known = layer.tree
    return LayerFacts(
        name=layer.text("name"),
        kind=layer.one_of("kind", get_args(Kind)),
        units=layer.whole("units", high=LARGEST),
        fan_in=layer.whole("fan_in", high=LARGEST),
        activation=layer.one_of("activation", tuple(ACTIVATIONS))
        if "activation" in known
        else None,
        normalization=layer.one_of("normalization", get_args(Normalization)),
        residual=layer.truth("residual"),
        dropout=within(layer, "dropout", 1.0),
        output=layer.truth("output"),
    )


def read_optimizer(optimizer: Section) -> OptimizerFacts:
    betas = optimizer.numbers("betas", 2) if "betas" in optimizer.tree else None
    if betas is not None and (len(betas) != 2 or not all(0 <= beta < 1 for beta in betas)):
        raise ConfigError(f"{optimizer.where}: betas should be two numbers from 0 to below 1")
    clip = optimizer.number("clip_norm")
    return OptimizerFacts(
        kind=optimizer.text("kind"),
        lr=within(optimizer, "lr"),
        adaptive=optimizer.truth("adaptive"),
        momentum=within(optimizer, "momentum"),
        betas=None if betas is None else (betas[0], betas[1]),
        eps=within(optimizer, "eps"),
        weight_decay=within(optimizer, "weight_decay"),
        clip_norm=clip if math.isnan(clip) else within(optimizer, "clip_norm"),
        clip_keeps=optimizer.number("clip_keeps") if "clip_keeps" in optimizer.tree else math.nan,
    )


def read_data(data: Section) -> DataFacts:
    shares = data.numbers("class_shares", MOST_CLASSES) if "class_shares" in data.tree else ()
    if not all(0 <= share <= 1 for share in shares):
        raise ConfigError(f"{data.where}: class_shares should be numbers from 0 to 1")
    return DataFacts(
        input_size=data.number("input_size"),
        input_spread=data.number("input_spread"),
        target_mean=data.number("target_mean"),
        target_deviation=data.number("target_deviation"),
        target_low=data.number("target_low"),
        target_high=data.number("target_high"),
        class_shares=tuple(shares),
        reachable_recall=data.number("reachable_recall"),
        reachable_linear=(
            data.number("reachable_linear") if "reachable_linear" in data.tree else math.nan
        ),
        rows=data.whole("rows") if "rows" in data.tree else 0,
        from_network=data.truth("from_network") if "from_network" in data.tree else False,
    )


def within(section: Section, key: str, high: float = 1e30) -> float:
    """A number from 0 to ``high``."""
    value = section.number(key)
    if not 0 <= value <= high:
        raise ConfigError(f"{section.where}: {key} = {value} should be from 0 to {high:g}")
    return value
