"""`caveats-tui sweep` and `atlas` on the command line: what they print, and what they refuse."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from caveats.sweeps import Sweep
from caveats.sweeps.work import work
from caveats_tui.cli import cli

SMALL = [
    "--set", "data.name=moons", "--set", "data.n=60", "--set", "network.widths=4",
    "--set", "training.steps=6", "--set", "training.batch_size=20",
    "--set", "training.device=cpu",
]  # fmt: skip


def said(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks are trained in this process, which saves the start of another one."""

    def run(sweep: Sweep, executor: str, workers: object, address: object, report: object) -> None:
        for task in sweep.missing():
            report(task, work(str(sweep.folder), task))  # type: ignore[operator]

    monkeypatch.setattr("caveats.sweeps.executors.run", run)


@pytest.mark.usefixtures("here")
def test_a_sweep_trains_says_how_far_it_is_and_exports(tmp_path: Path) -> None:
    folder = str(tmp_path / "s")
    words = ["sweep", "optimizer.lr=0.1,0.2", "network.width=3,4", *SMALL, "--out", folder]
    dry = said(*words, "--dry-run")
    assert dry.exit_code == 0
    assert "4 cells in 2 tasks; nothing was trained" in dry.stdout
    assert not (tmp_path / "s").exists()
    done = said(*words)
    assert done.exit_code == 0, done.output
    assert "4 of 4 cells done (2 of 2 tasks)" in done.stdout
    status = json.loads(said("sweep", "status", folder, "--json").stdout)
    assert (status["cells"], status["done"], status["failed"]) == (4, 4, {})
    out = tmp_path / "table.csv"
    assert said("sweep", "export", folder, "--out", str(out)).exit_code == 0
    with out.open() as file:
        assert len(list(csv.DictReader(file))) == 4


@pytest.mark.usefixtures("here")
def test_a_sweep_that_is_done_is_not_cancelled(tmp_path: Path) -> None:
    folder = str(tmp_path / "s")
    assert said("sweep", "optimizer.lr=0.1,0.2", *SMALL, "--out", folder).exit_code == 0
    assert "there is nothing to cancel" in said("sweep", "cancel", folder).stderr
    assert "cancelled" not in said("sweep", "status", folder).stdout


@pytest.mark.usefixtures("here")
def test_cancel_and_resume(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    words = ["sweep", "optimizer.lr=0.1,0.2", *SMALL, "--out", str(folder)]
    assert said(*words).exit_code == 0
    for path in (folder / "results").iterdir():
        path.unlink()
    assert said("sweep", "cancel", str(folder)).exit_code == 0
    told = said("sweep", "status", str(folder)).stdout
    assert "cancelled" in told
    assert "goes on with what is missing" in told
    assert "2 of 2 cells done" in said("sweep", "resume", str(folder)).stdout


def test_failures_are_shown_with_their_last_lines(tmp_path: Path) -> None:
    from caveats.config import RunConfig
    from caveats.sweeps import Plan, parse_axis

    base = RunConfig()
    plan = Plan.of(base, [parse_axis("optimizer.lr=0.1,0.2", base)])
    Sweep.create(tmp_path / "s", plan).fail(0, "many\n" * 40 + "MemoryError: \x1b[2J no room")
    told = said("sweep", "status", str(tmp_path / "s")).stdout
    assert "task 0 failed:" in told
    assert told.count("  many") == 11
    assert r"MemoryError: \x1b[2J no room" in told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sweep", "optimizer.lr=1..0.1@3"], "optimizer.lr=1..0.1@3 is reversed"),
        (["sweep", "optimizer.lr=0.1..1@1000000000"], "asks for 1,000,000,000 values"),
        (["sweep", "optimizer.lrr=1,2"], "did you mean 'lr'?"),
        (["sweep", "optimizer.lr=1,2"], "a sweep wants a folder: give --out DIR"),
        (["sweep", "--out", "x"], "a sweep needs at least one KEY=RANGE, or --seeds above 1"),
        (["sweep", "he_2015", "other", "--out", "x"], "give one experiment, and axes as KEY=RANGE"),
        (["sweep", "he_2016", "optimizer.lr=1,2", "--out", "x"], "did you mean 'he_2015'?"),
        (["sweep", "optimizer.lr=1,2", "--out", "x", "--executor", "dusk"], "did you mean 'dask'?"),
        (["sweep", "status", "nowhere"], "nowhere holds no sweep: there is no plan.json"),
        (["sweep", "resume", "nowhere"], "nowhere holds no sweep: there is no plan.json"),
        (["atlas"], "an atlas has two axes: give --x KEY=RANGE and --y KEY=RANGE"),
        (["atlas", "--x", "optimizer.lr=1,2"], "an atlas has two axes"),
        (["atlas", "--x", "optimizer.lr=1,2", "--y", "optimizer.lr=1,2"], "is on two axes"),
        (["atlas", "order_and_choas"], "is no atlas: did you mean 'order_and_chaos'?"),
        (
            ["atlas", "order_and_chaos", "--set", "optimizer.lr=1"],
            "order_and_chaos is a whole atlas: it takes no other settings",
        ),
        (["atlas", "--out", "nowhere"], "nowhere holds no sweep: there is no plan.json"),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = said(*words)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_atlas_shows_a_sweep_of_two_axes_only(tmp_path: Path) -> None:
    from caveats.config import RunConfig
    from caveats.sweeps import Plan, parse_axis

    base = RunConfig()
    Sweep.create(tmp_path / "s", Plan.of(base, [parse_axis("optimizer.lr=0.1,0.2", base)]))
    result = said("atlas", "--out", str(tmp_path / "s"))
    assert result.exit_code == 2
    assert "is a sweep over 1 settings: an atlas shows two" in result.stderr
