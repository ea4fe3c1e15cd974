"""A replay: the records of a kept run appear in their time, and nothing later is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caveats.history import History, Snapshot
from caveats.measures import LAYER_MEASURES
from caveats.runs.reader import Reader
from caveats_tui.bench.following import Following
from caveats_tui.bench.replaying import WHOLE, Replay, record_times

Made = Callable[..., Path]


class Hand:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def replaying(reader: Reader, speed: float | None, clock: Hand) -> Following:
    return Following(reader, Replay(reader, speed, clock=clock))


def playing(bench: Following) -> bool:
    assert bench.replay is not None
    return bench.replay.playing


def timed(seconds: list[float]) -> Snapshot:
    history = History(("layer 1", "output"))
    layers = {name: np.zeros(2) for name in LAYER_MEASURES}
    for row, at in enumerate(seconds):
        history.append(row, {"seconds": at}, layers, ())
    return history.snapshot()


def test_times_of_records_never_fall() -> None:
    assert record_times(timed([2.0, 3.0, 4.5])).tolist() == [0.0, 1.0, 2.5]
    # Resumed at the fourth: the clock began again.
    assert record_times(timed([0.0, 3.0, 6.0, 1.0, 2.0])).tolist() == [0, 3, 6, 6, 7]
    assert record_times(timed([float("nan")] * 3)).tolist() == [0, 1, 2]
    assert record_times(timed([])).tolist() == []


@pytest.fixture
def replay(tmp_path: Path, folder_of: Made) -> tuple[Following, Hand]:
    """A run of twelve records, a second each, dead from the seventh on, at its own speed."""
    clock = Hand()
    return replaying(Reader(folder_of(tmp_path / "run")), 1.0, clock), clock


def shown(bench: Following) -> list[int]:
    trace = bench.trace()
    assert trace is not None
    assert len(trace.snapshot) == len(trace.seen)  # nothing of what is to come
    return [int(step) for step in trace.snapshot.steps]


def pass_time(bench: Following, clock: Hand, seconds: float) -> None:
    clock.now += seconds
    bench.heed()


def test_records_come_when_they_came(replay: tuple[Following, Hand]) -> None:
    bench, clock = replay
    assert shown(bench) == [0]
    pass_time(bench, clock, 0.9)
    assert shown(bench) == [0]
    pass_time(bench, clock, 0.2)
    assert shown(bench) == [0, 10]
    bench.hasten(2.0)
    pass_time(bench, clock, 2.0)
    assert shown(bench)[-1] == 50
    assert bench.mode == ("▸", "replay 2×")
    bench.play_or_pause()
    pass_time(bench, clock, 50.0)
    assert shown(bench)[-1] == 50
    assert bench.mode == ("‖", "replay 2×")
    bench.play_or_pause()
    pass_time(bench, clock, 50.0)
    assert shown(bench) == [10 * row for row in range(12)]
    assert not playing(bench)
    bench.play_or_pause()  # from the start again
    pass_time(bench, clock, 0.0)
    assert shown(bench) == [0]


def test_stepping_pauses_and_goes_on_from_there(replay: tuple[Following, Hand]) -> None:
    bench, clock = replay
    bench.look_back(3)
    pass_time(bench, clock, 50.0)
    assert shown(bench)[-1] == 30
    bench.look_back(-1)
    assert shown(bench)[-1] == 20
    bench.play_or_pause()
    pass_time(bench, clock, 1.0)
    assert shown(bench)[-1] == 30
    bench.look_back(-1_000_000)
    assert shown(bench) == [0]
    bench.look_back(1_000_000)
    assert shown(bench)[-1] == 110


def test_verdicts_come_when_they_held(replay: tuple[Following, Hand]) -> None:
    bench, clock = replay
    bench.verdicts()
    assert bench._timeline is not None
    assert bench._timeline._thread is not None
    bench._timeline._thread.join()
    pass_time(bench, clock, 5.5)
    assert "dying_relu" not in {v.caveat for v in bench.verdicts()}
    pass_time(bench, clock, 1.0)
    assert "dying_relu" in {v.caveat for v in bench.verdicts()}


def test_all_of_it_takes_half_a_minute_unless_a_speed_is_chosen(
    tmp_path: Path, folder_of: Made
) -> None:
    clock = Hand()
    bench = replaying(Reader(folder_of(tmp_path / "run")), None, clock)
    pass_time(bench, clock, WHOLE - 0.1)
    assert shown(bench)[-1] == 100
    pass_time(bench, clock, 0.2)
    assert shown(bench)[-1] == 110


def test_a_run_that_still_goes_on_is_followed_at_the_end(tmp_path: Path, folder_of: Made) -> None:
    clock = Hand()
    bench = replaying(Reader(folder_of(tmp_path / "run", state="running")), 1.0, clock)
    pass_time(bench, clock, 50.0)
    assert shown(bench)[-1] == 110
    assert playing(bench)


def test_a_run_without_a_record_is_no_trouble(tmp_path: Path, folder_of: Made) -> None:
    clock = Hand()
    bench = replaying(Reader(folder_of(tmp_path / "run", records=0, step=0)), None, clock)
    for act in (bench.heed, bench.play_or_pause, bench.step, bench.heed):
        act()
    trace = bench.trace()
    assert trace is not None
    assert not len(trace.snapshot)


def test_the_lab_plays_it_by_its_own_keys(
    drive: Callable[..., None], tmp_path: Path, folder_of: Made
) -> None:
    reader = Reader(folder_of(tmp_path / "run"))

    async def scenario(lab: Any) -> None:
        await lab.until("replay 1×")
        await lab.press("space", "less_than_sign")
        await lab.until("step 0/1,000")
        assert "‖ replay" in lab.text
        await lab.press(*["plus"] * 5)
        assert "replay 32×" in lab.text
        await lab.press("minus")
        assert "replay 16×" in lab.text
        await lab.press("space")
        await lab.until("step 110/1,000")
        await lab.until("dying ReLU")
        await lab.press("a")
        assert lab.app.screen is lab.app.lab  # no picker
        assert "R continues it here" in lab.message

    drive(scenario, reader.config, drawing=False, reader=reader, replay=1.0)
