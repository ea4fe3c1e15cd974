"""The trial of a run's steps: it goes on as the run does, tells what other steps come to, and is
kept with the run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from caveats.config import RunConfig
from caveats.facts import Trial, TriedStep
from caveats.history import Event
from caveats.results import result
from caveats.run import Run
from caveats.runs.lines import BadLineError, event_line, parse
from caveats.runs.reader import Reader
from caveats.runs.writer import Writer
from caveats.trials import Start, prove
from caveats.trials.race import Stopped
from caveats.trials.steps import RATES, tried_steps
from caveats.verdicts import judge

MOONS = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 100},
        "network": {"widths": [8, 8]},
        "optimizer": {"lr": 5e-4},
        "training": {"batch_size": 20, "steps": 60, "device": "cpu"},
    }
)


def trained(**changes: Any) -> Run:
    run = Run(MOONS.changed(changes))
    while not run.finished:
        run.advance()
    return run


def of(trial: Trial | None, origin: str) -> dict[tuple[str, float], TriedStep]:
    assert trial is not None
    return {(t.optimizer, t.times): t for t in trial.tried if t.origin == origin}


@pytest.fixture(scope="module")
def slow() -> Run:
    """A run whose steps are two hundred times too small."""
    return trained()


def test_the_runs_own_step_goes_on_as_the_run_does() -> None:
    run, other = trained(), trained()
    trial = tried_steps(Start.of(run), 20)
    longer = Run(MOONS.changed({"training.steps": 80}))
    losses = []
    for _ in range(80):
        longer.advance()
        losses.append(float(longer.probe.measure().loss))
    own = of(trial, "present")["sgd", 1.0]
    assert (own.first, own.last) == pytest.approx((losses[59], losses[79]), rel=1e-5)
    assert of(trial, "start")["sgd", 1.0].last == pytest.approx(losses[19], rel=1e-5)
    mine, its = run.trainer.network.state_dict(), other.trainer.network.state_dict()
    assert all(torch.equal(mine[name], tensor) for name, tensor in its.items())


def test_every_rate_is_tried_from_each_start_and_two_kinds_of_step_from_two(slow: Run) -> None:
    trial = tried_steps(Start.of(slow), 12)
    rates = {("sgd", times) for times in (1.0, *RATES)}
    for origin, wanted in (("present", 9), ("start", 9), ("sound", 7)):
        assert of(trial, origin).keys() >= rates
        assert len(of(trial, origin)) == wanted
    assert {name for name, _ in of(trial, "start")} == {"sgd", "momentum", "adam"}
    assert trial is not None
    assert (trial.step, trial.steps) == (60, 12)


def test_the_trial_shows_that_longer_steps_would_have_helped() -> None:
    run = trained()
    assert prove(run) is not None
    (verdict, *_) = judge(run.history)
    assert verdict.caveat == "step_too_small"
    assert "trial: in 100 steps the loss falls" in verdict.what
    assert prove(run) is None  # once is enough
    words = result(run)["trial"]
    json.dumps(words, allow_nan=False)
    assert words["step"] == 60


def test_a_trial_is_the_same_each_time(slow: Run) -> None:
    assert tried_steps(Start.of(slow), 8) == tried_steps(Start.of(slow), 8)


def test_a_run_that_diverged_is_tried_from_its_start() -> None:
    run = trained(**{"optimizer.lr": 1e8})
    assert run.divergence is not None
    trial = prove(run)
    assert max(t.learnt for t in of(trial, "start").values()) > -math.inf
    lines = result(run)
    json.dumps(lines, allow_nan=False)
    assert any(path.startswith("trial.tried") for path in lines["nonfinite"])


def test_a_good_run_has_no_trial_and_one_that_cannot_be_stacked_has() -> None:
    assert prove(trained(**{"optimizer.lr": 0.5, "training.steps": 200})) is None
    assert prove(trained(**{"training.class_weight": "balanced"})) is not None


def test_a_trial_can_be_stopped(slow: Run) -> None:
    with pytest.raises(Stopped):
        tried_steps(Start.of(slow), 100, stop=lambda: True)


def test_a_kept_run_has_the_same_verdicts_with_its_trial(tmp_path: Path) -> None:
    run = Run(MOONS)
    writer = Writer(run, tmp_path / "run")
    while not run.finished:
        run.advance()
        writer.between_steps()
    prove(run)
    writer.tell("finished")
    writer.close()
    assert writer.join()
    reader = Reader(tmp_path / "run")
    assert reader.problems == ()
    assert reader.history.snapshot().events[-1].trial == run.history.snapshot().events[-1].trial

    def told(verdicts: Any) -> list[tuple[str, str, str]]:
        return [(v.caveat, v.severity, v.what.partition("; trial")[2]) for v in verdicts]

    assert told(judge(reader.history)) == told(judge(run.history))


TRIED = TriedStep("sound", "adam", 0.1, 0.1 + 0.2, math.inf, -math.inf)
EVENT = Event(7, "trial", "words", trial=Trial(7, 100, (TRIED,)))


def test_a_line_of_a_trial_is_read_back_the_same() -> None:
    line = event_line(EVENT).encode()
    assert b"Infinity" not in line
    assert parse(line, (4, 2)) == EVENT


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (5, "without a number of steps"),
        ({"steps": 0, "tried": []}, "without a number of steps"),
        ({"steps": 9, "tried": 3}, "without a list"),
        ({"steps": 9, "tried": [[]] * 1000}, "without a list"),
        ({"steps": 9, "tried": [["start", "sgd", 1.0]]}, "other than six values"),
        ({"steps": 9, "tried": [["moon", "sgd", 1.0, 1, 1, 0]]}, "unknown start: moon"),
        ({"steps": 9, "tried": [["start", "sgd", "one", 1, 1, 0]]}, "no number: one"),
    ],
)
def test_a_broken_trial_is_told_in_a_sentence(wrong: Any, said: str) -> None:
    line = json.dumps({"event": "trial", "step": 7, "text": "", "trial": wrong}).encode()
    with pytest.raises(BadLineError, match=said):
        parse(line, (4, 2))
