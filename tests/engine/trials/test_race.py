"""A race tells which change helps, is the same each time, and leaves the run alone."""

from __future__ import annotations

import math
import os
import pickle
import select
import signal
import subprocess
import sys
from typing import Any

import pytest
import torch

from caveats.config import RunConfig
from caveats.remedies.candidates import candidates, pairs
from caveats.remedies.winning import ranked
from caveats.run import Run
from caveats.stacks import Stack
from caveats.stacks.updates import RULES
from caveats.trials import CONTROL, Result, Start, race, winner
from caveats.trials.child import race_child
from caveats.trials.race import Stopped
from caveats.verdicts import Remedy, learnt

MOONS = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 100},
        "network": {"widths": [8, 8]},
        "training": {"batch_size": 20, "steps": 200, "device": "cpu"},
    }
)


def run_of(changes: dict[str, Any], steps: int) -> Run:
    run = Run(MOONS.changed(changes), every=10**9)
    for _ in range(steps):
        run.advance()
    return run


@pytest.mark.parametrize("name", RULES)
def test_a_fork_goes_on_as_the_run_does(name: str) -> None:
    changes = {"optimizer.name": name, "optimizer.lr": 0.003, "network.dropout": 0.2,
               "network.activation": "prelu", "network.normalization": "batch",
               "optimizer.schedule": "linear"}  # fmt: skip
    run = run_of(changes, 7)
    stack = Stack([run.config] * 2, every=10**9)
    stack.fork(run.config, run.trainer.state())
    for _ in range(20):
        run.advance()
        stack.advance()
    assert stack.step == run.step == 27
    expected = float(run.probe.measure().loss)
    assert [loss for loss, _ in stack.probe_scores()] == pytest.approx([expected] * 2, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "key", "larger"),
    [
        ({"optimizer.lr": 1e-4}, "optimizer.lr", True),  # a step far too small
        ({"optimizer.lr": 20.0}, "optimizer.lr", False),  # and far too large
    ],
)
def test_a_step_of_the_wrong_size_is_found(
    changes: dict[str, float], key: str, larger: bool
) -> None:
    run = run_of(changes, 5)
    found = race(Start.of(run), steps=40)
    control = next(r for r in found if r.remedy == CONTROL)
    rates = {r.change[key]: r for r in found if set(r.change) == {key}}
    best = min(rates.values(), key=lambda r: (-len(r.losses), r.loss))
    assert (best.change[key] > changes[key]) == larger
    same = control.steps.index(best.steps[-1])
    assert best.fall > 2 * (1 - control.losses[same] / control.losses[0])


def test_unscaled_inputs_and_a_start_without_differences_are_found() -> None:
    raw = run_of({"data.standardize": False, "data.shift": 30.0}, 5)
    first, last = race(Start.of(raw), [Remedy({"data.standardize": True}, "tried")], steps=60)
    assert "data.standardize" in first.change
    assert first.loss < 0.5 * last.loss
    zeros = run_of({"network.init": "zeros", "network.activation": "tanh"}, 5)
    assert "network.init" in race(Start.of(zeros), steps=60)[0].change


def test_a_race_is_the_same_each_time_and_leaves_run_and_generators_alone() -> None:
    run = run_of({}, 5)
    before = {name: t.clone() for name, t in run.trainer.network.state_dict().items()}
    generator = torch.get_rng_state()
    start = Start.of(run)
    first = race(start, steps=12)
    assert first == race(pickle.loads(pickle.dumps(start)), steps=12)
    assert torch.equal(torch.get_rng_state(), generator)
    after = run.trainer.network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_the_control_is_never_left_out_and_ends_with_the_longest() -> None:
    found = race(Start.of(run_of({"optimizer.lr": 1e-6}, 3)), steps=16)
    control = next(r for r in found if r.remedy == CONTROL)
    assert control.steps == (0, *range(1, 17))
    assert {r.steps[-1] for r in found} == {4, 8, 16}
    assert [len(r.losses) for r in found] == sorted((len(r.losses) for r in found), reverse=True)


