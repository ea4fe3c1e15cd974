"""What counts as a cure, and that a failed run's remedies are tried until one cures it."""

from __future__ import annotations

import numpy as np

from caveats.config import RunConfig
from caveats.curing import curable, cure, cured
from caveats.experiments import find
from caveats.facts import RunFacts
from caveats.history import History
from caveats.run import Run
from caveats.verdicts import Remedy, Verdict, judge


def ended(loss: float, dead: int = 0) -> History:
    """A history of one hidden layer of 4 units that ends at ``loss`` of a baseline of 1."""
    history = History(("layer 1", "output"), facts=RunFacts(1.0, 100))
    for step in range(0, 101, 10):
        columns = {"units": np.array([4.0, 2.0]), "dead": np.array([float(dead), 0.0])}
        scalars = {"loss": loss if step else 1.0, "accuracy": float("nan")}
        history.append(step, scalars, columns)
    return history


def verdict_of(caveat: str, remedies: tuple[Remedy, ...]) -> Verdict:
    return Verdict(caveat, caveat, "critical", 0, (), "", {}, "", remedies)


def test_a_cure_needs_the_verdict_gone_and_the_loss_clearly_better() -> None:
    failed = ended(1.0, dead=4)
    verdict = judge(failed)[0]
    assert verdict.caveat == "dying_relu"
    assert cured(verdict, failed, ended(0.1))
    assert not cured(verdict, failed, ended(0.1, dead=4))  # the loss alone
    assert not cured(verdict, failed, ended(0.95))  # the verdict alone
    assert not cured(verdict, failed, ended(float("nan")))
    assert cured(verdict, ended(float("nan"), dead=4), ended(0.5))


def test_mass_extinction_is_cured_by_its_first_remedy_on_the_same_seed_and_data() -> None:
    config = RunConfig.from_dict(
        {"optimizer": {"name": "adam", "lr": 0.3}, "training": {"steps": 150, "seed": 3}}
    )
    run = Run(config)
    while not run.finished:
        run.advance()
    seen = []
    attempts = list(cure(config, run.history, watch=lambda attempt: seen.append(attempt.config)))
    assert attempts[0].cured
    assert attempts[0].change == {"optimizer.lr": 0.003}
    assert len(attempts) == 1
    assert seen[0] == config.changed({"optimizer.lr": 0.003})


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
