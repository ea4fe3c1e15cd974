"""A sweep's folder: what is missing, what failed, what was refused, and its table."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.run import Run
from caveats.sweeps import Plan, Sweep, parse_axis
from caveats.sweeps.executors import dry_run, local, run, slurm
from caveats.sweeps.export import export
from caveats.sweeps.outcomes import Outcome, outcome_of
from caveats.sweeps.plan import cell_id
from caveats.sweeps.work import work
from caveats.verdicts import judge

BASE = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 60},
        "network": {"widths": [4]},
        "training": {"steps": 6, "batch_size": 20, "device": "cpu"},
    }
)


def plan(*texts: str, seeds: int = 1) -> Plan:
    return Plan.of(BASE, [parse_axis(text, BASE) for text in texts], seeds)


def made(folder: Path, *texts: str, seeds: int = 1) -> Sweep:
    return Sweep.create(folder, plan(*texts, seeds=seeds))


def test_a_task_writes_what_its_single_runs_would_give(tmp_path: Path) -> None:
    sweep = made(tmp_path / "s", "optimizer.lr=0.1,1e30", "network.width=3,4")
    assert sweep.progress().done == 0
    for task in sweep.missing():
        assert work(str(sweep.folder), task) == "done"
    assert sweep.missing() == []
    found = list(sweep.results())
    assert [index for index, _, _ in sorted(found)] == [0, 1, 2, 3]
    for index, outcome, name in found:
        config = sweep.plan.config(sweep.plan.cells[index])
        single = Run(config)
        while not single.finished:
            single.advance()
        assert name == cell_id(config)
        expected = outcome_of(single.history, single.divergence)
        assert outcome.document() == {
            key: pytest.approx(value, rel=1e-4) if isinstance(value, float) else value
            for key, value in expected.document().items()
        }
        worst = [v.caveat for v in judge(single.history) if v.severity != "note"]
        assert outcome.caveat == (worst[0] if worst else "")


def test_a_config_that_is_refused_is_an_outcome_and_harms_no_other(tmp_path: Path) -> None:
    sweep = made(tmp_path / "s", "training.batch_size=20,4000")
    for task in sweep.missing():
        work(str(sweep.folder), task)
    fits, refused = (outcome for _, outcome, _ in sorted(sweep.results(), key=lambda r: r[0]))
    assert fits.problem == ""
    assert math.isfinite(fits.loss)
    assert "training.batch_size = 4000 is larger than the 60 rows" in refused.problem


def test_a_task_that_fails_keeps_its_last_lines_and_resume_tries_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = made(tmp_path / "s", "optimizer.lr=0.1,0.2")
    with monkeypatch.context() as patch:
        patch.setattr("caveats.sweeps.work.train", lambda configs, watch: 1 / 0)
        assert work(str(sweep.folder), 0) == "ZeroDivisionError: division by zero"
    failed = sweep.progress().failed
    assert failed[0].endswith("ZeroDivisionError: division by zero")
    sweep.go_on()
    assert work(str(sweep.folder), 0) == "done"
    assert sweep.progress().failed == {}


def test_a_cancelled_sweep_stops_and_goes_on(tmp_path: Path) -> None:
    sweep = made(tmp_path / "s", "optimizer.lr=0.1,0.2")
    sweep.cancel()
    assert work(str(sweep.folder), 0) == "cancelled"
    assert sweep.progress().cancelled
    local(sweep, 1, lambda task, word: pytest.fail("a cancelled sweep trains nothing"))
    sweep.go_on()
    assert work(str(sweep.folder), 0) == "done"


def test_the_same_plan_goes_on_and_another_one_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    made(folder, "optimizer.lr=0.1,0.2")
    assert len(made(folder, "optimizer.lr=0.1,0.2").missing()) == 1
    with pytest.raises(ConfigError, match="holds another sweep: choose a new folder"):
        made(folder, "optimizer.lr=0.1,0.3")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(ConfigError, match="is not empty: a sweep wants a folder of its own"):
        made(tmp_path / "other", "optimizer.lr=0.1,0.3")
    with pytest.raises(ConfigError, match="holds no sweep: there is no plan"):
        Sweep(tmp_path / "other")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 9}', "[" * 9999])
def test_a_damaged_plan_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ConfigError, match=r"is damaged|is of version 9, not 1"):
        Sweep(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"cells": []}', '{"cells": [{"cell": 7, "id": "a"}]}', '{"cells": [1]}']
)
def test_damaged_results_are_one_sentence(tmp_path: Path, text: str) -> None:
    sweep = made(tmp_path / "s", "optimizer.lr=0.1,0.2")
    sweep.result_file(0).write_text(text)
    with pytest.raises(ConfigError, match="is damaged: remove it, and resume trains its cells"):
        list(sweep.results())


def test_the_table_has_a_row_for_each_cell(tmp_path: Path) -> None:
    sweep = made(tmp_path / "s", "network.widths=4,3-3", "optimizer.lr=0.1..0.2@2", seeds=2)
    with pytest.raises(ConfigError, match="has no results yet"):
        export(sweep, tmp_path / "out.csv", "csv")
    for task in sweep.missing():
        work(str(sweep.folder), task)
    assert export(sweep, tmp_path / "out.csv", "csv") == 8
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["network.widths"] for row in rows] == ["4"] * 4 + ["3-3"] * 4
    assert len({row["id"] for row in rows}) == 8
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    export(sweep, tmp_path / "out.parquet", "parquet")
    table = pandas.read_parquet(tmp_path / "out.parquet")
    assert table["id"].tolist() == [row["id"] for row in rows]
    with pytest.raises(ConfigError, match="cannot be written"):
        export(sweep, tmp_path / "no" / "out.csv", "csv")
    for folder in (Path("/"), Path(""), tmp_path):
        with pytest.raises(ConfigError, match="is a folder"):
            export(sweep, folder, "csv")


def test_an_outcome_survives_json() -> None:
    outcome = Outcome(0.5, math.nan, 0.1, 2.0, math.nan, 7, "symmetry", "warning", "x", ("a",))
    back = Outcome.of(json.loads(json.dumps(outcome.document())))
    assert repr(back) == repr(outcome)


def test_executors_that_are_not_there_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = made(tmp_path / "s", "optimizer.lr=0.1,0.2")

    def nothing(task: int, word: str) -> None: ...

    with pytest.raises(ConfigError, match=r"--executor dusk is unknown: did you mean 'dask'\?"):
        run(sweep, "dusk", None, None, nothing)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with monkeypatch.context() as patch:
        patch.setitem(__import__("sys").modules, "submitit", None)
        with pytest.raises(ConfigError, match=r"needs submitit: pip install"):
            slurm(sweep, nothing)
        patch.setitem(__import__("sys").modules, "distributed", None)
        with pytest.raises(ConfigError, match=r"needs distributed: pip install"):
            run(sweep, "dask", None, None, nothing)
    pytest.importorskip("submitit")
    with pytest.raises(ConfigError, match="needs sbatch, which is not on this machine"):
        slurm(sweep, nothing)


def test_a_dry_run_for_slurm_shows_an_array_of_jobs(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="the extra [slurm] is not installed")
    script = dry_run(tmp_path, 12)
    assert script.startswith("#!/bin/bash")
    assert "#SBATCH --array=0-11" in script
