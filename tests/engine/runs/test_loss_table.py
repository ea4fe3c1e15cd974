"""What a loss shows is kept in run.toml and read back; older folders have none of it."""

from __future__ import annotations

import tomllib

import pytest
import tomli_w

from caveats.errors import ConfigError
from caveats.facts import LossFacts
from caveats.runs.loss_table import losses_from_toml, losses_to_toml
from caveats.runs.section import Section

LOSSES = (
    LossFacts("cross_entropy", "softmax", unreached=0.63, single=0.0),
    LossFacts("mse", outputs=(64, 1), targets=(64,), alone=False),
    LossFacts("nll", negated=True, mass=4.2, single=0.9, classes=10),
)


@pytest.mark.parametrize("losses", [LOSSES, ()])
def test_what_was_written_is_what_is_read(losses: tuple[LossFacts, ...]) -> None:
    tree = tomllib.loads(tomli_w.dumps(losses_to_toml(losses)))
    assert repr(losses_from_toml(Section(tree, "run.toml: facts"))) == repr(losses)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("alone", 1, "alone = 1"),
        ("outputs", ["a"], "outputs = ['a']"),
        ("unreached", "much", "unreached = 'much'"),
        ("classes", -1, "classes = -1"),
    ],
)
def test_impossible_values_are_named(key: str, value: object, named: str) -> None:
    tree = losses_to_toml(LOSSES)
    tree["losses"][1][key] = value
    with pytest.raises(ConfigError, match="losses 2") as refused:
        losses_from_toml(Section(tree, "run.toml: facts"))
    assert named in str(refused.value)
