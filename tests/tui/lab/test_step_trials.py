"""Beside the lab, other steps are tried on a run that has stopped, and its verdicts count them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from caveats.config import RunConfig
from caveats.facts import Trial
from caveats.trials import Start
from caveats.trials.steps import tried_steps
from caveats_tui.bench.training import Training

SLOW = {"data.name": "moons", "network.widths": [8], "optimizer.lr": 1e-4, "training.steps": 60}


class Held:
    """A trial that is made when the test says so."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.found: tuple[Trial, ...] = ()
        self.over = self.stopped = False

    def make(self) -> None:
        self.found = (tried_steps(self.start, 40),)
        self.over = True

    def stop(self) -> None:
        self.stopped = True


class Table:
    def __init__(self, config: RunConfig) -> None:
        self.trials: list[Held] = []
        self.bench = Training(config, 10, trying=self._make)
        self.bench.begin()
        self.look()

    def _make(self, start: Start) -> Held:
        self.trials.append(Held(start))
        return self.trials[-1]

    def look(self) -> None:
        """As the lab does in each of some frames, after every command so far."""
        for _ in range(3):
            assert self.bench.session is not None
            assert self.bench.session.settled()
            self.bench.heed()

    def train(self) -> None:
        self.bench.play_or_pause()
        while not self.bench.over:
            assert self.bench.session is not None
            assert self.bench.session.settled()
        self.look()


@pytest.fixture
def table(configured: Callable[..., RunConfig]) -> Iterator[Callable[..., Table]]:
    made: list[Table] = []

    def make(**changes: Any) -> Table:
        made.append(Table(configured({**SLOW, **changes})))
        return made[-1]

    yield make
    for one in made:
        one.bench.end()


def test_a_run_that_ended_far_from_its_goal_is_tried_once_and_told_the_proof(
    table: Callable[..., Table],
) -> None:
    one = table()
    assert one.trials == []  # nothing to try at step 0
    one.train()
    (trial,) = one.trials
    assert trial.start.state is not None
    assert trial.start.state["step"] == 60
    assert not any("trial" in v.what for v in one.bench.verdicts())
    trial.make()
    one.look()
    assert trial.stopped  # its process has gone
    found = next(v for v in one.bench.verdicts() if v.caveat == "step_too_small")
    assert "; trial: in 40 steps the loss falls" in found.what
    one.look()
    assert len(one.trials) == 1


def test_a_trial_ends_when_something_else_begins(table: Callable[..., Table]) -> None:
    one = table()
    one.train()
    one.bench.restart()
    one.look()
    assert one.trials[0].stopped
    assert one.bench.session is not None
    assert one.bench.session.run is not None
    assert one.bench.session.run.history.snapshot().events == ()


def test_a_run_that_learns_well_is_not_tried(table: Callable[..., Table]) -> None:
    one = table(**{"network.widths": [32], "optimizer.lr": 1.0, "training.steps": 300})
    one.train()
    assert one.trials == []
