"""The bench on real training: changes, undo, ghosts, and a cure that is tried and judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.experiments import find
from caveats.history import History
from caveats.theory import factor, predict
from caveats.verdicts import Remedy, Verdict
from caveats_tui.bench.cure import Cure
from caveats_tui.bench.forecast import Forecaster, completed
from caveats_tui.bench.training import Training

Configured = Callable[..., RunConfig]
Start = Callable[..., Training]

SMALL = {"data.name": "moons", "network.widths": [8], "training.steps": 40}
DYING = {"optimizer.name": "adam", "optimizer.lr": 0.3, "training.steps": 400}


@pytest.fixture
def start(configured: Configured) -> Iterator[Start]:
    """A bench whose session has measured step 0."""
    begun: list[Training] = []

    def make(changes: dict[str, Any] | None = None, every: int | None = 1) -> Training:
        bench = Training(configured(SMALL if changes is None else changes), every)
        begun.append(bench)
        bench.begin()
        settled(bench)
        return bench

    yield make
    for bench in begun:
        bench.end()


def settled(bench: Training) -> None:
    assert bench.session is not None
    assert bench.session.settled()


def over(bench: Training) -> None:
    """Until the run is over, looking at it as the lab does."""
    deadline = time.monotonic() + 60
    settled(bench)
    while not bench.over:
        bench.verdicts()
        assert time.monotonic() < deadline, bench.status
        time.sleep(0.005)


def run_of(bench: Training) -> Any:
    assert bench.session is not None
    assert bench.session.run is not None
    return bench.session.run


def test_a_change_that_is_not_valid_gives_a_notice_and_changes_nothing(start: Start) -> None:
    bench = start()
    config, run = bench.config, run_of(bench)
    assert not bench.apply({"optimizer.lr": -1.0})
    settled(bench)
    assert "optimizer.lr" in bench.notice
    assert "-1" in bench.notice
    assert bench.config is config
    assert run_of(bench) is run
    bench.undo()
    assert bench.notice == "nothing to undo"


def test_one_looks_back_while_a_run_is_in_training(start: Start) -> None:
    bench = start()
    for _ in range(5):
        bench.step()
    settled(bench)
    bench.look_back(-2)
    trace = bench.trace()
    assert trace is not None
    assert (trace.cursor, int(trace.seen.steps[-1]), int(trace.snapshot.steps[-1])) == (3, 3, 5)
    assert "step 3" in bench.notice
    bench.step()
    settled(bench)
    trace = bench.trace()
    assert trace is not None
    assert (trace.cursor, int(trace.snapshot.steps[-1])) == (3, 6)  # it stays where it is
    bench.look_back(-100)
    assert bench.trace().cursor == 0  # type: ignore[union-attr]
    bench.look_back(100)
    assert bench.trace().cursor is None  # type: ignore[union-attr]
    bench.look_back(-1)
    bench.restart()
    settled(bench)
    assert bench.trace().cursor is None  # type: ignore[union-attr]


def test_a_valid_change_removes_the_notice(start: Start) -> None:
    bench = start()
    bench.apply({"optimizer.lr": -1.0})
    assert bench.apply({"optimizer.lr": 0.5})
    assert bench.notice == ""
    assert bench.config.optimizer.lr == 0.5


def test_undo_takes_changes_back_one_by_one(start: Start) -> None:
    bench = start()
    first = bench.config
    bench.apply({"network.activation": "tanh"})
    second = bench.config
    bench.apply({"network.widths": [4, 4]})
    bench.undo()
    assert bench.config == second
    bench.undo()
    assert bench.config == first
    settled(bench)
    assert run_of(bench).config == first


def test_a_change_to_the_same_value_is_nothing_to_undo(start: Start) -> None:
    bench = start()
    assert bench.apply({"network.activation": "relu"})
    bench.undo()
    assert bench.notice == "nothing to undo"


def test_a_live_change_keeps_the_run_and_its_weights(start: Start) -> None:
    bench = start()
    for _ in range(3):
        bench.step()
    settled(bench)
    run = run_of(bench)
    weights = [p.detach().clone() for p in run.trainer.network.parameters()]
    bench.apply({"optimizer.lr": 0.01, "network.activation": "tanh"})
    settled(bench)
    assert run_of(bench) is run
    assert bench.status.step == 3
    assert bench.ghost is None
    for before, after in zip(weights, run.trainer.network.parameters(), strict=True):
        assert bool((before == after).all())
    [event] = run.history.snapshot().events
    assert event.kind == "change"
    assert event.step == 3


def test_a_change_that_restarts_leaves_the_run_as_ghost(start: Start) -> None:
    bench = start()
    for _ in range(3):
        bench.step()
    settled(bench)
    run = run_of(bench)
    bench.apply({"network.init": "xavier_normal"})
    settled(bench)
    assert run_of(bench) is not run
    assert bench.status.step == 0
    assert bench.ghost is not None
    assert bench.before == ("init he_normal",)  # what its legend says
    np.testing.assert_array_equal(bench.ghost.snapshot.steps, [0, 1, 2, 3])


def test_batches_made_to_fit_the_rows_are_no_difference_from_the_ghost(start: Start) -> None:
    bench = start({"data.name": "moons", "data.n": 40, "network.widths": [8]})
    assert run_of(bench).config.training.batch_size == 40
    bench.step()
    settled(bench)
    bench.apply({"network.init": "xavier_normal"})
    settled(bench)
    assert bench.before == ("init he_normal",)


def test_a_run_that_made_no_step_leaves_no_ghost(start: Start) -> None:
    bench = start()
    assert bench.before == ()
    bench.apply({"network.init": "xavier_normal"})
    assert bench.ghost is None


def test_restarting_gives_the_same_run_again(start: Start) -> None:
    bench = start()
    bench.play_or_pause()
    over(bench)
    losses = run_of(bench).history.snapshot().scalar("loss").copy()
    bench.restart()
    settled(bench)
    assert bench.status.step == 0
    bench.play_or_pause()
    over(bench)
    np.testing.assert_array_equal(run_of(bench).history.snapshot().scalar("loss"), losses)
    assert bench.ghost is not None
    np.testing.assert_array_equal(bench.ghost.snapshot.scalar("loss"), losses)


def test_a_pinned_ghost_stays_until_it_is_removed(start: Start) -> None:
    bench = start()
    bench.step()
    settled(bench)
    bench.toggle_ghost()
    pinned = bench.ghost
    assert pinned is not None
    for seed in (1, 2):
        bench.step()
        bench.apply({"training.seed": seed})
        settled(bench)
        assert bench.ghost is pinned
    bench.toggle_ghost()
    assert bench.ghost is None
    bench.step()
    settled(bench)
    bench.restart()
    assert bench.ghost is not None, "once let go, the last run is the ghost again"


def test_a_run_that_is_over_says_how_to_begin_again(start: Start) -> None:
    bench = start({**SMALL, "training.steps": 2})
    bench.play_or_pause()
    over(bench)
    bench.play_or_pause()
    assert bench.notice == "the run is over: r begins again from step 0"


def test_a_run_without_a_verdict_says_that_there_is_nothing_to_fix(start: Start) -> None:
    bench = start()
    assert bench.verdicts() == ()
    assert bench.curable() is None
    assert bench.notice == "nothing to fix: no caveat with a remedy has been found in this run"


def test_before_torch_is_there_every_key_is_harmless(configured: Configured) -> None:
    bench = Training(configured(SMALL), None)
    bench.play_or_pause()
    bench.step()
    bench.restart()
    bench.toggle_ghost()
    assert bench.curable() is None
    assert bench.apply({"optimizer.lr": 0.5})
    assert bench.status.state == "loading"
    assert bench.verdicts() == ()
    bench.end()


# Cures


def test_the_first_remedy_cures_dying_relu_beside_the_run_that_died(start: Start) -> None:
    bench = start(DYING, every=20)
    bench.play_or_pause()
    over(bench)
    verdict = bench.curable()
    assert verdict is not None
    assert (verdict.caveat, verdict.severity) == ("dying_relu", "critical")
    died = run_of(bench)
    remedy = verdict.next[0]
    assert remedy.change["optimizer.lr"] < 0.3

    bench.fix(verdict, remedy)
    assert bench.cure is not None
    bench.verdicts()  # as the next frame does, while the worker may not have begun yet
    assert bench.cure.outcome == "", "the run that died is not the one that is being tried"
    over(bench)
    bench.verdicts()
    assert run_of(bench) is not died
    assert bench.cure.outcome.startswith("cured: lr 0.3 → ")
    assert "ended dying ReLU" in bench.cure.outcome
    assert bench.cure.outcome in bench.notes
    assert bench.ghost is not None
    np.testing.assert_array_equal(
        bench.ghost.snapshot.scalar("loss"), died.history.snapshot().scalar("loss")
    )
    assert run_of(bench).config.training.seed == died.config.training.seed
    bench.undo()
    assert bench.config == died.config


def test_the_line_names_the_remedy_that_f_takes(start: Start) -> None:
    """An experiment's own cure comes first in what is said too: the line once named another."""
    bench = start(dict(find("stuck_on_the_saddle").config.flat()), every=20)
    bench.play_or_pause()
    over(bench)
    (worst, *_) = bench.verdicts()
    assert worst.caveat == "plateau"
    assert worst.next[0].change == find("stuck_on_the_saddle").cure
    assert bench.curable() == worst


