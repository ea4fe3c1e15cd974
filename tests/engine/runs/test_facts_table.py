"""Observed facts in run.toml: what was written is read back, and impossible values are refused."""

from __future__ import annotations

import math
import tomllib
from typing import Any

import pytest
import tomli_w

from caveats.errors import ConfigError
from caveats.facts import DataFacts, LayerFacts, OptimizerFacts
from caveats.runs.facts_table import facts_from_toml, facts_to_toml
from caveats.runs.section import Section

LAYERS = (
    LayerFacts("features.0", "conv", 16, 27, "relu", "batch", residual=True, dropout=0.5),
    LayerFacts("attend", "attention", 64, 64, None, "layer"),
    LayerFacts("head", "linear", 10, 64, "identity", output=True),
)
ADAM = OptimizerFacts("adamw", 3e-4, True, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1)
SGD = OptimizerFacts("momentum", 0.1, False, momentum=0.9, clip_norm=1.0)


NUMBERS = DataFacts(7.8, 300.0, 424_000.0, 151_000.0)
CLASSES = DataFacts(1.0, 1.0, class_shares=(0.9, 0.1), reachable_recall=0.4)


def written(
    layers: tuple[LayerFacts, ...], optimizer: OptimizerFacts | None, data: DataFacts = CLASSES
) -> dict[str, Any]:
    return tomllib.loads(tomli_w.dumps(facts_to_toml(layers, optimizer, data)))


def read(
    tree: dict[str, Any],
) -> tuple[tuple[LayerFacts, ...], OptimizerFacts | None, DataFacts]:
    return facts_from_toml(Section(tree, "run.toml: facts"))


@pytest.mark.parametrize("layers", [LAYERS, ()])
@pytest.mark.parametrize("optimizer", [ADAM, SGD, None])
@pytest.mark.parametrize("data", [NUMBERS, CLASSES, DataFacts()])
def test_what_was_written_is_what_is_read(
    layers: tuple[LayerFacts, ...], optimizer: OptimizerFacts | None, data: DataFacts
) -> None:
    # repr, since a clip_norm that nobody could see is NaN.
    assert repr(read(written(layers, optimizer, data))) == repr((layers, optimizer, data))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("layers.0.kind", "magic", ["layers 1: kind = 'magic'", "recurrent"]),
        ("layers.1.activation", "swash", ["layers 2: activation = 'swash'", "relu"]),
        ("layers.0.normalization", 3, ["normalization = 3", "group"]),
        ("layers.2.units", -1, ["units = -1", "whole number"]),
        ("layers.2.fan_in", 2**60, ["fan_in"]),
        ("layers.0.residual", 1, ["residual = 1", "true or false"]),
        ("layers.0.dropout", 1.5, ["dropout = 1.5", "from 0 to 1"]),
        ("layers.0.dropout", math.nan, ["dropout = nan"]),
        ("layers", "x", ["layers = 'x'"]),
        ("layers", [{}] * 1002, ["at most 1001"]),
        ("layers", [3], ["tables"]),
        ("layers", [{}], ["layers 1: name is missing"]),
        ("optimizer", 3, ["[optimizer]"]),
        ("optimizer.lr", math.inf, ["lr = inf"]),
        ("optimizer.lr", -0.1, ["lr = -0.1"]),
        ("optimizer.lr", True, ["lr = True", "a number"]),
        ("optimizer.betas", [0.9], ["betas", "two numbers"]),
        ("optimizer.betas", [0.9, 1.0], ["betas", "below 1"]),
        ("optimizer.betas", [0.9, "x"], ["betas"]),
        ("optimizer.kind", 7, ["kind = 7", "a text"]),
        ("data.class_shares", [0.5, 1.5], ["class_shares", "from 0 to 1"]),
        ("data.input_size", "x", ["input_size"]),
        ("optimizer.clip_norm", -1.0, ["clip_norm = -1.0"]),
    ],
)
def test_a_value_that_cannot_be_is_one_sentence(path: str, value: Any, named: list[str]) -> None:
    tree: Any = written(LAYERS, ADAM)
    *inner, last = path.split(".")
    place = tree
    for key in inner:
        place = place[int(key) if key.isdigit() else key]
    place[last] = value
    with pytest.raises(ConfigError) as caught:
        read(tree)
    said = str(caught.value)
    assert said.isprintable()
    assert all(word in said for word in ["run.toml: facts", *named]), said
