"""Networks that cannot be stacked race alone, from the same state and with the same numbers."""

from __future__ import annotations

import math

import pytest

from caveats.config import RunConfig
from caveats.run import Run
from caveats.trials.alone import Alone

MOONS = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 100, "validation": 0.2},
        "network": {"widths": [8, 8], "dropout": 0.2},
        "optimizer": {"name": "adam", "lr": 0.01},
        "training": {"batch_size": 20, "steps": 200, "device": "cpu", "loss": "bce"},
    }
)


def started(steps: int) -> Run:
    run = Run(MOONS, every=10**9)
    for _ in range(steps):
        run.advance()
    return run


def test_a_fork_goes_on_as_the_run_does() -> None:
    run = started(7)
    alone = Alone(MOONS, run.dataset)
    alone.fork(MOONS, run.trainer.state())
    for _ in range(20):
        run.advance()
        alone.advance()
    expected = run.probe.measure()
    assert alone.probe_scores() == [(float(expected.loss), float(expected.accuracy))]


def test_a_fork_with_another_rate_goes_on_as_a_run_that_was_changed() -> None:
    run, faster = started(7), MOONS.changed({"optimizer.lr": 0.1})
    alone = Alone(faster, run.dataset)
    alone.fork(MOONS, run.trainer.state())
    run.change(faster)
    for _ in range(20):
        run.advance()
        alone.advance()
    assert alone.probe_scores()[0][0] == float(run.probe.measure().loss)


def test_it_stops_when_it_is_left_out_and_has_no_scores_once_it_diverged() -> None:
    run = started(0)
    alone = Alone(MOONS, run.dataset)
    alone.keep([])
    before = alone.probe_scores()
    alone.advance()
    assert alone.probe_scores() == before
    wild = Alone(MOONS.changed({"optimizer.name": "sgd", "optimizer.lr": 1e30}), run.dataset)
    for _ in range(20):
        wild.advance()
    assert wild.probe_scores() == [pytest.approx((math.nan, math.nan), nan_ok=True)]