def test_a_cure_that_does_not_cure_says_so(start: Start) -> None:
    """Leaky units cannot die, yet steps of 0.3 still ruin the run."""
    bench = start(DYING, every=20)
    bench.play_or_pause()
    over(bench)
    verdict = bench.curable()
    assert verdict is not None
    bench.fix(verdict, Remedy({"training.seed": 1}, "as if luck were a cure"))
    over(bench)
    bench.verdicts()
    assert bench.cure is not None
    assert bench.cure.outcome.startswith("no better: seed 0 → 1 left dying ReLU")


def losses(*values: float, held_out: tuple[float, ...] = ()) -> History:
    history = History(("layer 1", "output"))
    for step, value in enumerate(values):
        apart = held_out[step] if held_out else float("nan")
        history.append(step, {"loss": value, "validation_loss": apart}, {})
    return history


def verdict(caveat: str = "plateau", severity: str = "critical") -> Verdict:
    return Verdict(caveat, caveat, severity, 0, (), "", {}, "", ())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "left", "begins"),
    [
        (2.3, 0.1, (), "cured: lr ended plateau (loss 2.3 → 0.1)"),
        (float("nan"), 0.5, (), "cured"),
        (2.3, 2.2, (), "no better: less than half of what can be learnt was learnt"),
        (2.3, float("nan"), (), "no better: less than half"),
        (2.3, 1.7, (), "better: less than half"),
        (2.3, 0.1, (verdict(),), "better: lr left plateau"),
        (2.3, 0.1, (verdict(severity="note"),), "cured"),
        (2.3, 0.1, (verdict("saturation"),), "better: lr left saturation"),
    ],
)
def test_cured_is_when_no_warning_is_left_and_half_of_what_can_be_learnt_is_learnt(
    before: float, after: float, left: tuple[Verdict, ...], begins: str
) -> None:
    attempt = Cure(verdict(), "lr", losses(3.0, before), RunConfig())
    attempt.settle(losses(3.0, after), left)
    assert attempt.outcome.startswith(begins)


