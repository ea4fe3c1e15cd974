"""The worker thread: what each command does, and that no failure ends the thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from caveats.config import RunConfig
from caveats.run import Run
from caveats.session import Session

MOONS: dict[str, Any] = {
    "data": {"name": "moons", "n": 100},
    "network": {"widths": [4, 4]},
    "training": {"batch_size": 20, "steps": 1_000_000},
}


def config(**changes: Any) -> RunConfig:
    return RunConfig.from_dict(MOONS).changed(
        {key.replace("__", "."): value for key, value in changes.items()}
    )


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(config()) as session:
        assert session.settled()
        yield session


def weights(run: Run | None) -> list[bytes]:
    assert run is not None
    return [p.detach().numpy().tobytes() for p in run.trainer.network.parameters()]


def alone(config: RunConfig, steps: int) -> list[bytes]:
    run = Run(config)
    for _ in range(steps):
        run.advance()
    return weights(run)


def until_step(session: Session, step: int) -> None:
    """Wait, without a clock, until the worker has made ``step`` steps: ask it between two steps."""
    while session.run is None or session.run.step < step:
        assert session.settled()
        assert session.status.state == "running"


def until_still(session: Session) -> None:
    assert session.settled()
    while session.status.state == "running":
        assert session.settled()


def test_opens_paused_at_step_0_with_that_step_measured(session: Session) -> None:
    assert (session.status.state, session.status.step) == ("paused", 0)
    assert session.status.run_number == 1
    assert session.status.device == "cpu"
    assert session.run is not None
    assert session.run.history.snapshot().steps.tolist() == [0]


def test_two_presses_in_quick_succession_undo_one_another(session: Session) -> None:
    """The second press comes before the effect of the first is visible, so the worker decides."""
    gate = threading.Event()
    session.play()
    session.ask(lambda run: gate.wait(), lambda answer: None)  # the worker is in a long step
    session.play_or_pause()
    session.play_or_pause()
    gate.set()
    assert session.settled()
    assert session.status.state == "running"
    session.play_or_pause()
    assert session.settled()
    assert session.status.state == "paused"


def test_a_restart_right_after_play_plays_on(session: Session) -> None:
    session.play()
    session.restart(play=None)
    assert session.settled()
    assert (session.status.state, session.status.run_number) == ("running", 2)


def test_play_pause_play_gives_the_weights_of_a_run_without_pauses() -> None:
    with Session(config(training__steps=90)) as session:
        for stop in (7, 31, 60):
            session.play()
            while session.run is None or session.run.step < stop:
                assert session.settled()
            session.pause()
            assert session.settled()
            assert session.status.state in ("paused", "finished")
            paused_at = session.run.step
            assert session.settled()
            assert session.run.step == paused_at == session.status.step
        session.single_step()
        session.play()
        until_still(session)
        assert session.status.state == "finished"
        assert session.run is not None
        assert session.run.history.snapshot().steps[-1] == 90
        assert weights(session.run) == alone(config(training__steps=90), 90)


def test_single_steps_are_steps_and_are_measured(session: Session) -> None:
    for _ in range(25):
        session.single_step()
    assert session.settled()
    assert (session.status.state, session.status.step) == ("paused", 25)
    assert session.run is not None
    assert session.run.history.snapshot().steps.tolist() == list(range(26))
    assert weights(session.run) == alone(config(), 25)


def test_a_single_step_pauses_a_running_run(session: Session) -> None:
    session.play()
    until_step(session, 3)
    session.single_step()
    assert session.settled()
    assert session.status.state == "paused"
    assert session.status.speed == 0


def test_a_live_change_goes_on_with_the_same_run(session: Session) -> None:
    session.play()
    until_step(session, 5)
    run = session.run
    session.change(config(optimizer__lr=0.5))
    assert session.settled()
    assert session.run is run
    assert session.status.state == "running"
    assert run is not None
    assert run.config.optimizer.lr == 0.5
    (event,) = run.history.snapshot().events
    assert event.kind == "change"
    assert event.changes == {"optimizer.lr": 0.5}


def test_a_change_that_restarts_begins_a_new_run_running_as_before(session: Session) -> None:
    session.play()
    until_step(session, 5)
    run = session.run
    session.change(config(network__widths=[3]))
    assert session.settled()
    assert session.run is not run
    assert session.status.state == "running"
    assert session.status.run_number == 2
    session.pause()
    session.change(config(training__seed=1))
    assert session.settled()
    assert (session.status.state, session.status.step) == ("paused", 0)
    assert session.status.run_number == 3


def test_restart_repeats_the_same_run(session: Session) -> None:
    for _ in range(2):
        for _ in range(10):
            session.single_step()
        assert session.settled()
        assert weights(session.run) == alone(config(), 10)
        session.restart()
        assert session.settled()
        assert session.status.step == 0
    session.restart(play=True)
    until_step(session, 2)


def test_a_finished_run_goes_on_when_it_gets_more_steps() -> None:
    with Session(config(training__steps=3)) as session:
        for _ in range(5):
            session.single_step()
        assert session.settled()
        assert (session.status.state, session.status.step) == ("finished", 3)
        session.change(config(training__steps=6))
        assert session.settled()
        assert session.status.state == "paused"
        for _ in range(5):
            session.single_step()
        assert session.settled()
        assert (session.status.state, session.status.step) == ("finished", 6)


def test_fewer_steps_than_were_made_finish_a_running_run_at_once(session: Session) -> None:
    session.play()
    until_step(session, 10)
    session.change(config(training__steps=5))
    until_still(session)
    seen = session.run
    assert session.status.state == "finished"
    assert seen is not None
    assert seen.history.snapshot().steps[-1] == seen.step


def test_stop_ends_the_thread_and_leaves_the_run_readable() -> None:
    session = Session(config())
    session.play()
    until_step(session, 3)
    session.stop()
    assert session.status.state == "stopped"
    assert not [t for t in threading.enumerate() if t is session._thread]
    assert session.run is not None
    assert len(session.run.history.snapshot()) > 0


def usable_after_failure(session: Session) -> None:
    session.play()  # refused, not fatal
    assert session.settled()
    assert session.status.state == "failed"
    session.change(config())
    assert session.settled()
    assert (session.status.state, session.status.problem) == ("paused", "")
    session.single_step()
    assert session.settled()
    assert session.status.step == 1


def test_a_network_too_large_for_the_memory_is_said_and_survived(session: Session) -> None:
    session.change(config(network__widths=[1_000_000, 1_000_000, 1_000_000]))
    assert session.settled()
    assert session.status.state == "failed"
    assert session.status.problem.startswith("out of memory: network.widths and training.batch")
    assert "\n" not in session.status.problem
    usable_after_failure(session)


def test_data_that_cannot_be_read_are_said_and_survived(session: Session, tmp_path: Path) -> None:
    session.restart(config(data__file=str(tmp_path / "none.npz")))
    assert session.settled()
    assert session.status.state == "failed"
    assert "none.npz" in session.status.problem
    usable_after_failure(session)


def test_an_error_inside_a_step_is_said_and_keeps_the_history(session: Session) -> None:
    for _ in range(3):
        session.single_step()
    assert session.settled()
    assert session.run is not None

    def fail(*_: object) -> None:
        raise RuntimeError("it went\x1b[2J wrong\nsecond line")

    session.run.trainer.loss_function = fail
    session.play()
    until_still(session)
    assert session.status.state == "failed"
    assert session.status.problem == "RuntimeError: it went\\x1b[2J wrong"
    assert session.run.history.snapshot().steps.tolist() == [0, 1, 2, 3]
    usable_after_failure(session)


@pytest.mark.parametrize("running", [False, True])
def test_a_live_change_that_does_not_fit_leaves_the_run_going_as_it_was(
    session: Session, running: bool
) -> None:
    session.single_step()
    if running:
        session.play()
    assert session.settled()
    run = session.run
    session.change(config(training__batch_size=101))
    assert session.settled()
    assert session.status.state == ("running" if running else "paused")
    assert "batch_size = 101 is larger than the 100 rows" in session.status.problem
    assert session.run is run
    assert run is not None
    assert run.config == config()
    if running:
        until_step(session, run.step + 30)
        assert "batch_size" in session.status.problem
        session.pause()
    session.change(config(training__batch_size=100))
    assert session.settled()
    assert session.status.problem == ""
    assert session.run is run


def test_a_diverged_run_stops_by_itself_and_says_where(session: Session) -> None:
    session.single_step()
    assert session.settled()
    assert session.run is not None
    with torch.no_grad():
        session.run.trainer.network[1].linear.weight.fill_(3e38)
        session.run.trainer.network[1].linear.bias.fill_(3e38)
    session.play()
    until_still(session)
    assert session.status.state == "diverged"
    assert session.status.problem == (
        "first number that is not finite: pre-activations of layer 2, at step 1"
    )
    assert session.run.history.snapshot().steps[0] == 0
    session.play()  # nothing to play on
    assert session.settled()
    assert session.status.state == "diverged"
    session.restart()
    assert session.settled()
    assert (session.status.state, session.status.problem) == ("paused", "")


def test_a_question_is_answered_by_the_worker_between_two_steps(session: Session) -> None:
    session.play()
    answers: list[tuple[str, int]] = []
    answered = threading.Event()

    def then(answer: tuple[str, int]) -> None:
        answers.append(answer)
        answered.set()

    session.ask(lambda run: (threading.current_thread().name, run.step), then)
    assert answered.wait(30)
    assert answers[0][0] == "caveats-training"


def test_slow_motion_makes_a_step_when_it_is_due_and_measures_each(session: Session) -> None:
    """At a step an hour one is made at once; commands are obeyed all the same."""
    session.slow_down(1 / 3600)
    session.play()
    until_step(session, 1)
    assert session.settled()  # without waiting for the step that is due in an hour
    assert session.status.step == 1
    assert session.status.speed <= 1 / 3600
    session.slow_down(10_000.0)
    until_step(session, 20)
    session.pause()
    assert session.settled()
    assert session.run is not None
    steps = list(session.run.history.snapshot().steps)
    assert len(steps) > 20
    assert steps == list(range(len(steps)))


def test_a_run_that_rests_makes_no_step_obeys_and_ends_as_it_would_have() -> None:
    with Session(config(training__steps=300)) as session:
        session.play()
        until_step(session, 20)
        session.rest(1e6)
        assert session.settled()  # commands are obeyed all the same
        assert session.run is not None
        rested = session.run.step
        for _ in range(5):
            assert session.settled()
        assert session.run.step == rested
        assert session.status.state == "running"
        session.rest(0)
        until_still(session)
        assert weights(session.run) == alone(config(training__steps=300), 300)
