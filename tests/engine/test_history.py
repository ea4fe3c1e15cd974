"""The history is bounded, keeps its newest half and its extremes, and never shows a reader half of
a record."""

from __future__ import annotations

import itertools
import math
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caveats import history as module
from caveats.history import Event, History
from caveats.measures import LAYER_MEASURES, SCALARS

numbers = st.floats(width=32) | st.just(math.nan)


def append(history: History, step: int, value: float, states: tuple = ()) -> None:  # type: ignore[type-arg]
    layers = len(history.layers)
    history.append(
        step,
        dict.fromkeys(SCALARS, value),
        {name: np.full(layers, value) for name in LAYER_MEASURES},
        states,
    )


@settings(max_examples=60)
@given(
    capacity=st.integers(10, 40),  # half of 10 have room for the first, three others and one more
    values=st.lists(numbers, min_size=1, max_size=300),
    jumps=st.lists(st.integers(1, 1000), min_size=1, max_size=7),
)
def test_bounded_with_newest_half_whole_and_extremes_kept(
    capacity: int, values: list[float], jumps: list[int]
) -> None:
    history = History(("layer 1", "output"), capacity)
    steps = list(itertools.accumulate(itertools.islice(itertools.cycle(jumps), len(values))))
    for count, (step, value) in enumerate(zip(steps, values, strict=True), start=1):
        append(history, step, value)
        assert len(history) <= capacity
        snapshot = history.snapshot()
        held = snapshot.steps.tolist()
        assert held == sorted(set(held))
        half = min(count, capacity // 2)
        assert held[-half:] == steps[count - half : count]
        assert held[0] == steps[0]
        # Every row is a row that was appended.
        by_step = dict(zip(steps, values, strict=True))
        np.testing.assert_array_equal(snapshot.scalar("loss"), [by_step[s] for s in held])
        np.testing.assert_array_equal(snapshot.layers("dead")[:, 1], [by_step[s] for s in held])
        finite = [v for v in values[:count] if math.isfinite(v)]
        if finite:
            assert max(finite) in snapshot.scalar("loss")
            assert min(finite) in snapshot.scalar("loss")
        broken = [s for s, v in zip(steps[:count], values, strict=False) if not math.isfinite(v)]
        if broken:
            assert broken[0] in held


def test_every_columns_own_extremes_are_kept() -> None:
    """Each measure peaks in one layer at a step of its own, early in a long run."""
    history = History(("a", "b", "c"), 400)
    names = [*SCALARS, *LAYER_MEASURES]
    for step in range(5000):
        peaks = [1e6 if step == 2 * i + 1 else 0.1 * math.sin(step) for i in range(len(names))]
        scalars = dict(zip(SCALARS, peaks, strict=False))
        layers = {
            name: np.array([0.0, peak, 0.0])
            for name, peak in zip(LAYER_MEASURES, peaks[len(SCALARS) :], strict=True)
        }
        history.append(step, scalars, layers)
    snapshot = history.snapshot()
    assert all(snapshot.scalar(name).max() == 1e6 for name in SCALARS)
    assert all(snapshot.layers(name).max() == 1e6 for name in LAYER_MEASURES)


def test_the_older_half_thins_evenly_with_age() -> None:
    history = History(("a",), 100)
    for step in range(10_000):
        append(history, step, 0.0)
    gaps = np.diff(history.snapshot().steps)
    assert (gaps[-50:] == 1).all()
    assert (gaps[:10] == 1).all()  # the first records stay
    assert gaps[12:22].mean() > 100


def test_a_second_record_of_a_step_is_dropped() -> None:
    history = History(("a",))
    for step, value in ((0, 1.0), (3, 2.0), (3, 9.0), (2, 9.0)):
        append(history, step, value)
    assert history.snapshot().steps.tolist() == [0, 3]
    assert history.snapshot().scalar("loss").tolist() == [1.0, 2.0]


def test_a_snapshot_never_changes_and_cannot_be_written_to() -> None:
    history = History(("a",), 16)
    for step in range(12):
        append(history, step, float(step), (np.full(3, step, np.uint8),))
    before = history.snapshot()
    for step in range(12, 200):
        append(history, step, float(step), (np.full(3, step % 5, np.uint8),))
    assert before.steps.tolist() == list(range(12))
    assert before.scalar("loss").tolist() == [float(s) for s in range(12)]
    assert [int(s[0][0]) for s in before.states] == list(range(12))
    for array in (before.steps, before.table, before.cube):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_version_changes_with_every_record_and_event_and_only_then() -> None:
    history = History(("a",), 8)
    seen = [history.version]
    for step in range(30):
        append(history, step, 0.0)
        seen.append(history.version)
        history.note(Event(step, "change", "x"))
        seen.append(history.version)
    assert len(set(seen)) == len(seen)
    append(history, 29, 5.0)
    assert history.version == seen[-1]


def test_readers_never_see_a_torn_row() -> None:
    """A reader that looks as often as it can, while a writer fills and thins without a pause."""
    history = History(("a", "b"), 32)
    append(history, 0, 0.0, (np.zeros(1, np.uint8),))
    done = threading.Event()
    torn: list[str] = []
    looks = [0]

    def read() -> None:
        while not done.is_set():
            snapshot = history.snapshot()
            steps = snapshot.steps.astype(float)
            if not (
                (snapshot.table == steps[:, None]).all()
                and (snapshot.cube == steps[:, None, None]).all()
                and (np.diff(steps) > 0).all()
                and len(snapshot.states) == len(steps)
                and [int(s[0][0]) for s in snapshot.states] == [int(s) % 256 for s in steps]
            ):
                torn.append(repr(steps))
            looks[0] += 1

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    step = 0
    while step < 4000 or looks[0] < 200:
        step += 1
        append(history, step, float(step), (np.full(1, step % 256, np.uint8),))
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []


def test_memory_of_wide_and_deep_networks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for 1 MiB: 100 kB of states a record, every one different; and 400 layers."""
    monkeypatch.setattr(module, "RECORD_BYTES", 2**20)
    wide = History(("a",))
    for step in range(300):
        append(wide, step, 0.0, (np.full(100_000, step % 251, np.uint8),))
        held = {id(array): array.nbytes for states in wide.snapshot().states for array in states}
        assert sum(held.values()) <= 2**20
    assert wide.snapshot().steps[-1] == 299
    assert len(wide) >= 8
    deep = History(tuple(map(str, range(400))))
    for step in range(100):
        append(deep, step, 0.0)
        assert deep.snapshot().cube.nbytes <= 2**20
    assert deep.snapshot().steps[-1] == 99


def test_states_that_repeat_are_held_once() -> None:
    history = History(("a",))
    for step in range(50):
        append(history, step, 0.0, (np.ones(10, np.uint8), np.zeros(4, np.uint8)))
    assert len({id(states) for states in history.snapshot().states}) == 1


def test_too_small_a_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="8 records"):
        History(("a",), 7)


def test_a_long_run_is_still_told_from_its_beginning() -> None:
    history = History(("output",), capacity=200)
    for step in range(20_000):
        history.append(step, {"loss": 1.0 + 1 / (1 + step)}, {})
    steps = history.snapshot().steps
    assert list(steps[:20]) == list(range(20))
    assert np.diff(steps).max() < 20_000 / 10  # no gap of more than a tenth of the run