def test_the_cure_of_overfitting_is_told_by_the_loss_on_rows_held_out() -> None:
    """On the training rows the cured run is the worse one."""
    failed = losses(3.0, 0.1, held_out=(3.0, 0.9))
    attempt = Cure(verdict("overfitting"), "decay", failed, RunConfig())
    attempt.settle(losses(3.0, 0.2, held_out=(3.0, 0.4)), ())
    assert attempt.outcome == "cured: decay ended overfitting (held-out loss 0.9 → 0.4)"


# Verdicts belong to the run that is shown


def test_a_new_run_is_judged_from_its_own_first_record(start: Start) -> None:
    bench = start(DYING, every=20)
    bench.play_or_pause()
    over(bench)
    assert bench.verdicts()[0].caveat == "dying_relu"
    bench.apply({"optimizer.lr": 0.003, "training.seed": 3})
    settled(bench)
    assert "dying_relu" not in [v.caveat for v in bench.verdicts()]


# Theory


def test_theory_belongs_to_the_run_as_it_began(start: Start) -> None:
    """A prediction is of step 0: after a change of activation it would lie beside a step 0 that
    was measured with another one."""
    bench = start({**SMALL, "network.widths": [32, 32]})
    deadline = time.monotonic() + 60

    def predicted(words: str) -> Any:
        """What the charts show of theory, once it was computed for this network."""
        while True:
            trace, forecast = bench.trace(), bench.forecast
            assert trace is not None
            if forecast is not None and forecast.prediction and words in forecast.sentence:
                return trace.prediction
            assert time.monotonic() < deadline
            time.sleep(0.005)

    assert predicted("relu") is not None
    bench.step()
    bench.apply({"network.activation": "sigmoid"})
    settled(bench)
    assert predicted("sigmoid") is None
    bench.restart()
    settled(bench)
    assert predicted("sigmoid") is not None


