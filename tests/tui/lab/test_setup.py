"""The setup list shows every setting, and arrows move values up and down the same ladder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveats.choice import Option, Table
from caveats.config import RunConfig, parse_assignment
from caveats.config.settings import SETTINGS
from caveats.data.catalogue import DATASETS
from caveats.data.file_options import FILE_OPTIONS
from caveats.models.activations import ACTIVATIONS
from caveats.models.initializers import INITIALIZERS
from caveats.training.optimizers import OPTIMIZERS
from caveats_tui.screens.lab.changing import typed
from caveats_tui.screens.lab.setup import SettingLine, lines, nudged
from caveats_tui.text.settings import changes_shown, describe, shown, what_differs

Configured = Callable[..., RunConfig]


def keyed(config: RunConfig) -> dict[str, SettingLine]:
    found = {line.key: line for line in lines(config)}
    assert len(found) == len(list(lines(config))), "a key twice"
    return found


def test_every_setting_has_a_line_with_its_value(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("x,y\n1,0\n2,1\n")
    own = RunConfig().changed({"data.file": str(path), "data.target": "y"}, "test")
    by_name, by_file = keyed(RunConfig()), keyed(own)
    assert {*by_name, *by_file} >= set(SETTINGS)
    assert set(SETTINGS) - set(by_name) == {"data.file", "data.target"}
    assert set(SETTINGS) - set(by_file) == {"data.name"}
    assert by_file["data.target"].value == "y"
    assert {f"data.{name}" for name in FILE_OPTIONS} <= set(by_file)
    flat = RunConfig().flat()
    for key in SETTINGS.keys() & by_name.keys():
        assert by_name[key].value == flat[key], key
        assert by_name[key].sentence == SETTINGS[key].sentence


@pytest.mark.parametrize(
    ("key", "table"),
    [("network.init", INITIALIZERS), ("optimizer.name", OPTIMIZERS), ("data.name", DATASETS)],
)
def test_each_choices_own_settings_stand_below_it(
    key: str, table: Table[Any], configured: Configured
) -> None:
    section = "network.init" if key == "network.init" else key.partition(".")[0]
    for choice in table.values():
        found = keyed(configured({key: choice.name}))
        own = {
            line.key: line.value
            for line in found.values()
            if line.key not in SETTINGS and line.key.startswith(f"{section}.")
        }
        assert own == {f"{section}.{o.name}": o.default for o in choice.options}


def test_epochs_stand_in_place_of_steps(configured: Configured) -> None:
    found = keyed(configured({"training.epochs": 7}))
    assert found["training.epochs"].value == 7
    assert "training.steps" not in found
    assert nudged(keyed(RunConfig())["training.epochs"], 1) == 1


def test_an_initialiser_for_each_layer_is_one_line(configured: Configured) -> None:
    mixed = ["he_normal", {"name": "normal", "std": 0.1}, "zeros", "xavier_normal"]
    config = configured({"network.init": mixed})
    found = keyed(config)
    assert shown(found["network.init"].value).startswith("he_normal, normal (std 0.1), zeros, ")
    assert not any(key.startswith("network.init.") for key in found)
    assert nudged(found["network.init"], 1) == found["network.init"].value
    assert " · mixed · sgd" in describe(config, 10)


def test_what_a_line_says_can_be_set_under_its_key(configured: Configured) -> None:
    """A value written as the list shows it is read back as the same value."""
    config = configured({"network.init": "uniform", "optimizer.name": "adam", "data.name": "moons"})
    for line in lines(config):
        written = shown(line.value)
        if isinstance(line.value, (tuple, list)) and line.key != "network.widths":
            written = f"[{written}]"
        if isinstance(line.value, bool):
            written = str(line.value).lower()
        again = config.changed(dict([parse_assignment(f"{line.key}={written}")]), "test")
        assert again == config, line.key


def test_words_of_a_file_step_and_names_of_columns_are_typed(configured: Configured) -> None:
    config = RunConfig().changed({"data.file": "mine.csv", "data.target": "y"}, "test")
    found = keyed(config)
    assert nudged(found["data.missing"], 1) == "drop"
    assert nudged(found["data.missing"], -1) == "mean"
    assert nudged(found["data.drop"], 1) == ()
    for text, kept in (
        ("id", ("id",)), ("id, name", ("id", "name")), ('["a, b"]', ("a, b",)), ("none", ()),
    ):  # fmt: skip
        changed = config.changed(typed(found["data.drop"], text), "test")
        assert changed.data.options.get("drop", ()) == kept
    every = config.changed(typed(found["data.one_hot"], "all"), "test")
    assert every.data.options["one_hot"] == "all"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ((64, 32), "64-32"), ((), "none"), (True, "on"), (False, "off"), (0.1, "0.1"),
        (1e-8, "1e-08"), (64, "64"), ("relu", "relu"), ((0.9, 0.999), "0.9, 0.999"),
        (["relu", "tanh"], "relu, tanh"), (None, ""), ("a\x1b[31m", "a\\x1b[31m"),
    ],
)  # fmt: skip
def test_values_as_a_person_writes_them(value: Any, words: str) -> None:
    assert shown(value) == words


def test_a_config_in_one_line(configured: Configured) -> None:
    assert describe(RunConfig(), 10) == "digits · 64-64-64-10 · relu · he_normal · sgd 0.1"
    mixed = configured({"network.widths": [8, 4], "network.activation": ["relu", "tanh"]})
    assert describe(mixed, None) == "digits · 8-4 · mixed · he_normal · sgd 0.1"
    linear = configured({"network.widths": []})
    assert describe(linear, 10) == "digits · 10 · relu · he_normal · sgd 0.1"


# Arrows


def number(default: int | float, value: int | float, low: float | None = None) -> SettingLine:
    return SettingLine("a.b", "b", "", value, Option("b", default, "", low))


def after(line: SettingLine, *directions: int) -> Any:
    for direction in directions:
        line = SettingLine(
            line.key, line.label, line.sentence, nudged(line, direction), line.option
        )
    return line.value


RUNGS = [float(f"{m}e{e}") for e in range(-4, 4) for m in (1, 2, 5)]


@given(st.sampled_from(RUNGS), st.integers(1, 4), st.sampled_from([-1, 1]))
def test_a_number_comes_back_to_where_it_came_from(rung: float, far: int, first: int) -> None:
    assert after(number(0.1, rung), *[first] * far, *[-first] * far) == rung


@given(st.sampled_from([*range(9), 16, 32, 1024]), st.integers(1, 4))
def test_a_whole_number_comes_back_to_where_it_came_from(value: int, far: int) -> None:
    there_and_back = after(number(64, value), *[1] * far, *[-1] * far)
    assert there_and_back == value
    assert isinstance(there_and_back, int)


@given(st.floats(1e-5, 1e4))
def test_one_step_up_is_more_and_one_down_is_less(value: float) -> None:
    assert nudged(number(0.1, value), 1) > value > nudged(number(0.1, value), -1)


@given(st.integers(0, 10_000))
def test_one_step_up_is_more_and_one_down_is_less_for_whole_numbers(value: int) -> None:
    assert nudged(number(64, value), 1) > value > nudged(number(64, value), -1)


def test_the_rungs_are_1_2_5_and_powers_of_two() -> None:
    assert [after(number(0.1, 0.1), *[1] * n) for n in range(5)] == [0.1, 0.2, 0.5, 1.0, 2.0]
    assert [after(number(64, 6), *[1] * n) for n in range(5)] == [6, 7, 8, 16, 32]
    assert after(number(64, 1000), 1) == 1024
    assert after(number(64, 1000), -1) == 512
    assert after(number(0.1, 0.13), 1) == 0.2
    assert after(number(0.1, 0.13), -1) == 0.1


def test_arrows_stop_at_the_end_of_what_is_valid(configured: Configured) -> None:
    config = configured({"optimizer.lr": 1e-9, "network.dropout": 0.5, "training.steps": 1})
    found = keyed(config)
    for key in ("optimizer.lr", "training.steps"):
        assert nudged(found[key], -1) == found[key].value
    assert nudged(found["network.dropout"], 1) == 0.5  # 1 would switch everything off


def test_every_value_reached_by_arrows_is_valid(configured: Configured) -> None:
    for optimizer in OPTIMIZERS:
        config = configured({"optimizer.name": optimizer, "network.init": "uniform"})
        for line in lines(config):
            for direction in (-1, 1):
                if line.key == "network.init" or line.table is not None:
                    continue
                config.changed({line.key: nudged(line, direction)}, "test")


def test_choices_go_round() -> None:
    line = keyed(RunConfig())["network.activation"]
    names = list(ACTIVATIONS)
    seen = [line.value]
    for _ in names:
        value = nudged(line, 1)
        assert nudged(SettingLine("", "", "", value, None, line.table), -1) == line.value
        line = SettingLine(line.key, line.label, line.sentence, value, None, line.table)
        seen.append(value)
    assert sorted(seen[:-1]) == sorted(names)
    assert seen[-1] == seen[0]


def test_a_switch_switches_and_text_stays() -> None:
    found = keyed(RunConfig())
    assert nudged(found["network.residual"], 1) is True
    assert nudged(found["data.standardize"], -1) is False
    for key in ("network.widths", "training.device"):
        assert nudged(found[key], 1) == found[key].value


@pytest.mark.parametrize(
    ("widths", "text"),
    [([64] * 20, "64×20"), ([784, *[256] * 7, 10], "784-256×7-10"), ([8, 8], "8-8")],
)
def test_long_widths_are_written_short_and_read_back(widths, text):
    assert shown(widths) == text
    assert parse_assignment(f"network.widths={text}") == ("network.widths", widths)
    assert parse_assignment(f"network.widths={text.replace('×', 'x')}")[1] == widths


def test_a_change_is_written_without_the_settings_that_stay():
    config = RunConfig().changed({"network.init": {"name": "constant", "value": 0.5}})
    change = {
        "optimizer.name": "momentum",
        "optimizer.lr": config.optimizer.lr,
        "network.init": "he_normal",
    }
    assert changes_shown(change, config) == (
        "optimizer sgd → momentum, init constant (value 0.5) → he_normal"
    )


def test_what_differs_names_the_data_also_where_one_is_a_file():
    digits = RunConfig()
    mine = digits.changed({"data.file": "/somewhere/mine.csv", "data.target": "price"})
    assert what_differs(digits, mine) == ("data digits",)
    assert what_differs(mine, digits) == ("data mine.csv",)
    assert what_differs(mine, mine) == ()
