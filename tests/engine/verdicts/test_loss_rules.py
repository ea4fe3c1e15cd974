"""The rules of what the graph of a loss shows, on histories made by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from histories import history, stuck

from caveats.facts import DataFacts, LayerFacts, LossFacts, OptimizerFacts, RunFacts
from caveats.history import Event, History
from caveats.verdicts import CAVEATS, Judge, Verdict, judge

SGD = OptimizerFacts("sgd", 0.1, False)
ADAM = OptimizerFacts("adam", 1e-3, True, betas=(0.9, 0.999))
STEPS = (*range(11), 15, 20, 30, 40, 60, 80, 120, 200, 320, 500)


def falling(step: int) -> float:
    return 0.1 + 2.2 * 0.98**step


def flat(step: int) -> float:
    return 2.3


def said(
    *losses: LossFacts,
    curve: Callable[[int], float] = falling,
    optimizer: OptimizerFacts = SGD,
    layers: Sequence[LayerFacts] = (),
    data: DataFacts | None = None,
    events: Sequence[Event] = (),
) -> dict[str, Verdict]:
    facts = RunFacts(
        baseline=math.log(10), optimizer=optimizer, layers=tuple(layers), losses=losses,
        data=data or DataFacts(),
    )  # fmt: skip
    made = History(("first", "last"), facts=facts)
    for step in STEPS:
        made.append(step, {"loss": curve(step)}, {"weight_norm": [1.0, 1.0]}, ())
    for event in events:
        made.note(event)
    return {verdict.caveat: verdict for verdict in judge(made)}


TWICE = LossFacts("cross_entropy", "softmax", unreached=0.63)


def test_what_fits_is_not_named() -> None:
    sound = (
        LossFacts("cross_entropy"),
        LossFacts("cross_entropy", "log_softmax", unreached=0.0),
        LossFacts("bce", "sigmoid", unreached=0.0),
        LossFacts("mse", "sigmoid", unreached=0.02),
        LossFacts("nll", mass=1.0),
        LossFacts("kl_div", "log_softmax", mass=1.0),
        LossFacts("cross_entropy", "cosine", unreached=0.4),
        LossFacts("cross_entropy", negated=True, alone=False),
        LossFacts("cross_entropy", single=1.0, classes=2),
        LossFacts("cross_entropy", passes=2),
    )
    assert said(*sound) == {}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (TWICE, "which applies softmax again; no output brings the loss below 63% of a constant's"),
        (
            LossFacts("bce_with_logits", "sigmoid", unreached=1.4),
            "no output brings the loss below that of a constant: give it the outputs before",
        ),
        (LossFacts("cross_entropy", "sigmoid"), "sigmoid and then cross entropy, which applies"),
        (LossFacts("nll", "softmax", mass=4.2), "use log_softmax in place of softmax"),
        (LossFacts("nll", mass=11.0), "add up to 11 in a row: put log_softmax before it"),
        (LossFacts("nll", "log_softmax", mass=0.1), "use dim=1"),
        (LossFacts("kl_div", "softmax"), "use log_softmax in place of softmax"),
        (LossFacts("mse", "relu", unreached=0.5), "below 50% of a constant's: leave relu out"),
        (LossFacts("cross_entropy", "cosine", unreached=0.95), "temperature of 0.05 to 0.5"),
    ],
)
def test_what_does_not_fit_is_named_with_its_remedy(facts: LossFacts, words: str) -> None:
    verdict = said(facts)["loss_misfit"]
    assert verdict.severity == "warning"
    assert words in verdict.what
    assert verdict.next


def test_it_is_critical_where_nothing_is_learnt_and_the_effects_are_notes() -> None:
    found = said(TWICE, curve=flat)
    assert next(iter(found)) == "loss_misfit"
    assert found["loss_misfit"].severity == "critical"
    assert all(v.severity == "note" for v in found.values() if v.caveat != "loss_misfit")
    made = history(stuck)  # of a sound network, as the lab would see it
    before = {v.caveat: v.severity for v in judge(made)}
    assert before["plateau"] == "critical"
    made.facts = replace(made.facts, losses=(TWICE,))
    after = {v.caveat: v.severity for v in Judge().look(made)}
    assert after == {**dict.fromkeys(before, "note"), "loss_misfit": "critical"}


def test_relu_before_cross_entropy_is_a_note_unless_training_suffers() -> None:
    facts = LossFacts("cross_entropy", "relu", unreached=0.0)
    assert said(facts)["loss_misfit"].severity == "note"
    assert said(facts, curve=flat)["loss_misfit"].severity != "note"


def test_a_loss_that_runs_away_below_0() -> None:
    facts = LossFacts("mse", negated=True)
    assert said(facts, curve=lambda s: -1.0 - s)["wrong_sign"].severity == "critical"
    assert said(facts, curve=lambda s: -1.0 - 1e-3 * s)["wrong_sign"].severity == "warning"


def test_minibatches_of_one_class() -> None:
    verdict = said(LossFacts("cross_entropy", single=0.79, classes=10))["one_class"]
    assert "79% of the minibatches" in verdict.what
    assert "one_class" not in said(LossFacts("cross_entropy", single=0.3, classes=10))


def test_gradients_added_up_do_harm_only_where_a_step_grows_with_them() -> None:
    facts = LossFacts("cross_entropy", passes=32)
    assert said(facts)["not_divided"].severity == "note"
    suffering = said(facts, curve=flat)
    assert suffering["not_divided"].severity in ("warning", "critical")
    assert "(loss / 32).backward()" in suffering["not_divided"].what
    assert "not_divided" not in said(facts, optimizer=ADAM, curve=flat)


@pytest.mark.parametrize(("rows", "named"), [(2, True), (64, False)])
def test_batch_normalization_of_two_rows(rows: int, named: bool) -> None:
    layers = (
        LayerFacts("first", "linear", 8, 8, "relu", "batch"),
        LayerFacts("last", "linear", 1, 8, "identity", output=True),
    )
    found = said(layers=layers, data=DataFacts(rows=rows), curve=flat)
    assert ("tiny_batch" in found) == named
    if named:
        assert found["tiny_batch"].layers == ("first",)
        assert found["tiny_batch"].severity in ("warning", "critical")


def test_a_logarithm_of_0_stands_before_what_follows_from_it() -> None:
    events = (
        Event(200, "diverged", "the loss of a minibatch"),
        Event(200, "undefined", "a logarithm of 0 or less, 1 times in 64 numbers"),
    )
    found = said(events=events, curve=lambda s: falling(s) if s < 200 else math.nan)
    assert next(iter(found)) == "undefined_number"
    assert found["undefined_number"].severity == "critical"
    assert found["exploding_gradient"].severity == "note"


ROWS = {"finding": "rows", "change": 0.3, "ordered": True, "several": True, "time_first": "lstm"}


@pytest.mark.parametrize(
    ("changes", "curve", "severity"),
    [
        ({}, falling, "warning"),
        ({"ordered": False}, falling, "warning"),  # an attention that takes the rows for time
        ({"ordered": False, "time_first": ""}, falling, "note"),  # a normalization by hand
        ({"ordered": False, "time_first": ""}, flat, "warning"),
        ({"several": False}, falling, "note"),  # the rows may be the steps of one sequence
    ],
)
def test_rows_that_mix(
    changes: dict[str, Any], curve: Callable[[int], float], severity: str
) -> None:
    event = Event(5, "checked", "the outputs change by 30%", {**ROWS, **changes})
    found = said(events=(event,), curve=curve)
    verdict = found["rows_mix"]
    assert ("warning" if verdict.severity == "critical" else verdict.severity) == severity
    assert ("batch_first is False in lstm" in verdict.what) == ("time_first" not in changes)
    if severity == "warning" and curve is flat:
        assert {v.severity for name, v in found.items() if name != "rows_mix"} <= {"note"}


def test_what_was_tried_out_is_told_and_taken_back() -> None:
    future = Event(5, "checked", "the network sees the words", {"finding": "future", "change": 0.2})
    assert said(events=(future,))["future_seen"].severity == "warning"
    drowned = Event(95, "parts", "mse", {"part": "mse", "left": 1.02, "pull": 40.0})
    verdict = said(events=(drowned,))["drowned_part"]
    assert verdict.severity == "warning"
    assert "the squared error in the loss stands at 102% of a constant's" in verdict.what
    assert "40 times as hard" in verdict.what
    assert "drowned_part" not in said(events=(drowned, Event(191, "parts", "")))
    same = Event(110, "collapse", "the outputs of all rows", {"apart": 0.02, "once": 0.7})
    assert said(events=(same,))["collapse"].severity == "warning"
    assert "collapse" not in said(events=(same, Event(250, "collapse", "", {"over": True})))


@pytest.mark.parametrize(("highest", "named"), [(2.0, True), (1e6, False)])
def test_a_slope_that_is_infinite_is_named_unless_the_loss_ran_away(
    highest: float, named: bool
) -> None:
    events = (
        Event(200, "diverged", "the loss of a minibatch"),
        Event(200, "undefined", "a square root, at 0", {"slope": True}),
    )
    curve = {**dict.fromkeys(STEPS, 1.0), 120: highest}
    found = said(events=events, curve=lambda s: curve[s] if s < 200 else math.nan)
    assert ("undefined_number" in found) == named
    assert found["exploding_gradient"].severity == ("note" if named else "critical")


def test_a_loss_that_is_not_finite_tells_of_a_gradient_that_grew_back_in_time() -> None:
    made = History(("rnn", "last"), facts=RunFacts(baseline=1.0, optimizer=SGD))
    for step in range(3):
        measures = {"memory": [2.0, math.nan], "sequence": [10.0, math.nan]}
        made.append(step, {"loss": 1.0 if step < 2 else math.nan}, measures, ())
    made.note(Event(2, "diverged", "the loss of a minibatch"))
    verdict = next(v for v in judge(made) if v.caveat == "exploding_gradient")
    # 2¹⁰, to three digits.
    assert "grew 2 times at each step back in time in rnn, 1,020 times over 10" in verdict.what
    assert "clip_grad_norm_" in " ".join(remedy.reason for remedy in verdict.next)


@pytest.mark.parametrize(("decay", "named"), [(0.3, True), (0.003, False)])
def test_a_decay_that_was_as_strong_as_the_loss_from_the_start(decay: float, named: bool) -> None:
    adam = replace(ADAM, weight_decay=decay)
    made = History(("first", "last"), facts=RunFacts(baseline=1.0, optimizer=adam))
    for step in STEPS:
        weight = 5.0 * max(0.2, 0.97**step)
        measures = {"weight_norm": [weight, 0.0], "grad_norm": [1.0, 0.0]}
        made.append(step, {"loss": max(0.4, 0.99**step)}, measures, ())
    found = {v.caveat: v for v in judge(made)}
    # λ‖W‖/‖g‖ is 1.5 at first and 0.3 at the end, with a loss that stands at two fifths.
    assert ("underfitting" in found) == named
    if named:
        assert found["underfitting"].severity == "warning"
        assert "weight decay pulls" in found["underfitting"].what


def test_every_caveat_of_the_loss_has_advice_and_a_source() -> None:
    for name in ("loss_misfit", "broadcast_loss", "wrong_sign", "one_class", "not_divided",
                 "tiny_batch", "undefined_number", "rows_mix", "future_seen", "drowned_part",
                 "collapse"):  # fmt: skip
        assert CAVEATS[name].advice
        assert CAVEATS[name].source


def of_unknown_length(curve: Callable[[int], float], **facts: Any) -> dict[str, str]:
    """The severities of a training of which no constant's loss is known, or as ``facts`` say."""
    made = History(("first", "last"), facts=RunFacts(optimizer=ADAM, **facts))
    for step in STEPS:
        measures = {"weight_norm": [1.0, 1.0], "update_ratio": [0.1, 0.1]}
        made.append(step, {"loss": curve(step)}, measures, ())
    return {verdict.caveat: verdict.severity for verdict in judge(made)}


def test_no_loss_is_compared_with_a_constant_that_is_not_known() -> None:
    """A policy's loss may start near 0 and be of any size, also above its first."""

    def growing(step: int) -> float:
        return 0.002 + 0.008 * min(1.0, step / 20) * (1 + 0.2 * (-1) ** step)

    assert "step_too_large" not in of_unknown_length(growing)
    assert of_unknown_length(growing, baseline=0.002)["step_too_large"] == "critical"
    assert "step_too_large" in of_unknown_length(lambda step: 1.0 if step < 11 else 30.0 * step)


def test_the_advice_is_what_helps_against_the_finding() -> None:
    found = said(TWICE)["loss_misfit"]
    assert [remedy.reason for remedy in found.next] == [
        "Give F.cross_entropy and F.binary_cross_entropy_with_logits what the last layer gives, "
        "without softmax or sigmoid."
    ]
    target = DataFacts(1.0, 1.0, target_mean=2e5, target_deviation=8e4)
    found = said(curve=flat, data=target)["unscaled_data"]
    assert [remedy.reason for remedy in found.next] == [
        "Give the target mean 0 and deviation 1, and undo it for predictions."
    ]
