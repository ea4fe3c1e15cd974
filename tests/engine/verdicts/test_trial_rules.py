"""A trial of other steps proves a verdict about the step, or speaks against it; on histories made
by hand, with trials made by hand."""

from __future__ import annotations

import math
from typing import Any

from histories import LN10, history, severities, stuck

from caveats.config import RunConfig
from caveats.facts import DataFacts, Trial, TriedStep
from caveats.history import Event, History
from caveats.verdicts import Judge, judge, worth_a_trial

Shares = dict[float, float]  # what was learnt, by times the rate


def tried(origin: Any, kind: str, shares: Shares, others: dict[str, float]) -> list[TriedStep]:
    pairs = [(kind, times, share) for times, share in shares.items()]
    pairs += [(name, 0.5, share) for name, share in others.items()]
    return [
        TriedStep(origin, name, times, LN10, LN10 * (1 - share), share)
        for name, times, share in pairs
    ]


def with_trial(
    made: History,
    present: Shares,
    start: Shares,
    sound: Shares,
    others: dict[str, float] | None = None,
    step: int | None = None,
    steps: int = 100,
) -> History:
    at = made.version[0] if step is None else step
    kind = made.facts.optimizer.kind if made.facts.optimizer is not None else "sgd"
    found = [
        *tried("present", kind, present, others or {}), *tried("start", kind, start, others or {}),
        *tried("sound", kind, sound, {}),
    ]  # fmt: skip
    made.note(Event(at, "trial", "", trial=Trial(at, steps, tuple(found))))
    return made


def configured(lr: float) -> RunConfig:
    return RunConfig.from_dict(
        {"network": {"widths": [64] * 3}, "optimizer": {"name": "sgd", "lr": lr}}
    )


def small_steps() -> History:
    """Steps that look too small: a hundredth of the usual rate, and a loss that hardly moves."""
    change = {"update_ratio": [1e-5] * 4}
    return history(lambda s: LN10 - 1e-4 * s, change=change, config=configured(0.001))


FLAT = {1.0: 0.01, 10.0: 0.02}
BETTER = {1.0: 0.01, 10.0: 0.8}


def test_the_proof_is_told_in_the_verdict() -> None:
    made = with_trial(small_steps(), {1.0: 0.01, 10.0: 0.4}, FLAT, FLAT)
    (verdict,) = [v for v in judge(made) if v.caveat == "step_too_small"]
    assert verdict.what.endswith(
        "; trial: in 100 steps the loss falls 40% at ten times the rate, and falls 1.0% with this "
        "step"
    )


def test_a_verdict_that_its_trial_contradicts_is_withdrawn_at_once() -> None:
    """The step trains a sound network of this shape, and longer steps do no better here."""
    made = small_steps()
    judging = Judge()
    assert "step_too_small" in {v.caveat for v in judging.look(made)}
    with_trial(made, FLAT, FLAT, {1.0: 0.9, 10.0: 0.9})
    assert "step_too_small" not in {v.caveat for v in judging.look(made)}
    assert "step_too_small" not in severities(made)


def test_a_step_that_is_no_worse_than_longer_ones_on_its_own_network_is_not_blamed() -> None:
    """Also where nothing shows that a sound network would learn with it."""
    some = with_trial(small_steps(), FLAT, {1.0: 0.2, 10.0: 0.2}, FLAT)
    assert "step_too_small" not in severities(some)
    slower = with_trial(small_steps(), FLAT, {1.0: 0.2, 10.0: 0.4}, FLAT)
    assert "step_too_small" in severities(slower)


def test_a_step_that_trains_its_own_network_is_not_blamed() -> None:
    made = with_trial(small_steps(), {1.0: 0.01, 10.0: 0.3}, {1.0: 0.8, 10.0: 0.9}, FLAT)
    assert "step_too_small" not in severities(made)


def test_what_parts_copies_by_luck_proves_nothing_about_the_step() -> None:
    change = {"update_ratio": [0.02] * 4, "distinct": [1, 1, 1, 10]}
    larger, sound = {1.0: 0.3, 10.0: 0.8}, {1.0: 0.9, 10.0: 0.9}
    copies = history(stuck, change=change, config=configured(0.1))
    with_trial(copies, FLAT, larger, sound)
    assert severities(copies) == {"symmetry": "critical"}
    del change["distinct"]
    apart = history(stuck, change=change, config=configured(0.1))
    with_trial(apart, FLAT, larger, sound)
    assert severities(apart)["step_too_small"] == "critical"


def test_a_step_that_a_trial_proves_too_large_stays_beside_unscaled_data() -> None:
    def climbing() -> History:
        change = {"update_ratio": [0.2] * 4}
        return history(lambda s: LN10 * 4, change=change, data=DataFacts(8.0, 2.0))

    assert severities(climbing()) == {"unscaled_data": "critical", "step_too_large": "note"}
    cured = with_trial(climbing(), FLAT, {0.1: 0.9, 1.0: 0.0}, {0.1: 0.9, 1.0: 0.0})
    assert severities(cured) == {"unscaled_data": "critical", "step_too_large": "critical"}


def test_a_trial_in_which_nothing_learns_shows_nothing() -> None:
    made = with_trial(small_steps(), FLAT, FLAT, FLAT)
    assert severities(made)["step_too_small"] == "critical"
    assert "trial" not in judge(made)[0].what


def test_a_trial_of_another_step_of_the_run_does_not_count() -> None:
    made = with_trial(small_steps(), FLAT, FLAT, {1.0: 0.9, 10.0: 0.9}, step=100)
    assert "step_too_small" in severities(made)