def test_a_candidate_that_diverges_ranks_last_of_its_round() -> None:
    wild = Remedy({"optimizer.lr": 1e30}, "tried")
    found = race(Start.of(run_of({}, 3)), [CONTROL, wild], steps=12)
    assert [r.remedy for r in found] == [CONTROL, wild]
    assert found[1].loss == math.inf


def test_a_race_can_be_stopped() -> None:
    asked = iter([False] * 3 + [True] * 9)
    with pytest.raises(Stopped):
        race(Start.of(run_of({}, 1)), steps=1000, stop=lambda: next(asked))


def test_a_race_may_start_at_step_0_without_a_state() -> None:
    config = MOONS.changed({"optimizer.lr": 1e-4})
    found = race(Start(config, run_of({}, 0).dataset), steps=8)
    assert found[0].loss < found[0].losses[0]


def test_candidates_are_valid_and_different_and_pairs_change_two_settings() -> None:
    found = candidates(MOONS)
    configs = [MOONS, *(MOONS.changed(r.change) for r in found)]
    assert all(configs.count(config) == 1 for config in configs)
    assert {"optimizer.lr": 1.0} in [r.change for r in found]
    assert not any("data.standardize" in r.change for r in found)  # it is so already
    rates = [r for r in found if set(r.change) == {"optimizer.lr"}]
    other = next(r for r in found if "network.normalization" in r.change)
    both = pairs(MOONS, [*rates[:2], other])
    assert [len(r.change) for r in both] == [2, 2]


def test_of_nearly_equal_results_the_smaller_change_ranks_first_and_wins() -> None:
    two = Remedy({"optimizer.lr": 0.1, "network.bias": 1.0}, "two settings")
    one = Remedy({"optimizer.lr": 0.2}, "one")
    results = [
        Result(two, (0, 9), (1.0, 0.50), 0.60), Result(one, (0, 9), (1.0, 0.51), 0.55),
        Result(CONTROL, (0, 9), (1.0, 0.9), 0.44),
    ]  # fmt: skip
    assert [r.remedy for r in ranked(results)] == [one, two, CONTROL]
    assert results[1].fall == pytest.approx(0.49)
    assert winner(results) == results[1]
    assert winner([results[1], Result(CONTROL, (0, 9), (1.0, 0.9), 0.46)]) is None  # not clearly


def test_the_share_learnt_is_that_of_the_single_run() -> None:
    """The control starts where the run does, so its share is what the rules say of the run."""
    run = run_of({"optimizer.lr": 0.3}, 0)
    (control,) = race(Start(run.config, run.dataset), [], steps=20)
    for _ in range(20):
        run.advance()
    run.record()
    assert control.learnt == pytest.approx(learnt(run.history), rel=1e-4)
    assert 0.05 < control.learnt < 1.0


def test_the_losses_between_the_rounds_are_those_of_the_single_run() -> None:
    run = run_of({"optimizer.lr": 0.3}, 0)
    (control,) = race(Start(run.config, run.dataset), [], steps=20)
    single = [float(run.probe.measure().loss)]
    for _ in range(20):
        run.advance()
        single.append(float(run.probe.measure().loss))
    assert control.losses == pytest.approx([single[step] for step in control.steps], rel=1e-4)
    assert control.constant == pytest.approx(run.baseline)


def test_what_cannot_be_stacked_races_alone_and_what_makes_no_longer_race_does_not() -> None:
    run = run_of({}, 0)
    tried = [Remedy({key: value}, "") for key, value in (
        ("training.class_weight", "balanced"), ("training.steps", 2000), ("optimizer.lr", 0.3),
    )]  # fmt: skip
    found = race(Start(run.config, run.dataset), tried, steps=8)
    assert {r.remedy.reason or str(dict(r.change)) for r in found} == {
        "going on as it is", "{'training.class_weight': 'balanced'}", "{'optimizer.lr': 0.3}",
    }  # fmt: skip


