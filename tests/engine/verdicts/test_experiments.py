"""The experiments: their files are valid, and (slow) what they say happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from caveats.errors import ConfigError
from caveats.experiments import Experiment, experiments, find
from caveats.experiments.experiment import GROUPS
from caveats.run import Run
from caveats.verdicts import CAVEATS, Judge, Verdict, judge

# One for each way to fail, and `two_in_three_absent` for what no other caveat explains.
NAMES = {
    "mass_extinction", "raw_pixels", "born_with_bias", "target_offset", "born_dead",
    "sigmoid_staircase", "whispering_weights", "default_that_vanishes", "he_2015", "glorot_2010",
    "beyond_chaos", "doubling", "against_the_rails", "tanh_plus_one", "everything_moves_together",
    "nothing_happens", "sixteen_clones", "noise_breaks_the_mirror", "long_ravine",
    "stuck_on_the_saddle", "past_the_cliff", "edge_of_stability",
    "two_in_three_absent", "target_in_dollars", "one_in_twenty", "learnt_by_heart",
}  # fmt: skip
OBSERVED = {"noise_breaks_the_mirror", "edge_of_stability"}


def ended(experiment: Experiment, seed: int, cure: bool) -> tuple[Verdict, ...]:
    config = experiment.cured if cure else experiment.config
    run = Run(config.changed({"training.seed": seed}))
    while not run.finished:
        run.advance()
    return judge(run.history)


def test_all_are_there_and_say_what_they_show() -> None:
    assert set(experiments()) == NAMES
    for experiment in experiments().values():
        assert experiment.caveat in CAVEATS
        assert experiment.sentence.endswith(".")
        assert bool(experiment.cure) is (experiment.name not in OBSERVED)
        if experiment.cure:
            assert experiment.cured != experiment.config


def test_a_group_that_has_no_place_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caveats.experiments.experiment.GROUPS", GROUPS[1:])
    groups = [one.group for one in experiments.__wrapped__().values()]
    assert groups[0] == "vanishing gradient"
    assert groups[-1] == "dying ReLU"
    assert len(groups) == len(NAMES)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="mass_extinction"):
        find("mass_extincton")


def test_mass_extinction_shows_and_is_cured() -> None:
    bad = {v.caveat: v.severity for v in ended(find("mass_extinction"), 0, cure=False)}
    assert bad["dying_relu"] == "critical"
    assert ended(find("mass_extinction"), 0, cure=True) == ()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", sorted(NAMES - OBSERVED))
def test_it_shows_its_caveat_and_its_cure_cures(name: str, seed: int) -> None:
    experiment = find(name)
    bad = {v.caveat: v.severity for v in ended(experiment, seed, cure=False)}
    assert bad.get(experiment.caveat) in ("warning", "critical")
    good = ended(experiment, seed, cure=True)
    assert [v.caveat for v in good if v.severity != "note"] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(OBSERVED))
def test_what_is_only_observed_is_a_note_and_never_more(name: str) -> None:
    """A note while it is true: dropout breaks the symmetry before the end."""
    run, judge, noted = Run(find(name).config), Judge(), set()
    while not run.finished:
        run.advance()
        noted |= {v.caveat for v in judge.look(run.history) if v.severity == "note"}
    assert find(name).caveat in noted
    assert judge.first_flagged == {}


# How a lesson may name each setting that its cure changes.
NAMED = {
    "optimizer.lr": r"learning rate|at 0\.\d+",
    "optimizer.name": "[Mm]omentum|Adam",
    "network.init": "[Vv]ariance|initialiser|random weights",
    "network.activation": "{value}",
    "network.bias": "bias of 0",
    "network.widths": "width",
    "data.standardize": "Standardiz",
    "data.offset": "centred on 0|around 0",
    "data.standardize_target": "target of mean 0",
    "training.class_weight": "class_weight {value}",
    "optimizer.weight_decay": "weight_decay of {value}",
    "network.dropout": "without dropout",
}


@pytest.mark.parametrize("name", sorted(NAMES - OBSERVED))
def test_a_lesson_names_every_setting_that_its_cure_changes(name: str) -> None:
    experiment = find(name)
    before = experiment.config.flat()
    for key, value in experiment.cure.items():
        if before.get(key) != value:
            words = NAMED.get(key, key).format(value=value)
            assert re.search(words, experiment.lesson, re.IGNORECASE), (name, key)


def test_what_is_said_of_mass_extinction_is_what_it_does() -> None:
    """Kills half of a sound network in one step, nearly all of it in a dozen; the demo's title
    and the README say twelve steps and 96 %."""
    run = Run(find("mass_extinction").config, every=1)
    while run.step < 12:
        run.advance()
    snapshot = run.history.snapshot()
    dead = snapshot.layers("dead")[:, :-1].sum(1) / snapshot.layers("units")[:, :-1].sum(1)
    assert 0.45 < dead[1] < 0.55
    assert round(100 * dead[12]) == 96
    root = Path(__file__).parents[3]
    for path in ("tui/caveats_tui/demos/scripts/dying_relu.toml", "README.md"):
        said = " ".join((root / path).read_text("utf-8").split())
        assert re.search(r"96 % (of a network|in twelve)", said), path
