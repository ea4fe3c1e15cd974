"""The shelf: unique names, lists with what is broken in them, labels, retention, the trash."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.runs.manifest import Manifest, Standing
from caveats.runs.shelf import (
    Label,
    default_place,
    delete,
    find,
    label,
    list_runs,
    new_folder,
    prune,
    undelete,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def put(place: Path, name: str, minutes: int, kind: str = "lab", state="finished") -> Path:
    folder = place / name
    folder.mkdir(parents=True)
    when = START + timedelta(minutes=minutes)
    standing = Standing(state, 10, time=when, curve=(2.0, 1.0), verdicts=(("symmetry", "note"),))
    Manifest(
        RunConfig().changed({"network.widths": [4]}),
        ("layer 1", "output"),
        (4, 2),
        kind=kind,
        created=when,
        standing=standing,
    ).write(folder)
    return folder


def names(place: Path) -> list[str]:
    return [entry.folder.name for entry in list_runs(place)]


def test_a_manifest_comes_back_as_it_was(tmp_path):
    config = RunConfig.from_dict({"network": {"widths": [3, 4], "activation": ["relu", "tanh"]}})
    manifest = Manifest(
        config, ("layer 1", "layer 2", "output"), (3, 4, 2), created=START, baseline=0.5,
        reachable=0.25, reachable_accuracy=0.75,
        device="cuda:1", data_crc32=7, versions={"torch": "2.13"}, host="server", pid=4, starts=3,
        standing=Standing("running", 7, 12.5, 3.25, 0.125, 0.5, "a problem", 9, START, (1.0, 0.5)),
    )  # fmt: skip
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    known = replace(manifest.standing, verdicts=(("dying_relu", "critical"),))
    replace(manifest, standing=known).write(tmp_path)
    assert Manifest.read(tmp_path).standing == known


def test_names_are_readable_and_never_taken_twice(tmp_path):
    config = RunConfig.from_dict({"data": {"name": "moons"}, "optimizer": {"name": "adam"}})
    made = [new_folder(tmp_path / "runs", config) for _ in range(5)]
    assert len(set(made)) == 5
    for folder in made:
        assert re.fullmatch(r"moons-relu-adam-0\.001-\d{4}-\d{6}(-\d)?", folder.name)
        assert not any(folder.iterdir())
    other = config.changed({"network.init": "xavier_normal", "optimizer.lr": 1e-5})
    assert new_folder(tmp_path, other).name.startswith("moons-relu-xavier_normal-adam-1e-05-")
    odd = config.changed({"data.file": "/data/../Mine \x1b[2J (1).csv", "data.target": "y"})
    assert re.fullmatch(r"mine2j1-relu-adam-0\.001-\d{4}-\d{6}", new_folder(tmp_path, odd).name)


def test_the_newest_comes_first_and_the_unreadable_last(tmp_path):
    put(tmp_path, "old", 1)
    put(tmp_path, "new", 3)
    put(tmp_path, "mid", 2)
    broken = put(tmp_path, "broken", 4)
    (broken / "run.toml").write_text("format = ")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "new")
    assert names(tmp_path) == ["new", "mid", "old", "broken"]
    last = list_runs(tmp_path)[-1]
    assert last.manifest is None
    assert "not valid TOML" in last.problem
    assert list_runs(tmp_path / "absent") == []


def test_labels_are_kept_apart_from_what_the_run_writes(tmp_path):
    folder = put(tmp_path, "run", 1)
    assert list_runs(tmp_path)[0].label == Label()
    label(folder, name="  the good one ")
    label(folder, starred=True)
    Manifest.read(folder).write(folder)
    assert list_runs(tmp_path)[0].label == Label("the good one", True)
    (folder / "label.toml").write_text("name = [")
    assert list_runs(tmp_path)[0].label == Label()


def test_the_oldest_unnamed_runs_of_the_lab_are_dropped_and_no_others(tmp_path):
    for number in range(8):
        put(tmp_path, f"lab{number}", number)
    put(tmp_path, "by-run", 0, kind="run")
    put(tmp_path, "alive", 0, state="running")
    label(tmp_path / "lab1", name="kept")
    label(tmp_path / "lab2", starred=True)
    now = Manifest.read(tmp_path / "alive")
    alive = replace(now.standing, time=datetime.now(UTC))
    replace(now, standing=alive).write(tmp_path / "alive")
    prune(tmp_path, keep=3)
    assert sorted(names(tmp_path)) == ["alive", "by-run", "lab1", "lab2", "lab5", "lab6", "lab7"]


def test_what_is_deleted_can_be_brought_back(tmp_path):
    folder = put(tmp_path, "run", 1)
    moved = delete(folder)
    assert names(tmp_path) == []
    put(tmp_path, "run", 2)  # the name is taken again meanwhile
    assert undelete(moved).name == "run-2"
    assert names(tmp_path) == ["run", "run-2"]
    (tmp_path / "other").mkdir()
    with pytest.raises(ConfigError, match="no run"):
        delete(tmp_path / "other")


def test_runs_of_one_name_are_numbered_in_the_trash(tmp_path):
    moved = [delete(put(tmp_path, "run", minutes)).name for minutes in range(4)]
    assert moved == ["run", "run-2", "run-3", "run-4"]


def test_the_trash_is_bounded(tmp_path):
    for number in range(23):
        delete(put(tmp_path, f"run{number}", number))
    assert len(list((tmp_path / ".trash").iterdir())) == 20


def test_a_run_is_found_by_its_path_or_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if not default_place().is_relative_to(tmp_path):
        pytest.skip("this system keeps its data elsewhere")
    folder = put(default_place(), "moons-1", 1)
    assert find("moons-1") == folder
    assert find(str(folder)) == folder
    with pytest.raises(ConfigError, match="did you mean 'moons-1'"):
        find("moons-2")
