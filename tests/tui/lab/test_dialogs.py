"""Filtering finds what a person means, best first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from caveats.choice import Choice, Table
from caveats.config import RunConfig
from caveats.data.catalogue import DATASETS
from caveats.models.activations import ACTIVATIONS
from caveats.models.initializers import INITIALIZERS
from caveats.models.normalizations import NORMALIZATIONS
from caveats.training.losses import LOSSES
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.schedules import SCHEDULES
from caveats_tui.screens.dialogs import matches

TABLES = (ACTIVATIONS, INITIALIZERS, OPTIMIZERS, SCHEDULES, DATASETS, LOSSES, NORMALIZATIONS)


def choice(name: str, sentence: str = "") -> Choice:
    return Choice(name, "", sentence, "")


@pytest.mark.parametrize(
    ("typed", "rank"),
    [
        ("he_n", 0), ("He N", 0), ("normal", 1), ("hnl", 2), ("deviation", 3), ("a wide", 3),
        ("/he_n", 0), ("/ a wide", 3),
        ("xavier", None), ("lamron", None),
    ],
)  # fmt: skip
def test_the_beginning_then_a_part_then_letters_in_order_then_the_sentence(
    typed: str, rank: int | None
) -> None:
    assert matches(typed, choice("he_normal", "Normal with a wide standard deviation.")) == rank


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_every_name_typed_whole_is_found_first(table: Table[Choice]) -> None:
    for wanted in table:
        ranked = sorted(
            (rank, order, other.name)
            for order, other in enumerate(table.values())
            if (rank := matches(wanted, other)) is not None
        )
        exact = [name for rank, _, name in ranked if rank == 0]
        assert wanted in exact
        assert ranked[0][2] == wanted, f"{wanted} typed, {ranked[0][2]} on top"


def best(typed: str, table: Table[Choice]) -> str:
    fitting = (
        (rank, order, other.name)
        for order, other in enumerate(table.values())
        if (rank := matches(typed, other)) is not None
    )
    return min(fitting)[2]


@pytest.mark.parametrize(
    ("typed", "table", "found"),
    [
        ("sigm", ACTIVATIONS, "sigmoid"), ("leaky", ACTIVATIONS, "leaky_relu"),
        ("swish", ACTIVATIONS, "silu"), ("xn", INITIALIZERS, "xavier_normal"),
        ("xavier normal", INITIALIZERS, "xavier_normal"), ("adam", OPTIMIZERS, "adam"),
    ],
)  # fmt: skip
def test_typed_words_find_the_choice_that_was_meant(
    typed: str, table: Table[Choice], found: str
) -> None:
    assert best(typed, table) == found


@pytest.mark.parametrize(
    ("burst", "key", "value"),
    [
        ("asigm\r", "network.activation", "sigmoid"),
        ("ixavier_normal\r", "network.init", "xavier_normal"),
        ("oadag\r", "optimizer.name", "adagrad"),
        ("emirror\r", "data.name", "circles"),
    ],
)
def test_keys_that_arrive_at_once_do_what_they_do_one_by_one(
    burst: str,
    key: str,
    value: str,
    drive: Callable[..., None],
    configured: Callable[..., RunConfig],
) -> None:
    """As over a slow line: the window is not there yet when the first letters for it come."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        lab.burst(burst)
        await lab.until(lambda: chosen(lab) == value)
        await lab.calm()
        assert lab.app.screen is lab.app.lab
        assert lab.bench.status.step == 0

    def chosen(lab: Any) -> Any:
        found = lab.bench.config.flat()[key]
        return found["name"] if isinstance(found, dict) else found

    drive(scenario, configured({"data.name": "moons"}), drawing=False)