def test_what_the_records_do_not_show_a_trial_may_prove() -> None:
    """With dead layers no rule blames a usual rate, until a tenth of it trains the network."""
    change = {"update_ratio": [0.02] * 4, "dead": [64, 64, 64, 0]}
    made = history(stuck, change=change, config=configured(0.1))
    assert "step_too_large" not in severities(made)
    with_trial(made, {0.1: 0.0, 1.0: 0.0}, {0.1: 0.9, 1.0: 0.0}, {0.1: 0.9, 1.0: 0.9})
    assert severities(made)["step_too_large"] == "critical"
    found = next(v for v in judge(made) if v.caveat == "step_too_large")
    assert "from step 0, in 100 steps the loss falls 90% at a tenth of the rate" in found.what


def test_a_step_that_trains_no_sound_network_is_at_fault() -> None:
    change = {"update_ratio": [0.02] * 4, "dead": [64, 64, 64, 0]}
    flat, sound = {1.0: 0.0, 10.0: 0.0}, {1.0: 0.05, 10.0: 0.7}
    made = with_trial(history(stuck, change=change, config=configured(0.01)), flat, flat, sound)
    assert severities(made)["step_too_small"] == "critical"
    # In fewer steps than the run has, slow is not enough: by its end it may have learnt.
    slow = history(stuck, change=change, config=configured(0.01))
    with_trial(slow, flat, flat, {1.0: 0.2, 10.0: 0.7})
    assert "step_too_small" not in severities(slow)
    # In as many steps as the run has, it is.
    whole = history(stuck, change=change, config=configured(0.01))
    with_trial(whole, flat, flat, {1.0: 0.2, 10.0: 0.7}, steps=whole.facts.steps)
    assert severities(whole)["step_too_small"] == "critical"
    # But not where a sound network learns a good part with it: that is no reason for a dead one.
    some = history(stuck, change=change, config=configured(0.01))
    with_trial(some, flat, flat, {1.0: 0.4, 10.0: 0.7}, steps=some.facts.steps)
    assert "step_too_small" not in severities(some)


def test_a_run_that_comes_there_when_it_goes_on_needs_no_other_step() -> None:
    made = history(stuck, change={"update_ratio": [0.02] * 4}, config=configured(0.1))
    before = severities(made)
    with_trial(made, {1.0: 0.8, 10.0: 0.9}, {1.0: 0.3, 10.0: 0.9}, {1.0: 0.3, 10.0: 0.9})
    assert severities(made).get("step_too_small") == before.get("step_too_small")


def test_a_ravine_that_no_other_step_leaves_faster_is_a_note() -> None:
    def ravine() -> History:
        # Falls steadily to .8 of a constant's loss.
        return history(lambda s: LN10 * (1 - 0.1 * math.log10(1 + s / 2)), config=configured(0.1))

    assert severities(ravine())["ravine"] == "warning"
    same = {0.1: 0.1, 1.0: 0.2, 10.0: 0.2}
    helped = with_trial(ravine(), same, same, same, {"momentum": 0.6})
    assert severities(helped)["ravine"] == "warning"
    found = next(v for v in judge(helped) if v.caveat == "ravine")
    assert "the loss falls 60% with momentum, and falls 20% with this step" in found.what
    alone = with_trial(ravine(), same, same, same, {"momentum": 0.2})
    assert severities(alone)["ravine"] == "note"
    # In a trial as long as the run, a small lead is luck: the other step must train the network.
    long = ravine().facts.steps
    ahead = with_trial(ravine(), same, same, same, {"momentum": 0.4}, steps=long)
    assert severities(ahead)["ravine"] == "note"
    trained = with_trial(ravine(), same, same, same, {"momentum": 0.6}, steps=long)
    assert severities(trained)["ravine"] == "warning"


def test_an_overflow_is_not_the_steps_fault_where_no_step_trains_this_network() -> None:
    """Weights that let deltas grow a millionfold: the step trains a sound network of this shape."""

    def overflowing() -> History:
        change = {"delta_rms": [1e6, 1e4, 1e2, 1.0], "update_ratio": [0.9] * 4}
        return history(lambda s: LN10 if s < 150 else math.inf, change=change, config=configured(1))

    lost = {0.1: -math.inf, 1.0: -math.inf}
    assert "step_too_large" in severities(overflowing())
    trains = with_trial(overflowing(), lost, lost, {0.1: 0.5, 1.0: 0.9})
    assert severities(trains).keys() == {"exploding_gradient"}
    breaks = with_trial(overflowing(), lost, lost, {0.1: 0.9, 1.0: -math.inf})
    assert "step_too_large" in severities(breaks)


def test_a_candidate_that_diverges_is_no_proof_and_breaks_no_sentence() -> None:
    made = small_steps()
    wild = TriedStep("present", "sgd", 10.0, LN10, math.inf, -math.inf)
    own = TriedStep("present", "sgd", 1.0, LN10, LN10, 0.0)
    made.note(Event(200, "trial", "", trial=Trial(200, 100, (own, wild))))
    assert severities(made)["step_too_small"] == "critical"
    assert "trial" not in judge(made)[0].what


def test_only_a_run_far_from_what_its_data_allow_is_worth_a_trial_and_only_one() -> None:
    assert worth_a_trial(small_steps())
    assert not worth_a_trial(history(lambda s: LN10 * math.exp(-s / 20)))
    assert not worth_a_trial(history(stuck, until=0))
    assert not worth_a_trial(with_trial(small_steps(), FLAT, FLAT, FLAT))
    diverged = history(lambda s: 3.0 * 10**s, until=6)
    diverged.note(Event(6, "diverged", "weights of layer 2"))
    assert worth_a_trial(diverged)
