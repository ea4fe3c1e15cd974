"""What a demo measures does not depend on how fast the machine is."""

from __future__ import annotations

import time

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.history import Snapshot
from caveats.measures import SCALARS
from caveats.run import Run
from caveats_tui.demos.steady import READ_EVERY, Steady

CONFIG = RunConfig().changed(
    {
        "data.name": "moons", "network.widths": [8, 8], "network.activation": "tanh",
        "training.steps": 60, "training.device": "cpu",
    },
    "test",
)  # fmt: skip
EVERY = 2


def trained(monkeypatch: pytest.MonkeyPatch, pause: float) -> Snapshot:
    """Its records on a machine on which every look at the clock finds it ``pause`` s later."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += pause
        return now

    run = Run(CONFIG, every=Steady(EVERY))
    with monkeypatch.context() as patched:
        patched.setattr(time, "perf_counter", clock)
        while not run.finished:
            run.advance()
    return run.history.snapshot()


def test_a_slow_machine_measures_what_a_fast_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, slow = (trained(monkeypatch, pause) for pause in (1e-9, 100.0))
    assert np.array_equal(fast.steps, slow.steps)
    assert np.array_equal(fast.cube, slow.cube, equal_nan=True)
    for name in SCALARS:
        same = np.array_equal(fast.scalar(name), slow.scalar(name), equal_nan=True)
        assert same != (name == "seconds"), name


def test_readings_are_taken_at_fixed_records_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = trained(monkeypatch, 0.01)
    taken = np.flatnonzero(np.isfinite(records.scalar("sharpness")))
    assert len(records) == 31
    assert taken.tolist() == [READ_EVERY, 2 * READ_EVERY, 30]  # the first is made at birth
