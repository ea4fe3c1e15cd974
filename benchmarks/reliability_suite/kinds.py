"""The kinds of files that come from strangers: how a sound one is made, and who reads it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from benchmarks.reliability_suite.mutations import mutated, reworded, rezipped

from caveats.config import RunConfig
from caveats.data import load
from caveats.data.files import columns_of
from caveats.run import Run
from caveats.runs.reader import Reader
from caveats.runs.resuming import restore
from caveats.runs.shelf import list_runs
from caveats.runs.writer import Writer
from caveats.sweeps import Plan, Sweep, parse_axis
from caveats.sweeps.export import export
from caveats.sweeps.work import work
from caveats.verdicts import judge
from caveats.watching.folder import Notes, parts
from caveats_tui.charts.as_csv import copied
from caveats_tui.charts.heat_maps import HEAT_MAPS, heat_map
from caveats_tui.charts.lab_charts import FIGURES
from caveats_tui.charts.spec import Look
from caveats_tui.charts.trace import Trace
from caveats_tui.commands.sweep import status_lines
from caveats_tui.demos.script import find_script, scripts
from caveats_tui.recording.cast import read_cast
from caveats_tui.recording.player import Player
from caveats_tui.screens.atlas.picture import VIEWS, caption, legend, rows
from caveats_tui.screens.atlas.screen import arrays
from caveats_tui.screens.lab.titles import beside_loss, told
from caveats_tui.screens.watch.output import Output
from caveats_tui.terminal.keeper import OUTPUT

__all__ = ["KINDS", "TRAINING", "Kind", "sound_csv", "sound_npz", "sound_run", "sound_sweep"]

PROGRAM = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]
SMALL = {"data.name": "moons", "data.n": 60, "network.widths": [6, 5], "training.steps": 12}

# A training of somebody else's; its first argument is the number of steps.
TRAINING = """
import sys
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 40), nn.ReLU(), nn.Linear(40, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(int(sys.argv[1])):
    x = torch.randn(64, 8)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), x[:, :3].argmax(1)).backward()
    optimizer.step()
    if step % 1000 == 0:
        print("step", step, "[b]not bold[/b]", "\\x1b[31mred\\x1b[0m", flush=True)
"""


@dataclass(frozen=True)
class Kind:
    """One kind of file: ``make`` writes a sound one at a path, ``read`` gives one to its readers,
    ``change`` makes other bytes of it; of a folder, one file at a time is changed."""

    make: Callable[[Path], None]
    read: Callable[[Path], object]
    name: str
    change: Callable[[bytes, Random], bytes] = mutated


# Runs


def sound_run(folder: Path) -> None:
    run = Run(RunConfig().changed(SMALL), every=1)
    writer = Writer(run, folder)
    while not run.finished:
        run.advance()
    writer.tell("finished")
    writer.close()
    if not writer.join() or writer.problem:
        raise RuntimeError(writer.problem)


def watched_run(folder: Path) -> None:
    script = folder.with_name("train.py")
    script.write_text(TRAINING)
    argv = ["watch", "--no-screen", "--every", "1", "--out", str(folder), "--", sys.executable]
    subprocess.run([*PROGRAM, *argv, str(script), "12"], check=True, capture_output=True)
    (folder / OUTPUT).write_text("step 0\n\x1b[31mred\x1b[0m\n[b]not bold[/b]\n")


def look_at(folder: Path) -> None:
    """Everything that the lab does with a folder, without its screen."""
    list_runs(folder.parent)
    reader = Reader(folder)
    history = reader.history
    judge(history)
    steps = reader.manifest.planned()
    trace = Trace(history.snapshot(), history.layers, steps, None, None, history)
    look = Look(60, 15, True, True, "braille")
    for view, figure in FIGURES.items():
        figure.make(trace, trace, look, None)
        copied(view, trace, None)
        if len(trace.snapshot):
            told(view, figure.title, trace)
    for kind in HEAT_MAPS.values():
        heat_map(kind, trace, look)
    if len(trace.snapshot):
        beside_loss(trace, 40)


def look_at_watched(folder: Path) -> None:
    """Everything that the screen of a watched command does with its folder."""
    for part in parts(folder):
        look_at(part)
    look_at(folder)
    Output(folder / OUTPUT).look()
    for path in folder.iterdir():
        Notes(path).look()


# Sweeps


def sound_sweep(folder: Path) -> None:
    base = RunConfig().changed(SMALL)
    axes = [parse_axis(t, base) for t in ("optimizer.lr=1e-3..1@3log", "network.depth=1..3")]
    sweep = Sweep.create(folder, Plan.of(base, axes))
    for task in sweep.missing():
        if (said := work(str(folder), task)) != "done":
            raise RuntimeError(said)
    sweep.fail(0, "Traceback\n[b]no markup[/b]\nValueError: no")


def look_at_sweep(folder: Path) -> None:
    """What `sweep status`, `sweep export` and the atlas do with a sweep's folder."""
    sweep = Sweep(folder)
    status_lines(folder, sweep.progress())
    outcomes: dict[tuple[int, int], list[object]] = {}
    for index, outcome in sweep.fresh().items():
        cell = sweep.plan.cells[index]
        sweep.plan.config(cell)
        outcomes.setdefault(cell.place[:2], []).append(outcome)  # type: ignore[arg-type]
    export(sweep, folder / "cells.csv", "csv")
    if len(sweep.plan.axes) == 2:
        shape = sweep.plan.shape[0], sweep.plan.shape[1]
        for view in VIEWS:
            rows(outcomes, view, shape, (40, 20), (0, 0), {}, False)  # type: ignore[arg-type]
            legend(outcomes, view, False)  # type: ignore[arg-type]
        for own in outcomes.values():
            caption(own)  # type: ignore[arg-type]
        arrays(sweep.plan, outcomes)  # type: ignore[arg-type]


