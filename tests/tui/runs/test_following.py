"""A watched run: what cannot be changed in it, and how one looks back through it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.runs.reader import Reader
from caveats.verdicts import judge
from caveats_tui.bench.following import Following
from caveats_tui.bench.timeline import Timeline
from caveats_tui.screens.lab.panel import Panel

Made = Callable[..., Path]


@pytest.fixture
def watching(tmp_path: Path, folder_of: Made) -> Iterator[Callable[..., Following]]:
    made: list[Following] = []

    def make(**standing: Any) -> Following:
        bench = Following(Reader(folder_of(tmp_path / f"run{len(made)}", **standing)))
        made.append(bench)
        bench.begin()
        return bench

    yield make
    for bench in made:
        bench.end()


def test_each_record_is_judged_on_those_before_it(tmp_path: Path, folder_of: Made) -> None:
    """The same as judging a folder that ends there, which knows nothing of what came after."""
    timeline = Timeline(Reader(folder_of(tmp_path / "whole")).history)
    timeline.work()
    assert timeline.complete
    for records in (1, 5, 7, 12):
        ended = Reader(folder_of(tmp_path / f"ended{records}", records=records)).history
        assert timeline.at(10 * (records - 1)) == judge(ended)
    assert "dying_relu" not in {v.caveat for v in timeline.at(50)}
    assert "dying_relu" in {v.caveat for v in timeline.at(60)}


def test_the_cursor_steps_through_the_records_and_stops_at_the_ends(
    watching: Callable[..., Following],
) -> None:
    bench = watching()

    def seen() -> list[int]:
        trace = bench.trace()
        assert trace is not None
        assert len(trace.snapshot) == 12
        return [int(step) for step in trace.seen.steps]

    whole = [10 * row for row in range(12)]
    assert seen() == whole
    bench.look_back(-1)
    assert seen() == whole[:-1]
    bench.look_back(-3)
    assert (seen(), bench.cursor) == (whole[:8], 70)
    bench.look_back(-1_000_000)
    assert (seen(), bench.cursor) == ([0], 0)
    bench.look_back(-1)
    assert bench.cursor == 0
    bench.look_back(1)
    assert bench.cursor == 10
    bench.look_back(1_000_000)
    assert bench.cursor is None
    assert seen() == whole


def test_silent_and_stopped_runs_are_told_apart(
    watching: Callable[..., Following],
) -> None:
    going = watching(state="running")
    silent = watching(state="running", seconds=30)
    stopped = watching(state="stopped", seconds=30)
    assert (going.running, going.alarm, going.mode) == (True, "", None)
    assert not silent.running
    assert silent.alarm.startswith("no news for 3")
    assert silent.mode == ("○", "no news")
    assert (stopped.running, stopped.alarm, stopped.status.state) == (False, "", "stopped")


@pytest.mark.parametrize(
    ("standing", "sentence"),
    [
        ({"state": "running"}, "here it is only watched"),
        ({"state": "running", "seconds": 30}, "R continues it here"),
        ({"state": "finished"}, "R continues it here"),
    ],
)
def test_keys_that_would_change_the_run_say_who_trains_it(
    standing: dict[str, Any], sentence: str, watching: Callable[..., Following]
) -> None:
    bench = watching(**standing)
    for act in (
        bench.play_or_pause, bench.step, bench.restart, bench.undo, bench.curable,
        bench.toggle_ghost, lambda: bench.apply({"optimizer.lr": 0.5}),
    ):  # fmt: skip
        bench.notice = ""
        act()
        assert sentence in bench.notice
    assert bench.config == bench.reader.config
    assert bench.ghost is None


def test_a_deleted_folder_is_reported(watching: Callable[..., Following], tmp_path: Path) -> None:
    bench = watching()
    (tmp_path / "run0").rename(tmp_path / "elsewhere")
    deadline = time.monotonic() + 120
    while not bench.alarm:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert bench.alarm.endswith("run0 is gone")


def test_looking_back_shows_titles_map_and_verdicts_as_they_were(
    drive: Callable[..., None], tmp_path: Path, folder_of: Made
) -> None:
    reader = Reader(folder_of(tmp_path / "run"))

    def title(lab: Any, number: int) -> str:
        return str(lab.app.lab.query_one(f"#chart-{number}", Panel).border_title)

    async def scenario(lab: Any) -> None:
        await lab.until("dying ReLU")
        await lab.until("step 110/1,000")
        assert "16 of 16" in title(lab, 1)
        assert "0.0833" in title(lab, 3)
        rows = lab.panel(4).rows
        await lab.press("less_than_sign", *["full_stop"] * 5)
        assert "step 50/1,000" in lab.text
        assert "looking back" in lab.text
        assert "0 of 16" in title(lab, 1)
        assert "0.167" in title(lab, 3)
        assert "dying ReLU" not in lab.message
        assert lab.panel(4).rows != rows
        await lab.press("full_stop")
        assert "16 of 16" in title(lab, 1)
        assert "dying ReLU" in lab.message
        await lab.press("a")
        assert lab.app.screen is lab.app.lab  # no picker
        assert "R continues it here" in lab.message
        await lab.press("greater_than_sign")
        assert "looking back" not in lab.text
        assert "step 110/1,000" in lab.text

    drive(scenario, reader.config, drawing=False, reader=reader)
    assert np.array_equal(reader.history.snapshot().steps, 10 * np.arange(12))


def test_r_goes_on_with_a_run_that_was_stopped(
    drive: Callable[..., None], configured: Callable[..., RunConfig], tmp_path: Path
) -> None:
    small = {"data.name": "moons", "network.widths": [8], "training.steps": 1_000_000}
    place, stopped = tmp_path / "runs", 0

    async def first(lab: Any) -> None:
        nonlocal stopped
        await lab.opened()
        await lab.press("s", "s", "s")
        await lab.until("step 3/1,000,000")

    drive(first, configured(small), drawing=False, place=place)
    [folder] = (f for f in place.iterdir() if not f.name.startswith("."))
    reader = Reader(folder)
    assert reader.status.step == 3

    async def second(lab: Any) -> None:
        await lab.until("stopped")
        await lab.press("R")
        await lab.until("resumed: space trains on")
        assert lab.bench.folder == folder
        assert lab.bench.status.step == 3
        await lab.press("s")
        await lab.until("step 4/1,000,000")

    drive(second, reader.config, drawing=False, reader=reader, place=place)
    assert Reader(folder).status.step == 4
    assert Reader(folder).manifest.starts == 2