def test_a_run_with_a_loss_that_cannot_be_stacked_has_a_race_with_a_control() -> None:
    run = run_of({"training.loss": "bce", "data.validation": 0.2, "optimizer.lr": 1e-6}, 0)
    found = race(Start(run.config, run.dataset), steps=40)
    assert any(not result.change for result in found)
    best = winner(found)
    assert best is not None
    assert best.change.keys() & {"optimizer.lr", "optimizer.name"}


def test_a_run_of_few_steps_is_raced_against_a_longer_one() -> None:
    run = run_of({"training.steps": 6, "optimizer.lr": 0.05}, 0)
    longer = Remedy({"training.steps": 60}, "")
    found = race(Start(run.config, run.dataset), [longer], steps=200)
    assert {bool(result.change): result.steps[-1] for result in found} == {False: 6, True: 60}
    assert winner(found).change == longer.change  # type: ignore[union-attr]


def test_the_parts_of_a_winner_race_too_and_the_one_that_does_it_wins() -> None:
    run = run_of({"optimizer.lr": 1e-6}, 0)
    whole = Remedy({"optimizer.lr": 0.1, "network.dropout": 0.1, "optimizer.clip_norm": 1.0}, "")
    best = winner(race(Start(run.config, run.dataset), [whole], steps=60))
    assert best is not None
    assert dict(best.change) == {"optimizer.lr": 0.1}


def test_of_equals_the_change_that_the_rules_blame_wins() -> None:
    tried = candidates(MOONS, [Remedy({"network.residual": True, "optimizer.lr": 0.5}, "")])
    assert [dict(r.change) for r in tried[:3]] == [
        {"network.residual": True}, {"optimizer.lr": 0.5},
        {"network.residual": True, "optimizer.lr": 0.5},
    ]  # fmt: skip


def test_the_results_so_far_are_told_after_each_look_but_the_last() -> None:
    run = run_of({}, 0)
    told: list[tuple[Result, ...]] = []
    found = race(Start(run.config, run.dataset), steps=40, tell=told.append)
    assert [max(r.steps[-1] for r in results) for results in told] == list(range(2, 40, 2))
    assert {r.remedy.reason for r in told[0]} <= {r.remedy.reason for r in found}


@pytest.mark.slow  # it starts processes, which import torch
def test_a_race_in_a_process_gives_the_same_results_and_can_be_stopped() -> None:
    start = Start.of(run_of({}, 3))
    process = race_child(start, steps=8)
    assert process.wait(120.0)
    process.stop()
    assert process.found == race(start, steps=8)
    assert process.problem == ""
    other = race_child(start, steps=10**6)
    other.stop()
    assert other._child.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_a_race_that_fails_says_why() -> None:
    start = Start.of(run_of({}, 3))
    broken = Start(start.config, start.dataset, {"step": 3})  # a state without weights
    process = race_child(broken, steps=8)
    assert process.wait(120.0)
    process.stop()
    assert process.found == ()
    assert process.problem == "KeyError: 'network'"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux's pidfd")
def test_a_race_ends_with_the_process_that_made_it() -> None:
    """The maker of an endless race is killed; the race's process closes its end of a pipe."""
    script = (
        "import os, time\n"
        "from caveats.config import RunConfig\n"
        "from caveats.data import load\n"
        "from caveats.trials import Start\n"
        "from caveats.trials.child import race_child\n"
        "config = RunConfig()\n"
        "race = race_child(Start(config, load(config.data.settings())), steps=10**6)\n"
        "print(race._child.pid, flush=True)\n"
        "race.wait()\n"
    )
    maker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert maker.stdout is not None
    with maker.stdout:
        racing = os.pidfd_open(int(maker.stdout.readline()))
        maker.kill()
    maker.wait()
    ended, _, _ = select.select([racing], [], [], 60)
    os.close(racing)
    assert ended
