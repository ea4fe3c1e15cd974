"""The names that people type: aliases mean what they mean elsewhere, and a guess is made only where
it is right."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from caveats.choice import Choice, Table
from caveats.config import RunConfig
from caveats.errors import ConfigError, nearest
from caveats.models.activations import ACTIVATIONS
from caveats.models.initializers import INITIALIZERS
from caveats.models.normalizations import NORMALIZATIONS
from caveats.training.losses import LOSSES
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.schedules import SCHEDULES

TABLES: list[Table[Any]] = [
    ACTIVATIONS, INITIALIZERS, NORMALIZATIONS, LOSSES, OPTIMIZERS, SCHEDULES,
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "typed", "read"),
    [
        ("network.init", "glorot_uniform", "xavier_uniform"),
        ("network.init", "glorot_normal", "xavier_normal"),
        ("network.init", "xavier", "xavier_uniform"),
        ("network.init", "kaiming_normal", "he_normal"),
        ("network.init", "kaiming_uniform", "he_uniform"),
        ("network.init", "he", "he_normal"),
        ("network.activation", "linear", "identity"),
        ("network.activation", "swish", "silu"),
        ("network.activation", "logistic", "sigmoid"),
        ("network.activation", "LeakyReLU", "leaky_relu"),
        ("optimizer.name", "SGD", "sgd"),
        ("optimizer.name", "AdamW", "adamw"),
        ("training.loss", "CrossEntropyLoss", "cross_entropy"),
        ("training.loss", "mean_squared_error", "mse"),
        ("network.normalization", "BatchNorm", "batch"),
    ],
)
def test_an_alias_is_read_as_the_name_that_is_kept(key: str, typed: str, read: str) -> None:
    assert RunConfig().changed({key: typed}) == RunConfig().changed({key: read})
    section, _, name = key.partition(".")
    config = RunConfig.from_dict({section: {name: typed}})
    assert config == RunConfig.from_dict({section: {name: read}})
    assert f'"{typed}"' not in config.to_toml()


def test_an_alias_of_the_present_optimizer_keeps_its_settings() -> None:
    config = RunConfig().changed({"optimizer.name": "adam", "optimizer.betas": [0.5, 0.9]})
    assert config.changed({"optimizer.name": "Adam"}) == config


def test_every_alias_names_one_choice() -> None:
    for table in TABLES:
        for choice in table.values():
            for name in (*choice.aliases, choice.name.upper(), choice.name.replace("_", "-")):
                assert table.find(name, "here") is choice
    with pytest.raises(ValueError, match="share the name"):
        Table("x", Choice("a_b", list, "", ""), Choice("c", list, "", "", aliases=("AB",)))


@pytest.mark.parametrize(
    ("name", "torchs"),
    [
        ("glorot_uniform", nn.init.xavier_uniform_),
        ("glorot_normal", nn.init.xavier_normal_),
        ("kaiming_uniform", nn.init.kaiming_uniform_),
        ("kaiming_normal", nn.init.kaiming_normal_),
    ],
)
def test_an_alias_draws_what_torch_draws_under_that_name(name: str, torchs: Any) -> None:
    choice = INITIALIZERS.find(name, "here")
    ours, theirs = nn.Linear(7, 5), nn.Linear(7, 5)
    torch.manual_seed(0)
    choice.make(ours, **choice.defaults())
    torch.manual_seed(0)
    torchs(theirs.weight)
    assert torch.allclose(ours.weight, theirs.weight, rtol=1e-6)


@pytest.mark.parametrize(
    ("typed", "valid", "meant"),
    [
        ("tnah", ACTIVATIONS, "tanh"),
        ("relluu", ACTIVATIONS, None),
        ("leaky", ACTIVATIONS, "leaky_relu"),
        ("soft", ACTIVATIONS, None),  # softplus or softsign
        ("lin", ACTIVATIONS, None),
        ("lecun", ["lecun_normal", "lecun_uniform"], None),
        ("orthognal", INITIALIZERS, "orthogonal"),
        ("linear", INITIALIZERS, None),
        ("stand", ["standardize", "standardize_target"], "standardize"),
        ("PRICE", ["price", "prize"], "price"),
        ("", ["n"], None),
    ],
)
def test_a_guess_is_the_right_thing_or_none(typed: str, valid: Any, meant: str | None) -> None:
    said = nearest(typed, valid)
    if meant is None:
        assert said == f"valid are {', '.join(valid)}"
    else:
        assert said == f"did you mean {meant!r}?"


@pytest.mark.parametrize(
    ("table", "typed", "meant"),
    [
        (INITIALIZERS, "glorot_unifrom", "glorot_uniform"),
        (INITIALIZERS, "kaiming_norm", "kaiming_normal"),
        (ACTIVATIONS, "linaer", "linear"),
        (INITIALIZERS, "linear", None),
        (LOSSES, "bce_with", "bce_with_logits"),
    ],
)
def test_an_alias_may_be_what_was_meant(table: Table[Any], typed: str, meant: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        table.find(typed, "here")
    end = f"valid are {', '.join(table)}" if meant is None else f"did you mean {meant!r}?"
    assert str(caught.value).endswith(end)


@pytest.mark.parametrize(
    ("section", "key", "said"),
    [
        ("data", "sep", "valid are name, file"),
        ("optimizer", "learning_rate", "did you mean 'lr'?"),
        ("training", "batchsize", "did you mean 'batch_size'?"),
        ("network", "depth", "valid are activation"),
    ],
)
def test_a_key_that_is_none_is_answered_with_what_was_meant(
    section: str, key: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=rf"{section}\.{key} is no setting: ") as caught:
        RunConfig.from_dict({section: {key: 1}})
    assert said in str(caught.value)
