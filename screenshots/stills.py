"""The stills: which screens are shown in pictures, and the keys that lead to each.

The real app is driven, with paced training, so that the numbers are the same each time, except for
the seconds that a run took.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from caveats.config import RunConfig
from caveats.experiments import find
from caveats.run import Run
from caveats.runs.manifest import Manifest
from caveats.runs.writer import Writer
from caveats_tui.demos.stage import Stage
from caveats_tui.demos.steady import Steady
from caveats_tui.options import LabOptions, ScreenOptions
from caveats_tui.screens.runs.compare import Compare
from caveats_tui.screens.runs.screen import RunsScreen
from screenshots.cells import Picture, from_app

__all__ = ["STILLS", "Still", "shoot"]

CHUNK = 20  # steps granted at once, so that the screen follows as in a terminal
LOOK = 0.01  # seconds between two checks whether a list of runs has been read

PAGE = (112, 32)  # columns and rows of the pictures within a page's text

Act = str | int  # a key to press, or a number of steps to train

DYING: dict[str, Any] = {
    "optimizer.name": "adam", "optimizer.lr": 0.3, "training.steps": 400,
}  # fmt: skip
VANISHING: dict[str, Any] = {
    "network.widths": [64] * 20, "network.init": "torch_default", "training.steps": 400,
}  # fmt: skip
MOONS: dict[str, Any] = {
    "data.name": "moons", "network.widths": [16, 16], "network.activation": "tanh",
    "network.init": "xavier_normal", "optimizer.lr": 1.0, "training.steps": 400,
}  # fmt: skip


# Kept runs to compare: the failed one and two attempts to cure it, of which one fails.
KEPT: dict[str, dict[str, Any]] = {
    "leaky relu": {**DYING, "network.activation": "leaky_relu"},
    "lr 0.003": {**DYING, "optimizer.lr": 0.003},
    "mass extinction": DYING,
}


@dataclass(frozen=True, slots=True)
class Still:
    """One picture. ``acts`` lead to the screen that ``caption`` describes, from the lab opened with
    ``changes`` to the default setup, or with an experiment. Its list of runs contains those of
    ``kept``, by name, the first one the newest."""

    name: str
    caption: str
    changes: dict[str, Any] | str
    acts: tuple[Act, ...]
    size: tuple[int, int] = (120, 40)
    theme: str = "caveats-dark"
    every: int = field(default=5)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)


STILLS: tuple[Still, ...] = (
    Still("lab", "A learning rate of 0.3 kills 99 % of the ReLU units", DYING, ("space", 200)),
    Still("cure", "The cure, with the failed run behind it, dim", DYING,
          ("space", 200, "f", 400)),
    Still("explain", "What dying ReLU is, why it happened here, what to try", DYING,
          ("space", 200, "x")),
    Still("vanishing", "A vanishing gradient opens like a fan", VANISHING, ("space", 200)),
    Still("gallery", "The experiments, each with what it shows and its cure", {}, ("e",)),
    Still(
        "theory", "What theory predicted, dotted, beside what was measured", VANISHING,
        ("space", 20, "2", "v", "z"),
    ),
    # One for each caveat with an experiment, for docs/caveats.md; most have the caveat's name.
    Still("not_zero_centred", "All that feeds a layer has one sign: the loss zigzags down",
          "tanh_plus_one", ("space", 40), PAGE, every=1),
    Still("copies", "Sixteen units that start equal draw one straight cut", "sixteen_clones",
          ("4", "v", "space", 200), PAGE),
    Still("ravine", "Plain SGD crawls: after most of its steps it has not found the spirals",
          "long_ravine", ("4", "v", "space", 1200), PAGE, every=10),
    Still("plateau", "Near a saddle the loss stands still, though nothing is broken",
          "stuck_on_the_saddle", ("space", 240), PAGE),
    Still("step_too_large", "A learning rate of 3 throws the weights over the edge",
          "past_the_cliff", ("space", 20), PAGE),
    Still("exploding_gradient", "Everything doubles at every layer until nothing is finite",
          "doubling", ("space", 40), PAGE, every=1),
    Still("saturation", "Weights of N(0, 1) put tanh where it is flat: a loss far above a guess",
          "against_the_rails", ("space", 8), PAGE, every=1),
    Still("picker", "Choosing an activation", {}, ("a",)),
    Still("remedies", "What could cure a verdict", DYING, ("space", 200, "F")),
    Still("help", "All keys", {}, ("question_mark",)),
    Still("neurons", "One cell a neuron", DYING, ("space", 40, "4", "z")),
    Still("boundary", "A decision boundary; crosses are points on its wrong side", MOONS,
          ("space", 160, "4", "v", "z")),
    Still("compare", "Kept runs beside each other: what differs, and what came of it", {},
          ("L", "space", "space", "space", "c"), kept=KEPT),
    Still("small", "The lab in 80×24 cells", DYING, ("space", 200), (80, 24)),
    Still("light", "The light theme", DYING, ("space", 200), theme="caveats-light"),
)  # fmt: skip


def shoot(still: Still) -> Picture:
    """The screen of a still as cells."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        place = Path("runs")  # its path is on the screen
        for age, (name, changes) in enumerate(still.kept.items()):
            keep(place / name, config_of(still.name, changes), timedelta(minutes=age))
        return asyncio.run(_shoot(still, place))


def config_of(name: str, changes: dict[str, Any] | str) -> RunConfig:
    base = find(changes).config if isinstance(changes, str) else RunConfig().changed(changes, name)
    return base.changed({"training.device": "cpu"}, name)


def keep(folder: Path, config: RunConfig, age: timedelta) -> None:
    """Train ``config`` to its end and write its run to ``folder``, dated ``age`` ago."""
    run = Run(config, every=Steady(5))
    writer = Writer(run, folder, state="running")
    while not run.finished:
        run.advance()
        writer.between_steps()
    writer.tell("finished")
    writer.close()
    writer.join()
    manifest = Manifest.read(folder)
    replace(manifest, created=datetime.now(UTC) - age).write(folder)


async def _shoot(still: Still, place: Path) -> Picture:
    config = config_of(still.name, still.changes)
    screen = ScreenOptions(theme=still.theme)
    stage = Stage(LabOptions(config, still.every, screen, place=place), pace=50.0)
    app = stage.app
    app.charts.start()
    try:
        async with app.run_test(size=still.size) as pilot:
            await stage.settle()
            for act in still.acts:
                await _act(stage, pilot, act)
            return from_app(app)
    finally:
        app.charts.stop()


async def _act(stage: Stage, pilot: Pilot[None], act: Act) -> None:
    if isinstance(act, str):
        await pilot.press(act)
        await stage.settle()
        await _read(stage)
        return
    assert stage.session is not None
    for _ in range(0, act, CHUNK):
        stage.session.grant(CHUNK)
        await stage.settle()


async def _read(stage: Stage) -> None:
    """Wait until a list of runs has been read and is shown, and until the run that it opens has
    been."""
    app = stage.app
    screen = app.screen
    if isinstance(screen, RunsScreen):
        while not (screen.loader.complete and len(screen._shown) == len(screen.loader.entries)):
            await asyncio.sleep(LOOK)
        while screen._busy and app.screen is screen:
            await asyncio.sleep(LOOK)
    if isinstance(app.screen, Compare):
        await stage.settle()
