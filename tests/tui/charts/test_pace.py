"""Claims about the pace of frames, on a clock that only the test moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveats_tui.charts.pace import Cost, Pace, interval


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


costs = st.builds(Cost, *[st.floats(0, 3)] * 3)


def test_cheap_frames_come_twice_a_second_during_training_and_at_fps_otherwise():
    cheap = Cost(app=0.005, child=0.02, write=0.001)
    assert interval(cheap, busy=True, fps=10) == 0.5
    assert interval(cheap, busy=False, fps=10) == 0.1
    assert interval(cheap, busy=True, fps=1) == 1.0
    assert interval(cheap, busy=True, fps=10, busy_fps=1.0) == 1.0
    assert interval(cheap, busy=False, fps=10, busy_fps=1.0) == 0.1


def test_frames_never_take_more_than_3_percent_of_the_app_while_training():
    assert interval(Cost(app=0.06), busy=True, fps=10) == pytest.approx(2.0)


def test_a_slow_line_slows_the_frames():
    assert interval(Cost(write=0.2), busy=True, fps=10) == pytest.approx(2.0)
    assert interval(Cost(write=0.2), busy=False, fps=10) == pytest.approx(0.8)


@given(a=costs, b=costs, busy=st.booleans(), fps=st.floats(0.5, 60))
def test_costlier_frames_are_never_more_frequent(a, b, busy, fps):
    dearer = Cost(*map(max, zip(a, b, strict=True)))
    shorter, longer = (interval(c, busy=busy, fps=fps) for c in (a, dearer))
    assert longer >= shorter >= 1 / fps
    assert interval(a, busy=True, fps=fps) >= interval(a, busy=False, fps=fps)


@given(cost=costs)
def test_a_screen_never_stops_for_longer_than_five_seconds(cost):
    assert interval(cost, busy=True, fps=2) <= 5.0


def test_the_first_frame_waits_for_nothing_and_the_next_for_its_turn():
    clock = Clock()
    pace = Pace(10, clock=clock)
    assert pace.wait(busy=True) == 0.0
    pace.begin()
    assert pace.wait(busy=True) == pytest.approx(0.5)
    clock.now += 0.4
    assert pace.wait(busy=True) == pytest.approx(0.1)
    assert pace.wait(busy=False) == 0.0
    clock.now += 0.2
    assert pace.wait(busy=True) == 0.0


def test_a_costly_frame_slows_at_once_and_is_forgotten_slowly():
    clock = Clock()
    pace = Pace(10, clock=clock)
    pace.begin()
    pace.spend(app=0.03)
    pace.spend(app=0.03, child=0.01)  # costs of one frame add up
    assert pace.wait(busy=True) == pytest.approx(2.0)
    waits = []
    for _ in range(6):
        pace.begin()
        pace.spend(app=0.001)
        waits.append(pace.wait(busy=True))
    assert waits == sorted(waits, reverse=True)
    assert waits[0] > 1.0
    assert waits[-1] == pytest.approx(0.5)


@pytest.mark.parametrize("fps", [0, -1, float("nan")])
def test_a_rate_must_be_positive(fps):
    with pytest.raises(ValueError, match="frames a second"):
        Pace(fps)
