"""What a setup does over several seeds: the numbers are those of its single runs."""

from __future__ import annotations

import os

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.data import load
from caveats.run import Run
from caveats.stacks.over_seeds import OverSeeds, over_seeds, why_not_trained
from caveats.trials import Start
from caveats.trials.child import seeds_child

MOONS = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 100},
        "network": {"widths": [6, 6]},
        "optimizer": {"lr": 0.05},
        "training": {"batch_size": 32, "steps": 60, "seed": 5, "device": "cpu"},
    }
)


def single(config: RunConfig, seed: int) -> Run:
    run = Run(config.changed({"training.seed": seed}))
    while not run.finished:
        run.advance()
    return run


def test_mean_and_range_are_those_of_the_single_runs_of_the_same_seeds() -> None:
    found = over_seeds(MOONS, load(MOONS.data.settings()), 3)
    alone = [single(MOONS, seed).history.snapshot() for seed in (5, 6, 7)]
    assert (found.seeds, found.diverged) == (3, 0)
    np.testing.assert_array_equal(found.steps, alone[0].steps)
    for values, own in (
        (found.scalars["loss"], [s.scalar("loss") for s in alone]),
        (found.layers["grad_norm"], [s.layers("grad_norm") for s in alone]),
        (found.layers["dead"], [s.layers("dead") for s in alone]),
    ):
        wanted = np.mean(own, 0), np.min(own, 0), np.max(own, 0)
        np.testing.assert_allclose(values, wanted, rtol=1e-5, atol=1e-7)


def test_a_seed_that_diverges_is_counted_and_has_no_later_numbers() -> None:
    wild = MOONS.changed({"optimizer.lr": 1e20, "training.loss": "mse"})
    found = over_seeds(wild, load(wild.data.settings()), 2)
    assert found.diverged == 2
    assert found.steps[-1] < 60
    # Numbers that are not finite are left out, never drawn as a height.
    assert not np.isinf(found.scalars["loss"]).any()


def test_what_has_been_trained_so_far_is_told_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caveats.stacks.over_seeds.SECONDS", 0.0)
    told: list[OverSeeds] = []
    found = over_seeds(MOONS, load(MOONS.data.settings()), 2, 10, told.append)
    assert {own.steps[-1] for own in told} == {0, 10, 20, 30, 40, 50, 60}
    early = next(own for own in told if own.steps[-1] == 30)
    np.testing.assert_array_equal(early.scalars["loss"], found.scalars["loss"][:, :4])


@pytest.mark.parametrize(
    ("change", "seeds", "words"),
    [
        ({}, 64, ""),
        ({"optimizer.name": "muon"}, 2, "optimizer.name = 'muon' cannot train as a stack"),
        ({"data.validation": 0.2}, 2, "data.validation cannot train as a stack"),
        ({"training.seed": 2**63 - 2}, 2, ""),
        ({"training.seed": 2**63 - 2}, 3, "the seeds that follow 9,223,372,036,854,775,806 end at"),
        ({"network.widths": [500, 500]}, 8, "8 networks of 253,002 weights are too many"),
    ],
)
def test_what_cannot_be_trained_beside_a_run_is_said(
    change: dict[str, object], seeds: int, words: str
) -> None:
    config = MOONS.changed(change)
    said = why_not_trained(config, load(config.data.settings()), seeds)
    assert said.startswith(words)
    assert bool(said) == bool(words)


def test_another_process_finds_the_same() -> None:
    dataset = load(MOONS.data.settings())
    child = seeds_child(Start(MOONS, dataset), 2, 20)
    try:
        assert child.wait(600)
        assert child.problem == ""
        (found,) = child.found
    finally:
        child.stop()
    here = over_seeds(MOONS, dataset, 2, 20)
    np.testing.assert_array_equal(found.steps, here.steps)
    threads = os.environ.get("OMP_NUM_THREADS")
    assert threads == "1"  # in both processes, so that sums are taken in one order
    np.testing.assert_array_equal(found.scalars["loss"], here.scalars["loss"])


def test_a_setup_that_the_stack_refuses_is_a_sentence() -> None:
    last = MOONS.changed({"training.seed": 2**63 - 1})
    child = seeds_child(Start(last, load(last.data.settings())), 2, None)
    try:
        assert child.wait(600)
        assert "training.seed" in child.problem
    finally:
        child.stop()
