"""The command line inside one process: what it takes, what it says, how it ends."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from caveats.config import RunConfig
from caveats.config.settings import SETTINGS
from caveats.errors import ConfigError
from caveats.experiments import experiments, find
from caveats.training.optimizers import OPTIMIZERS
from caveats_tui import cli as entry
from caveats_tui.commands import run as run_module
from caveats_tui.commands.run import trained
from caveats_tui.commands.shared_options import read_config
from caveats_tui.options import ConfigOptions, LabOptions, RecordingOptions, ScreenOptions


def call(*args: str) -> Result:
    return CliRunner().invoke(entry.cli, args, prog_name="caveats-tui")


def sets(*assignments: str) -> list[str]:
    return [part for text in assignments for part in ("--set", text)]


def document(*args: str) -> Any:
    """What `run --json` prints, read by the strictest rules."""
    called = call("run", "--json", *args)
    assert called.exit_code == 0
    # A file's rows are told in one line; about built-in data there is nothing to tell.
    from_file = any("data.file" in arg or arg.endswith(".toml") for arg in args)
    assert re.fullmatch("data: .*\n" if from_file else "", called.stderr)

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(called.stdout, parse_constant=refuse)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """200 rows of which the sign of the sum of two columns is the class."""
    x = np.random.default_rng(0).normal(size=(200, 2))
    rows = [f"{a},{b},{'up' if a + b > 0 else 'down'}" for a, b in x]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["a,b,sign", *rows]))
    return path


# What it is done when: a step of 0.3 kills the network, one of 0.003 trains it.


def hidden(found: Any) -> list[Any]:
    return [layer for layer in found["final"]["layers"] if layer["name"] != "output"]


DIGITS = sets(
    "data.name=digits", "network.activation=relu", "optimizer.name=adam", "training.steps=400"
)


def test_adam_with_steps_of_0_3_kills_nine_tenths_of_the_relus_of_digits() -> None:
    found = document(*DIGITS, *sets("optimizer.lr=0.3"))

    dead, units = (sum(layer[key] for layer in hidden(found)) for key in ("dead", "units"))
    assert units == 192
    assert dead > 0.9 * units
    assert found["final"]["accuracy"] < 0.2


def test_adam_with_steps_of_0_003_learns_digits() -> None:
    found = document(*DIGITS, *sets("optimizer.lr=0.003"))

    assert found["final"]["accuracy"] > 0.97
    assert found["steps"] == 400


# Settings.


@pytest.mark.parametrize(
    "assignments",
    [
        ("network.widths=[8,8]", 'network.activation=["relu","tanh"]'),
        ("optimizer.name=adam", "optimizer.lr=0.3", "optimizer.betas=[0.8,0.9]"),
        ("data.name=moons", "data.noise=0.1", "data.n=50"),
        ("network.init=normal", "network.init.std=0.01"),
        ("data.file=my.csv", "data.target=y", "data.standardize=false"),
    ],
)
def test_settings_mean_the_same_in_any_order(assignments: tuple[str, ...]) -> None:
    configs = [
        read_config(ConfigOptions(None, order)) for order in itertools.permutations(assignments)
    ]

    assert all(config == configs[0] for config in configs)
    flat = configs[0].flat()
    for key, value in (text.split("=") for text in assignments):
        if key.startswith("network.init"):
            assert flat["network.init"] == {"name": "normal", "std": 0.01}
        else:
            text = flat[key] if isinstance(flat[key], str) else json.dumps(flat[key])
            assert text.replace(" ", "") == value


def test_settings_go_on_top_of_a_config_file_and_the_device_on_top_of_both(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[optimizer]\nname = "adam"\nlr = 0.01\n[training]\ndevice = "cuda:1"\n')

    config = read_config(ConfigOptions(str(path), ("optimizer.lr=0.02", "training.steps=7"), "cpu"))

    assert config == RunConfig.from_dict(
        {
            "optimizer": {"name": "adam", "lr": 0.02},
            "training": {"device": "cpu", "steps": 7},
        }
    )


def test_a_config_finds_its_csv_beside_it_and_an_option_finds_one_from_here(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.toml").write_text('[data]\nfile = "mine.csv"\ntarget = "sign"\n')
    short = sets("training.steps=150", "network.widths=8-8")
    from_file = document("--config", str(tmp_path / "run.toml"), *short)
    monkeypatch.chdir(csv.parent)
    from_here = document(*sets("data.file=mine.csv", "data.target=sign"), *short)

    assert from_file["final"]["accuracy"] > 0.9
    assert from_here["final"] == from_file["final"]
    assert re.fullmatch(r"sign: 2 classes, \d+ \d+", from_here["target"])


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (
            [str(price) for price in range(300_000, 420_000, 10_000)],
            "price: numbers, 355,000 ± 34,500",
        ),
        (["setosa", "virginica", "virginica"] * 4, "price: 2 classes, 4 8"),
    ],
)
def test_how_the_target_was_read_and_a_batch_made_to_fit_are_said(
    tmp_path: Path, cells: list[str], told: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text("size,price\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)))
    options = sets(f"data.file={path}", "data.target=price", "training.steps=5")

    called = call("run", *options)
    line = f"data: own.csv, 12 rows of 1; {told}; batches of 12 rows, as there are no more\n"
    assert (called.exit_code, called.stderr) == (0, line)
    found = document(*options)
    assert found["target"] == told
    assert found["config"]["training"]["batch_size"] == 12
    asked = call("run", *options, *sets("training.batch_size=64"))
    assert asked.exit_code == 2
    assert "training.batch_size = 64 is larger than the 12 rows" in asked.stderr


@pytest.mark.parametrize("every", [7, 50])
def test_a_fixed_cadence_measures_each_nth_step_and_the_last(every: int) -> None:
    run = trained(
        read_config(ConfigOptions(None, ("training.steps=30", "network.widths=[4]"))), every
    )

    assert list(run.history.snapshot().steps) == [*range(0, 30, every), 30]


def test_an_experiment_is_a_config_with_settings_on_top() -> None:
    config = read_config(ConfigOptions(None, ("optimizer.lr=0.003",), "cpu"), "mass_extinction")

    base = find("mass_extinction").config
    assert base.optimizer.lr == 0.3
    assert config == base.changed({"optimizer.lr": 0.003, "training.device": "cpu"})


# Output.


def test_the_json_is_the_same_run_as_the_engine_makes() -> None:
    found = document(*sets("training.steps=20", "data.name=moons", "training.seed=5"))
    config = read_config(
        ConfigOptions(None, ("training.steps=20", "data.name=moons", "training.seed=5"))
    )

    last = trained(config, None).history.snapshot()
    assert RunConfig.from_dict(found["config"]) == config
    assert found["final"]["loss"] == last.scalar("loss")[-1]
    norms = [layer["grad_norm"] for layer in found["final"]["layers"]]
    assert norms == list(last.layers("grad_norm")[-1])


def test_a_run_that_diverges_is_a_result() -> None:
    settings = sets("optimizer.lr=1e6", "training.steps=50")
    found, called = document(*settings), call("run", *settings)

    assert found["diverged"]["step"] == found["steps"] < 50
    assert found["final"]["loss"] is None
    assert "final.loss" in found["nonfinite"]
    assert called.exit_code == 0
    assert f"at step {found['steps']}" in called.stdout
    assert found["diverged"]["where"] in called.stdout


def test_the_table_says_what_the_json_says() -> None:
    settings = sets("optimizer.name=adam", "optimizer.lr=0.3", "training.steps=100")
    found, called = document(*settings), call("run", *settings)

    assert (called.exit_code, called.stderr) == (0, "")
    lines = called.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for layer in found["final"]["layers"]:
        cells = next(line for line in lines if line.startswith(layer["name"])).split()
        counts = [layer[k] for k in ("units", "dead", "born_dead", "dormant", "saturated")]
        at = len(layer["name"].split())
        assert cells[at : at + 5] == [str(count) for count in counts]
        assert float(cells[at + 6]) == pytest.approx(layer["grad_norm"], rel=0.006)
    assert "dying_relu" in called.stdout


# Bad input: one sentence on stderr, nothing on stdout, exit 2.

BAD = [
    (["rnu"], ["rnu", "'run'"]),
    (["run", "mass_extintion"], ["'mass_extintion'", "'mass_extinction'"]),
    (["run", "one", "two"], ["two"]),
    (["run", "mine.toml"], ["'mine.toml'", "--config"]),
    (["run", "doubling", "--config", "mine.toml"], ["'doubling'", "--config", "exclude"]),
    (["run", "doubling", "--resume", "run"], ["--resume", "NAME"]),
    (["--experiment", "dubling"], ["'dubling'", "'doubling'"]),
    (["--experiment", "doubling", "run"], ["--experiment", "run"]),
    (["experiments", "extra"], ["extra"]),
    (["doctor", "--jsno"], ["--jsno"]),
    (["run", "--jsno"], ["--jsno", "--json"]),
    (["run", "--every", "0"], ["--every", "0", "auto"]),
    (["run", "--every", "often"], ["--every", "often", "auto"]),
    (["--set", "training.steps=1", "run"], ["--set", "run"]),
    (["run", "--config", "absent.toml"], ["absent.toml"]),
    (["run", "--config", "."], ["."]),
    (["run", "--set", "optimizer.lr"], ["--set", "optimizer.lr", "KEY=VALUE"]),
    (["run", "--set", "optimiser.lr=1"], ["--set", "optimiser.lr"]),
    (["run", "--set", "optimizer.lr=-1"], ["--set", "optimizer.lr", "-1", "above 0"]),
    (["run", "--set", "optimizer.lr=fast"], ["--set", "optimizer.lr", "fast"]),
    (["run", "--set", "network.activation=rellu"], ["--set", "rellu", "'relu'"]),
    (["run", "--set", "network.widths=64-0"], ["network.widths", "0"]),
    (["run", "--set", "data.name=moon"], ["--set", "data.name", "moon", "'moons'"]),
    (["run", "--set", "data.name=moons", "--set", "data.file=x.csv"], ["moons", "x.csv"]),
    (["run", "--set", "data.file=absent.csv"], ["data.file", "absent.csv"]),
    (["run", "--set", "training.batch_size=5000"], ["training.batch_size", "5000", "1797"]),
    (["run", "--device", "gpu"], ["--device", "gpu", "cuda"]),
    (["run", "--device", "cuda:999"], ["cuda:999", "cpu"]),
    (["run", "--set", "network.widths=1000000-1000000"], ["out of memory", "widths"]),
    (["--fps", "nan"], ["--fps", "nan"]),
    (["--charset", "brail"], ["--charset", "brail", "braille"]),
    (["run", "--set", "\x1b]0;title\x07=1"], ["\\x1b]0;title\\x07"]),
    (["\x1b[2J"], ["\\x1b[2J"]),
    (["run", "--\x1b[2J"], ["\\x1b[2J"]),
]


@pytest.mark.parametrize(("args", "said"), BAD, ids=lambda value: " ".join(map(ascii, value)))
def test_bad_input_is_one_sentence(
    args: list[str], said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    called = call(*args)

    assert (called.exit_code, called.stdout) == (2, "")
    assert called.stderr.startswith("Error: ")
    assert called.stderr.count("\n") == 1
    assert called.stderr.endswith("\n")
    assert called.stderr[:-1].isprintable()
    assert all(part in called.stderr for part in said), called.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[optimizer\nlr = 1", "TOML"),
        (b"[optimizer]\nlr = 'big'\n", "optimizer.lr"),
        (b"[optimzer]\nlr = 1\n", "'optimizer'"),
        (b"[data]\nfile = 'mine.csv'\ntarget = 'sing'\n", "'sign'"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_bad_config_file_is_named(csv: Path, content: bytes, said: str) -> None:
    path = csv.parent / "bad.toml"
    path.write_bytes(content)
    called = call("run", "--config", str(path))

    assert (called.exit_code, called.stdout) == (2, "")
    assert called.stderr.count("\n") == 1
    assert said in called.stderr
    assert ("mine.csv" if "sing" in str(content) else "bad.toml") in called.stderr


@given(
    key=st.sampled_from([*SETTINGS, *(f"optimizer.{n}" for n in OPTIMIZERS), "network.init.std"]),
    value=st.one_of(st.text(), st.from_regex(r"[\[\]{}\"',=0-9.eE+-]{0,12}")),
)
def test_any_value_of_any_setting_is_taken_or_refused_in_one_sentence(key: str, value: str) -> None:
    said = ""
    try:
        config = read_config(ConfigOptions(None, (f"{key}={value}",)))
    except ConfigError as error:
        said = str(error)
        config = RunConfig()

    assert said.isprintable()
    assert RunConfig.from_dict(config.to_dict()) == config


def test_a_bug_of_the_program_is_not_reported_as_bad_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(run_module, "trained", broken)

    assert isinstance(call("run").exception, RuntimeError)


# Cures.


def test_fix_finds_the_change_that_cures_and_reports_the_run_that_it_makes() -> None:
    found = document(*DIGITS, *sets("optimizer.lr=0.3", "training.steps=150"), "--fix")
    fix, config = found["fix"], RunConfig.from_dict(found["config"])
    *failed, last = fix["attempts"]

    assert fix["caveat"] == "dying_relu"
    assert fix["cured"] == len(fix["attempts"]) - 1 < 5
    assert [attempt["cured"] for attempt in failed] == [False] * len(failed)
    assert found["final"]["loss"] > 2
    assert last["reason"]
    assert "dying_relu" not in [v["caveat"] for v in last["verdicts"] if v["severity"] != "note"]
    again = trained(config.changed(last["change"]), None).history.snapshot()
    assert last["final"]["loss"] == again.scalar("loss")[-1] < 0.5
    assert last["final"]["accuracy"] == again.scalar("accuracy")[-1]


def test_fix_tries_at_most_five_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caveats.curing.racing.outcome", lambda *run: "no better")
    settings = ("nothing_happens", *sets("training.steps=1"), "--fix")
    fix, called = document(*settings)["fix"], call("run", *settings)
    changes = [json.dumps(attempt["change"]) for attempt in fix["attempts"]]

    assert fix["cured"] is None
    assert 1 <= len(changes) == len(set(changes)) <= 5
    assert (called.exit_code, called.stderr) == (0, "")
    said = called.stdout.partition("\nfix: symmetry\n")[2]
    assert said.count("no better: ") == len(changes)
    assert max(map(len, said.splitlines())) <= 80


def test_a_healthy_run_has_nothing_to_fix() -> None:
    settings = (*sets("data.name=moons", "training.steps=300"), "--fix")

    assert document(*settings)["fix"] == {"caveat": None, "attempts": [], "cured": None}
    assert "fix: nothing" in call("run", *settings).stdout


# Lists.


def test_every_experiment_is_listed_once_under_its_group_in_80_columns() -> None:
    called = call("experiments")
    lines = called.stdout.splitlines()

    assert (called.exit_code, called.stderr) == (0, "")
    assert max(map(len, lines)) <= 80
    group, seen = "", []
    for line in lines:
        if line and not line.startswith(" "):
            group = line
        elif line.startswith("  ") and line[2] != " ":
            seen.append((group, line.split()[0]))
    assert seen == [(e.group, e.name) for e in experiments().values()]
    flat = " ".join(called.stdout.split())
    assert all(" ".join(e.sentence.split()) in flat for e in experiments().values())


def test_the_experiments_as_json_are_configs_with_their_cures() -> None:
    called = call("experiments", "--json")
    found = json.loads(called.stdout)["experiments"]

    assert [item["name"] for item in found] == list(experiments())
    for item in found:
        config = RunConfig.from_dict(item["config"])
        assert config == experiments()[item["name"]].config
        assert config.changed(item["cure"]) == experiments()[item["name"]].cured


# The lab.


def test_the_lab_gets_what_the_options_say(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[LabOptions] = []
    monkeypatch.setattr(entry, "open_lab", opened.append)

    plain = call()
    chosen = call(
        *sets("optimizer.lr=0.5"), "--every", "3", "--fps", "4", "--charset", "ascii",
        "--no-mouse", "--theme", "caveats-light", "--device", "cpu", "--record", "a.cast",
        "--cast-version", "2", "--idle-limit", "1", "--show-keys",
    )  # fmt: skip
    named = call("--experiment", "doubling")

    assert plain.exit_code == chosen.exit_code == named.exit_code == 0
    assert opened[0] == LabOptions(
        RunConfig(), None, ScreenOptions(None, "auto", True, None), RecordingOptions()
    )
    assert opened[1] == LabOptions(
        RunConfig().changed({"optimizer.lr": 0.5, "training.device": "cpu"}),
        3,
        ScreenOptions(4.0, "ascii", False, "caveats-light"),
        RecordingOptions("a.cast", 2, 1.0, True),
    )
    assert opened[2] == LabOptions(find("doubling").config)


def test_the_lab_refuses_streams_that_are_no_terminal() -> None:
    called = call()

    assert (called.exit_code, called.stdout) == (2, "")
    assert "not a terminal" in called.stderr
    assert called.stderr.count("\n") == 1


@pytest.mark.parametrize("flag", ["-h", "--help", "--version"])
def test_help_and_version_are_data(flag: str) -> None:
    called = call(flag)

    assert (called.exit_code, called.stderr) == (0, "")
    assert "caveats-tui" in called.stdout


def test_help_names_every_command_with_a_sentence() -> None:
    called = call("-h")

    listed = [" ".join(line.split()) for line in called.stdout.splitlines()]
    for name, command in entry.cli.commands.items():
        assert f"{name} {command.get_short_help_str(200)}" in listed
        assert call(name, "-h").exit_code == 0


def test_a_missing_choice_is_told_on_one_plain_line() -> None:
    said = call("export", "somewhere")
    assert said.exit_code == 2
    assert said.stderr.count("\n") == 1
    assert "\\n" not in said.stderr
    assert "Choose from: csv" in said.stderr
