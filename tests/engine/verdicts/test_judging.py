"""The judge: what it says about any history, and when it withdraws a verdict."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from histories import LN10, PLANNED, STEPS, facts_of, history, learning, severities, stuck
from hypothesis import example, given, settings
from hypothesis import strategies as st

from caveats.config import RunConfig
from caveats.facts import RunFacts
from caveats.history import Event, History
from caveats.measures import LAYER_MEASURES, SCALARS
from caveats.verdicts import CAVEATS, SEVERITIES, Judge, judge


def test_a_healthy_run_has_no_verdict_at_any_time() -> None:
    judge_ = Judge()
    for until in STEPS:
        assert judge_.look(history(learning, until=until)) == ()
    assert judge_.first_flagged == {}


def test_finished_is_not_stuck() -> None:
    assert severities(history(lambda step: 0.001, accuracy=1.0)) == {}


def test_the_last_record_of_the_planned_steps_has_the_last_word() -> None:
    """Before the last record, one record without the fault does not end a verdict."""

    def recovered(at: int) -> dict[str, str]:
        change = {"dead": lambda s: [0 if s >= at else 60, 0, 0, 0]}
        return severities(history(stuck, change=change, until=at))

    assert "dying_relu" in recovered(150)
    assert "dying_relu" not in recovered(PLANNED)


def test_a_verdict_is_withdrawn_when_it_is_no_longer_true_and_keeps_its_first_step() -> None:
    def late(step: int) -> float:
        return LN10 if step < 100 else 0.01

    judge_ = Judge()
    seen = {}
    for until in STEPS:
        for verdict in judge_.look(history(late, until=until)):
            if verdict.caveat == "plateau":
                seen[until] = verdict.step
    assert min(seen.values()) == max(seen.values()) <= 12
    assert 72 in seen
    assert max(seen) < PLANNED


def test_a_record_that_is_judged_again_after_an_event_counts_once() -> None:
    """Two quiet records withdraw a verdict; one that was looked at twice is one."""
    change = {"dead": lambda s: [60, 0, 0, 0] if s < 150 else [0, 0, 0, 0]}
    made = history(stuck, change=change, until=150)
    judge_ = Judge()
    judge_.look(made)
    made.note(Event(150, "change", "optimizer.lr → 0.01"))
    assert "dying_relu" in {v.caveat for v in judge_.look(made)}


def test_looking_twice_and_looking_once_at_the_end_agree() -> None:
    change = {"dead": [40, 10, 0, 0]}
    judge_ = Judge()
    for until in STEPS:
        judge_.look(history(stuck, change=change, until=until))
    assert judge_.verdicts == judge(history(stuck, change=change))


def test_remedies_are_valid_changes_of_this_config_and_notes_have_none() -> None:
    for config in (
        {"optimizer": {"name": "adam", "lr": 0.3}},
        {"network": {"widths": [2] * 12, "bias": -3.0}, "data": {"standardize": False}},
        {"data": {"name": "sine", "offset": 50.0}, "optimizer": {"name": "muon"}},
        {"network": {"widths": [8, 8], "activation": ["relu", "sigmoid"], "init": "zeros"}},
    ):
        chosen = RunConfig.from_dict(config)
        layers = len(chosen.network.widths) + 1
        width = chosen.network.widths[0]
        dead = [width] * (layers - 1) + [0]
        made = history(stuck, layers, width, {"dead": dead}, chosen)
        for verdict in judge(made):
            assert (len(verdict.next) > 0) is (verdict.severity != "note")
            for remedy in verdict.next:
                assert chosen.changed(remedy.change) != chosen
                assert remedy.reason


@pytest.mark.parametrize("layers", [1, 2])
def test_no_hidden_layer_one_record_or_nothing_finite(layers: int) -> None:
    config = RunConfig.from_dict({"network": {"widths": [4] * (layers - 1)}})
    empty = History(("output",), facts=facts_of(config, 1.0, 10))
    assert judge(empty) == ()
    one = history(learning, layers, 4, config=config, until=0)
    assert all(v.severity in SEVERITIES for v in judge(one))
    broken = history(lambda step: math.nan, layers, 4, config=config)
    assert judge(broken)[0].severity == "critical"


def test_layers_that_cannot_be_observed_get_no_verdict_from_it() -> None:
    unseen = {name: [math.nan] * 4 for name in ("dead", "saturated", "dormant", "confirmed_dead")}
    assert severities(history(learning, change=unseen)) == {}
    assert "dying_relu" not in severities(history(stuck, change=unseen))


def test_without_facts_it_judges_and_its_advice_is_in_words() -> None:
    made = history(stuck, change={"dead": [64, 64, 64, 0]}, baseline=math.nan)
    made.facts = RunFacts()
    worst = judge(made)[0]
    assert worst.caveat == "dying_relu"
    reasons = [remedy.reason for remedy in worst.next]
    assert not any(remedy.change for remedy in worst.next)
    assert reasons[0] == "A tenth of the learning rate, where units died in training."
    assert set(reasons) < set(CAVEATS["dying_relu"].advice)


@settings(max_examples=150)
@example(0, 4, False, 1)  # a growth through time beyond the largest number
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.booleans(), st.integers(0, 20))
def test_no_history_makes_it_fail(seed: int, layers: int, known: bool, records: int) -> None:
    """Counts from 0 to the units, reals of any size, infinities and NaN anywhere."""
    rng = np.random.default_rng(seed)

    def real() -> float:
        special = rng.choice([math.nan, math.inf, 0.0, 1e-300, 1e300])
        return float(special if rng.random() < 0.3 else 10 ** rng.uniform(-8, 8))

    names = tuple(f"layer {i}" for i in range(layers))
    config = RunConfig.from_dict({"network": {"widths": [3] * (layers - 1)}})
    baseline, steps = real(), int(rng.integers(0, 50))
    facts = facts_of(config, baseline, steps) if known else RunFacts(baseline, steps)
    made = History(names, facts=facts)
    units = rng.integers(1, 9, layers)
    for step in range(records):
        columns = {}
        for name, measure in LAYER_MEASURES.items():
            values = [real() for _ in names]
            if measure.counts:
                values = [math.nan if v != v else int(rng.integers(0, u + 1)) for v, u in
                          zip(values, units, strict=True)]  # fmt: skip
            columns[name] = np.array(values)
        columns["units"] = units.astype(float)
        made.append(step, {name: real() for name in SCALARS}, columns)
    for verdict in judge(made):
        assert verdict.caveat in CAVEATS
        assert verdict.what.isprintable()
        assert all(isinstance(v, (int, float)) for v in verdict.evidence.values())


def test_every_caveat_has_its_words() -> None:
    for caveat in CAVEATS.values():
        for words in (caveat.title, caveat.definition, caveat.formula, caveat.source):
            assert words
        assert caveat.limits.endswith(".")
        assert caveat.advice
        assert all(sentence.endswith(".") for sentence in caveat.advice)


def test_judging_needs_no_torch() -> None:
    code = "import caveats.verdicts, caveats.experiments, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
