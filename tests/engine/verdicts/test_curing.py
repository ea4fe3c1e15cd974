"""What counts as a cure, and that a failed run's remedies are tried until one cures it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.curing import curable, cure, outcome
from caveats.curing.racing import race
from caveats.experiments import find
from caveats.facts import DataFacts, RunFacts
from caveats.history import History
from caveats.run import Run
from caveats.verdicts import Remedy, Verdict, judge, learnt


def ended(loss: float, dead: int = 0, accuracy: float = math.nan) -> History:
    """A history of one hidden layer of 4 units that ends at ``loss`` of a baseline of 1."""
    history = History(("layer 1", "output"), facts=RunFacts(1.0, 100))
    for step in range(0, 101, 10):
        columns = {"units": np.array([4.0, 2.0]), "dead": np.array([float(dead), 0.0])}
        scalars = {"loss": loss if step else 1.0, "accuracy": accuracy}
        history.append(step, scalars, columns)
    return history


def verdict_of(caveat: str, remedies: tuple[Remedy, ...]) -> Verdict:
    return Verdict(caveat, caveat, "critical", 0, (), "", {}, "", remedies)


def test_a_cure_leaves_no_warning_and_learns_half_of_what_can_be_learnt() -> None:
    failed = ended(1.0, dead=4)
    assert judge(failed)[0].caveat == "dying_relu"

    def came(treated: History) -> str:
        return outcome(failed, treated, judge(treated))

    assert came(ended(0.1)) == "cured"
    assert came(ended(0.49)) == "cured"
    assert came(ended(0.1, dead=4)) == "better"  # its output does not depend on its input
    assert came(ended(0.7)) == "better"
    assert came(ended(0.95)) == "no better"
    assert came(ended(float("nan"))) == "no better"


def test_what_was_learnt_is_measured_against_what_the_data_allow() -> None:
    """By hand: from 1.0 to .7 is half of the way to .4; so is an accuracy of .7 between .5 and
    .9."""
    facts = RunFacts(1.0, 100, 0.4, 0.9, data=DataFacts(class_shares=(0.5, 0.5)))
    for loss, accuracy in ((0.7, 0.5), (1.0, 0.7)):
        history = ended(loss, accuracy=accuracy)
        history.facts = facts
        assert learnt(history) == pytest.approx(0.5)
    assert learnt(ended(float("nan"))) == -math.inf


def test_mass_extinction_is_cured_by_its_first_remedy_on_the_same_seed_and_data() -> None:
    config = RunConfig.from_dict(
        {"optimizer": {"name": "adam", "lr": 0.3}, "training": {"steps": 150, "seed": 3}}
    )
    run = Run(config)
    while not run.finished:
        run.advance()
    seen = set()
    (attempt,) = cure(config, run.history, watch=lambda run: seen.add(run.config.to_toml()))
    assert attempt.cured
    assert attempt.change == {"optimizer.lr": 0.003}
    assert seen == {config.changed({"optimizer.lr": 0.003}).to_toml()}  # a race was not needed


def test_a_race_finds_the_single_change_that_cures() -> None:
    """Two settings are unusual, and a smaller step alone is enough: the race shows it."""
    config = RunConfig.from_dict(
        {
            "data": {"name": "moons", "n": 200},
            "network": {"widths": [16, 16], "activation": "tanh", "init": "torch_default"},
            "optimizer": {"name": "adam", "lr": 3.0},
            "training": {"steps": 120, "batch_size": 32},
        }
    )
    run = Run(config)
    while not run.finished:
        run.advance()
    worst = judge(run.history)[0]
    both = Remedy({"optimizer.lr": 30.0, "network.bias": -3.0}, "makes it worse")
    wrong = replace(worst, next=(both,))
    first = next(iter(cure(config, run.history, wrong)))
    assert first.cured
    assert len(first.change) == 1
    again = list(cure(config, run.history, wrong))
    assert again[0].change == first.change  # the same for the same seed


def test_an_experiments_own_cure_comes_first_on_any_seed() -> None:
    experiment = find("against_the_rails")
    remedies = (Remedy({"optimizer.lr": 0.01}, "smaller"), Remedy(experiment.cure, "init"))
    shown = verdict_of(experiment.caveat, remedies)
    other = verdict_of("plateau", remedies)
    config = experiment.config.changed({"training.seed": 7, "training.device": "cpu"})

    first = curable(config, [verdict_of("dormant", ()), shown])
    assert first is not None
    assert [dict(r.change) for r in first.next] == [dict(experiment.cure), {"optimizer.lr": 0.01}]
    assert curable(config, [other, shown]) is other
    assert curable(config.changed({"optimizer.lr": 0.5}), [shown]) is shown
    assert curable(config, [verdict_of("dormant", ())]) is None


def test_a_healthy_run_needs_no_cure() -> None:
    assert list(cure(RunConfig(), ended(0.01))) == []


def test_all_that_were_trained_to_the_end_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty remedies: half go on, then five of ten, and each of the five may be the cure."""
    trained: dict[int, list[float]] = {}

    class Held:
        run = None

        def __init__(self, number: int) -> None:
            self.number, self.remedy = number, Remedy({"optimizer.lr": float(number)}, "")
            self.change, self.learnt = self.remedy.change, number / 20

        def train(self, until: float, watch: object) -> None:
            trained.setdefault(self.number, []).append(until)

    def entered(config: RunConfig, remedy: Remedy, dataset: object) -> Held:
        return Held(int(remedy.change["optimizer.lr"]))

    monkeypatch.setattr("caveats.curing.racing.entered", entered)
    found = race(RunConfig(), [Remedy({"optimizer.lr": float(i)}, "") for i in range(20)])
    whole = {number for number, shares in trained.items() if shares[-1] == 1.0}
    assert {racer.change["optimizer.lr"] for racer in found} == whole == set(range(15, 20))
