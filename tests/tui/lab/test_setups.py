"""Setups travel: as a TOML file, as a command line, from a kept run; recent ones are listed."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.experiments import experiments
from caveats.runs.manifest import Manifest
from caveats.runs.setups import MOST, read_recent, read_setup, remember, write_setup
from caveats_tui.cli import cli
from caveats_tui.commands.shared_options import read_config
from caveats_tui.options import ConfigOptions
from caveats_tui.screens.lab.setups import RecentSetups, path_of
from caveats_tui.text.command_line import command_line

CONFIGS = [c for e in experiments().values() for c in (e.config, e.cured)]
ODD = [
    {"data.file": "a b/it's.csv", "data.target": "1"},
    {"network.widths": [], "training.epochs": 3},
    {"network.widths": [8] * 20, "network.activation": ["relu"] * 19 + ["tanh"]},
    {"network.init": [{"name": "normal", "std": 0.2}, "zeros", "zeros", "he_normal"]},
    {"optimizer.name": "adam", "optimizer.betas": [0.5, 0.9], "optimizer.lr": 1e-5},
    {"data.name": "circles", "data.share": 0.1, "training.class_weight": "balanced"},
]


def back(line: str) -> RunConfig:
    """The config that `caveats-tui run` makes of a command line."""
    words = shlex.split(line)
    assert words[:2] == ["caveats-tui", "run"]
    assert words[2::2] == ["--set"] * (len(words) // 2 - 1)
    return read_config(ConfigOptions(None, tuple(words[3::2]), None))


@given(
    st.sampled_from([RunConfig(), *CONFIGS, *(RunConfig().changed(change) for change in ODD)]),
    st.fixed_dictionaries(
        {},
        optional={
            "optimizer.name": st.sampled_from(["sgd", "adam", "momentum"]),
            "optimizer.lr": st.floats(1e-9, 1e3),
            "network.bias": st.floats(-1e6, 1e6),
            "network.residual": st.booleans(),
            "data.name": st.sampled_from(["moons", "digits", "sine"]),
            "training.seed": st.integers(0, 2**63 - 1),
        },
    ),
)
def test_the_command_line_makes_the_same_config(start: RunConfig, changes: dict[str, Any]) -> None:
    config = start.changed(changes)
    assert back(command_line(config)) == config


def test_the_command_line_of_the_default_setup_says_nothing() -> None:
    assert command_line(RunConfig()) == "caveats-tui run"


@pytest.mark.parametrize("config", [*CONFIGS, *(RunConfig().changed(o) for o in ODD[1:])])
def test_a_saved_setup_is_read_as_it_was(config: RunConfig, tmp_path: Path) -> None:
    file = tmp_path / "setup.toml"
    write_setup(config, file)
    assert read_setup(file) == config
    assert read_setup(file).batch_given == ("batch_size" in file.read_text())


def test_a_data_file_beside_the_setup_travels_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    config = RunConfig().changed({"data.file": "here/mine.csv", "data.target": "y"})
    write_setup(config, tmp_path / "here" / "setup.toml")
    (tmp_path / "here").rename(tmp_path / "there")
    assert read_setup("there/setup.toml").data.file == "there/mine.csv"
    write_setup(config, tmp_path / "there" / "other.toml")  # not beside: by its whole path
    assert read_setup("there/other.toml").data.file == str(tmp_path / "here" / "mine.csv")


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("mine")
    with pytest.raises(ConfigError, match=r"mine\.toml exists already"):
        write_setup(RunConfig(), tmp_path / "mine.toml")
    assert (tmp_path / "mine.toml").read_text() == "mine"
    with pytest.raises(ConfigError, match=r"x\.toml cannot be written: No such file"):
        write_setup(RunConfig(), tmp_path / "gone" / "x.toml")


@pytest.mark.parametrize("typed", ["/", ".", "..", "a/..", " ~/.. ", "a\0b"])
def test_what_names_no_file_is_said_while_it_is_typed(typed: str) -> None:
    with pytest.raises(ConfigError, match="names no file"):
        path_of(typed)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was kept, in the default place."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    config = RunConfig().changed({"network.widths": [4], "optimizer.lr": 0.25})
    folder = tmp_path / "caveats-tui" / "runs" / "moons-relu"
    folder.mkdir(parents=True)
    Manifest(config, ("layer 1", "output"), (4, 10)).write(folder)
    return folder


def test_a_config_may_be_that_of_a_kept_run(kept: Path) -> None:
    for word in (kept, kept / "run.toml", "moons-relu"):
        config = read_config(ConfigOptions(str(word), ("training.steps=7",), None))
        assert (config.optimizer.lr, config.network.widths) == (0.25, (4,))
        assert config.training.steps == 7


def test_a_config_of_ones_own_may_be_called_run_toml(kept: Path, tmp_path: Path) -> None:
    """And the run.toml of a kept run anything else."""
    (tmp_path / "run.toml").write_text("[optimizer]\nlr = 0.125\n")
    assert read_setup(tmp_path / "run.toml").optimizer.lr == 0.125
    (kept / "run.toml").rename(tmp_path / "copy.toml")
    assert read_setup(tmp_path / "copy.toml").optimizer.lr == 0.25


def test_what_is_no_setup_gives_a_sentence_that_names_it(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    Manifest(None, ("layer 1", "output"), (4, 10), kind="watch").write(tmp_path / "empty")
    for word, said in (
        (tmp_path / "empty", "empty: this is a training that was watched"),
        (kept.parent, "runs is no run: it has no run.toml"),
        (tmp_path / "gone.toml", "gone.toml cannot be read: No such file"),
    ):
        called = CliRunner().invoke(cli, ["run", "--config", str(word)], prog_name="caveats-tui")
        assert called.exit_code == 2
        assert said in called.stderr
        assert called.stderr.count("\n") == 1


def test_recent_setups_are_few_and_the_newest_comes_first(tmp_path: Path) -> None:
    lists = tmp_path / "data" / "recent.toml"
    files = [tmp_path / f"{number}.toml" for number in range(MOST + 3)]
    for file in files:
        file.write_text("")
        remember(lists, file)
    assert read_recent(lists) == files[: -MOST - 1 : -1]
    remember(lists, files[5])
    assert read_recent(lists)[:2] == [files[5], files[-1]]
    files[5].unlink()
    assert read_recent(lists)[0] == files[-1]


@pytest.mark.parametrize("text", ["", "setups = 3", "setups = [1, '\\u0000']", "\xff", "not toml"])
def test_a_broken_list_of_recent_setups_is_no_trouble(text: str, tmp_path: Path) -> None:
    lists = tmp_path / "recent.toml"
    lists.write_text(text, encoding="latin-1")
    assert read_recent(lists) == []
    (tmp_path / "mine.toml").write_text("")
    remember(lists, tmp_path / "mine.toml")
    assert read_recent(lists) == [tmp_path / "mine.toml"]


def test_saved_opened_and_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drive: Callable[..., None], kept: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    small = RunConfig().changed({"data.name": "moons", "network.widths": [8]})

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("S", "ctrl+u", *"one", "enter")
        assert lab.message == "saved one.toml: caveats-tui --config one.toml opens it"
        assert RunConfig.read("one.toml") == small
        await lab.press("S", "ctrl+u", *"one")
        await lab.until("one.toml exists already: give another name")
        await lab.press("enter", "escape", "O")
        assert isinstance(lab.app.screen, RecentSetups)
        assert "moons · 8 · relu" in lab.text
        await lab.press("down", "enter")  # another file
        await lab.until("caveats-tui/")
        await lab.press(*str(kept / "run.toml"), "enter")
        await lab.until(lambda: lab.bench.config.optimizer.lr == 0.25)
        await lab.press("O")
        await lab.until("digits · 4 · relu")
        await lab.press(*"one", "enter")
        await lab.until(lambda: lab.bench.config == small)
        await lab.press("u")
        assert lab.bench.config.optimizer.lr == 0.25

    drive(scenario, small, drawing=False, recent=tmp_path / "lists" / "recent.toml")
