"""The networks and faults on which watching is tried, and the table of what was found."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("sklearn")

from benchmarks.watching.trust import OF_INPUTS, Outcome, failed, harm, plan, table
from benchmarks.watching.zoo import FAULTS, OTHERS, ZOO, train


@pytest.mark.parametrize("name", [*ZOO, *OTHERS])
def test_every_network_trains(name: str) -> None:
    assert len(train(name, "none", 0, steps=3)) == 3


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_can_be_put_into_a_network(fault: str) -> None:
    healthy = train("mlp", "none", 0, steps=102)
    spoiled = train("mlp", fault, 0, steps=102)
    same = fault in ("bad_batches",)  # it begins at step 200
    assert (healthy == spoiled) is same


def test_the_outcome_alone_tells_a_loss_that_falls_from_one_that_does_not() -> None:
    falls = [2.0 * 0.99**i for i in range(300)]
    assert not failed(falls)
    assert failed([2.0] * 300)
    assert failed([*falls, math.nan])


def test_the_table_counts_runs_by_fault() -> None:
    text = table([
        Outcome("mlp", "none", (), None, False, ""),
        Outcome("mlp", "dead_start", ("dying_relu",), 12, True, ""),
        Outcome("cnn", "dead_start", (), None, True, ""),
    ])  # fmt: skip
    assert "| healthy | 1 | 0% | – | – | 0% |" in text
    assert "| dead_start | 2 | 50% | 12 | dying_relu 1 | 100% |" in text
    assert len(list(plan([0]))) == 2 * len(ZOO) + len(OTHERS) + len(FAULTS) * (
        len(ZOO) + len(OTHERS)
    ) - len(OF_INPUTS)


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
