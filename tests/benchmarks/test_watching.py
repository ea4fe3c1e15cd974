"""The networks and faults on which watching is tried, and the table of what was found."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("sklearn")

from benchmarks.watching.rival import flagged_by_torchmortem, has_torchmortem
from benchmarks.watching.trust import Outcome, drawn, failed, harm, plan, possible, table
from benchmarks.watching.zoo import FAULTS, ONLY, OTHERS, ZOO, train, train_and_judge, true_values


@pytest.mark.parametrize("name", [*ZOO, *OTHERS])
def test_every_network_trains(name: str) -> None:
    assert len(train(name, "none", 0, steps=3)) == 3


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_can_be_put_into_a_network(fault: str) -> None:
    name = min(ONLY.get(fault, {"mlp"}))
    healthy = train(name, "none", 0, steps=102)
    spoiled = train(name, fault, 0, steps=102)
    same = fault in ("bad_batches",)  # it begins at step 200
    assert (healthy == spoiled) is same


def test_q_learning_comes_near_the_true_values_of_its_walk() -> None:
    """In the middle, the value of going right is nine tenths of that one place further on."""
    values = true_values()
    assert values[3:8, 1].tolist() == pytest.approx((0.9 * values[4:9, 1]).tolist())
    _, error = train_and_judge("dqn", "none", 0)
    assert error is not None
    assert error[1] < 0.3 * error[0]


def test_faults_are_drawn_for_each_network() -> None:
    runs = list(drawn(plan([5]), 2, 5))
    assert runs == list(drawn(plan([5]), 2, 5))
    for name in [*ZOO, *OTHERS]:
        assert sum(n == name and fault != "none" for n, fault, _, _ in runs) == 2
    assert sum(fault == "none" for _, fault, _, _ in runs) == 2 * len(ZOO) + len(OTHERS)


def test_the_outcome_alone_tells_a_loss_that_falls_from_one_that_does_not() -> None:
    falls = [2.0 * 0.99**i for i in range(300)]
    assert not failed(falls)
    assert failed([2.0] * 300)
    assert failed([*falls, math.nan])


def test_the_table_counts_runs_by_fault() -> None:
    text = table([
        Outcome("mlp", "none", (), None, False, ""),
        Outcome("mlp", "dead_start", ("dying_relu",), 12, True, "", rival=True),
        Outcome("cnn", "dead_start", (), None, True, "", rival=False),
        Outcome("cnn", "bad_batches", ("loss_spike",), 212, False, ""),
    ])  # fmt: skip
    assert "| healthy | 1 | 0% | – | – | 0% | – |" in text
    assert "| dead_start | 2 | 50% | 3.0% | dying_relu 1 | 100% | 50% |" in text
    assert "| bad_batches | 1 | 100% | 3.0% | loss_spike 1 | 0% | – |" in text  # since step 200
    assert "| all faults | 3 | 67% | 3.0% |" in text


def test_every_network_is_tried_sound_and_with_each_fault_that_it_can_have() -> None:
    runs = list(plan([0]))
    assert len(runs) == len(set(runs))
    for name in [*ZOO, *OTHERS]:
        had = {fault for n, fault, _, _ in runs if n == name}
        assert had == {"none", *(fault for fault in FAULTS if possible(name, fault))}
    assert not possible("gpt", "unscaled_inputs")
    assert not possible("mlp", "stuck_gates")


@pytest.mark.skipif(not has_torchmortem(), reason="torchmortem 0.1.1 is not installed")
def test_torchmortem_sees_a_loss_that_does_not_fall() -> None:
    assert flagged_by_torchmortem("mlp", "zero_init", 0, "adam") is True


def test_a_fault_did_harm_if_the_same_run_without_it_ends_clearly_lower() -> None:
    def run(name: str, fault: str, end: float, optimizer: str = "adam") -> Outcome:
        losses = (*[2.0] * 50, *[end] * 50)
        return Outcome(name, fault, (), None, False, "", 7, optimizer, losses)

    runs = [
        run("mlp", "none", 0.5),
        run("mlp", "tiny_init", 0.6),
        run("mlp", "dead_start", 0.7),
        run("mlp", "not_a_number", math.nan),
        run("cnn", "dead_start", 2.0),
        run("mlp", "huge_init", 2.0, "sgd"),
    ]
    worse, no_worse = harm(runs)
    assert [o.fault for o in worse] == ["dead_start", "not_a_number"]
    assert [o.fault for o in no_worse] == ["tiny_init"]