# Single files


def sound_csv(path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(40, 2))]
    path.write_text("\n".join(["first,second,answer", *lines]) + "\n")


def sound_npz(path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(path, x=rng.normal(size=(40, 3)), y=rng.integers(0, 2, 40))


def read_data(path: Path) -> object:
    """As the file picker does, then as a run does."""
    columns_of(path)
    target = {"target": "answer"} if path.suffix == ".csv" else {}
    return load({"file": str(path), **target})


def sound_cast(path: Path) -> None:
    lines = ['{"version": 2, "width": 80, "height": 24, "title": "a run"}']
    lines += [f'[{i / 10}, "o", "\\u001b[{i};1Hstep {i}\\r\\n"]' for i in range(1, 20)]
    path.write_text("\n".join(lines) + "\n")


def play(path: Path) -> None:
    player = Player(read_cast(path), lambda text: None, (100, 40))
    player.seek(1e9)


def sound_config(path: Path) -> None:
    path.write_text(RunConfig().to_toml())


def sound_script(path: Path) -> None:
    path.write_text(
        'title = "A rate of 1"\npace = 20.0\nevery = 5\n[config.optimizer]\nlr = 1.0\n'
        '[[scene]]\ncaption = "space trains it."\nkeys = ["space"]\nwait = "step 100"\nhold = 3\n'
        '[[scene]]\ntype = "mass"\nwait = "verdict dying_relu"\npace = 2.0\n'
    )


def read_script(path: Path) -> None:
    scripts()
    find_script(str(path))


KINDS: dict[str, Kind] = {
    "run folders, looked at": Kind(sound_run, look_at, "run"),
    "run folders, resumed": Kind(sound_run, restore, "run"),
    "folders of watched trainings": Kind(watched_run, look_at_watched, "run"),
    "folders of sweeps": Kind(sound_sweep, look_at_sweep, "sweep"),
    "configs": Kind(sound_config, RunConfig.read, "config.toml"),
    "configs, other values": Kind(sound_config, RunConfig.read, "config.toml", reworded),
    "scripts of demos": Kind(sound_script, read_script, "demo.toml"),
    "scripts of demos, other values": Kind(sound_script, read_script, "demo.toml", reworded),
    "csv files": Kind(sound_csv, read_data, "data.csv"),
    "npz files": Kind(sound_npz, read_data, "data.npz"),
    "npz files, sound as zip files": Kind(sound_npz, read_data, "data.npz", rezipped),
    "recordings": Kind(sound_cast, play, "session.cast"),
}