def test_a_forecast_is_made_even_if_it_was_asked_for_as_the_thread_ended(start: Start) -> None:
    """The thread has looked for the last time, and is not gone yet, when a new config comes."""
    forecaster = Forecaster()
    run = run_of(start())

    def sample() -> Any:
        return run.probe.x.numpy(), run.probe.y.numpy(), run.dataset.outputs

    class Ending:
        def is_alive(self) -> bool:
            return True

    forecaster._thread = Ending()  # type: ignore[assignment]
    assert forecaster.of(run.config, sample) is None
    forecaster._thread = None
    deadline = time.monotonic() + 60
    while forecaster.of(run.config, sample) is None:
        assert time.monotonic() < deadline, "never made"
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("network", "told", "untold"),
    [
        ({"activation": "tanh"}, "a layer", "explodes"),
        ({"activation": "exp", "init": {"name": "normal", "std": 1.0}}, "at layer 2", "layer 3"),
        ({"activation": "exp", "init": "lecun_normal"}, "single units decide", "explodes"),
        ({"activation": "tanh", "dropout": 0.5}, "dropout", ";"),
    ],
)
def test_the_reason_why_theory_says_nothing_is_shown_once(
    network: dict[str, Any], told: str, untold: str
) -> None:
    """A layer's number comes from the rows at hand; the factor has only their mean square."""
    config = RunConfig.from_dict({"network": {"widths": [100] * 8, **network}})
    x = np.random.default_rng(0).standard_normal((64, 64))
    said = completed(factor(config, 64), predict(config, x, np.arange(64) % 10))
    assert told in said
    assert untold not in said


def test_a_change_after_the_end_is_pending_and_what_is_shown_stays_that_of_the_run(
    start: Start,
) -> None:
    bench = start()
    bench.play_or_pause()
    over(bench)
    trained, events = bench.config, len(run_of(bench).history.snapshot().events)
    assert bench.apply({"optimizer.lr": 0.5})
    settled(bench)
    assert bench.notice == "lr 0.1 → 0.5: pending, r applies"
    assert bench.shown is trained
    assert bench.config.optimizer.lr == 0.5
    assert run_of(bench).config.optimizer.lr == 0.1  # nor is the kept run's setup another one
    assert len(run_of(bench).history.snapshot().events) == events
    bench.restart()
    settled(bench)
    assert bench.shown is bench.config
    assert run_of(bench).config.optimizer.lr == 0.5


def test_undo_takes_a_pending_change_back_and_more_steps_apply_it(start: Start) -> None:
    bench = start()
    bench.play_or_pause()
    over(bench)
    bench.apply({"optimizer.lr": 0.5})
    bench.undo()
    assert bench.config == bench.shown
    assert not bench.notice
    bench.apply({"optimizer.lr": 0.5})
    bench.apply({"training.steps": 60})  # the run goes on, with both
    settled(bench)
    assert bench.shown is bench.config
    assert run_of(bench).config.optimizer.lr == 0.5
    assert bench.status.state == "paused"
