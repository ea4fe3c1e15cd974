"""The rules about the data, on histories made by hand: scale, imbalance, and what is its effect."""

from __future__ import annotations

import math
from typing import Any

import pytest
from histories import LN10, history, learning, severities, stuck

from caveats.config import RunConfig
from caveats.facts import DataFacts
from caveats.verdicts import judge

RAW = DataFacts(input_size=2300.0, input_spread=1.0)
DOLLARS = DataFacts(1.0, 1.0, target_mean=212_000.0, target_deviation=80_900.0)
MOSTLY_DEAD = {"dead": [0, 60, 0, 0]}
CUT = {"dead": [0, 64, 0, 0]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (RAW, "the inputs have a size of 2,300, where 1 is usual"),
        (DataFacts(0.004, 1.0), "the inputs have a size of 0.004, where 1 is usual"),
        (DataFacts(3.0, 875.0), "one input column varies 875 times as much as the median one"),
        (DOLLARS, "the target is 212,000 ± 80,900"),
        (DataFacts(1.0, 1.0, 0.0, 1e-4), "the target is 0 ± 0.0001"),
    ],
)
def test_a_scale_far_off_is_the_headline_of_a_run_that_fails(data: DataFacts, said: str) -> None:
    first, *others = judge(history(stuck, change=MOSTLY_DEAD, data=data))
    assert (first.caveat, first.severity, first.what) == ("unscaled_data", "critical", said)
    assert "dying_relu" in {verdict.caveat for verdict in others}
    assert {verdict.severity for verdict in others} == {"note"}


@pytest.mark.parametrize(
    ("data", "numbers", "reason"),
    [
        (RAW, {"input_size": 2300.0, "input_spread": 1.0}, "curvature"),
        (DOLLARS, {"target_mean": 212_000.0, "target_deviation": 80_900.0}, "first steps"),
    ],
)
def test_numbers_and_reason_are_those_of_what_is_off(
    data: DataFacts, numbers: dict[str, float], reason: str
) -> None:
    first = judge(history(stuck, data=data))[0]
    assert dict(first.evidence) == numbers
    assert [word for word in ("curvature", "first steps") if word in first.why] == [reason]


def test_a_layer_that_is_cut_off_stays_critical_behind_the_headline() -> None:
    first, second = judge(history(stuck, change=CUT, data=RAW))[:2]
    assert (first.caveat, first.severity) == ("unscaled_data", "critical")
    assert (second.caveat, second.severity) == ("dying_relu", "critical")


@pytest.mark.parametrize("data", [RAW, DOLLARS])
def test_a_run_that_learns_from_unscaled_data_is_left_alone(data: DataFacts) -> None:
    assert severities(history(learning, accuracy=0.99, data=data)) == {}


@pytest.mark.parametrize(
    "data",
    [DataFacts(), DataFacts(1.0, 1.0), DataFacts(5.1, 1.0, 0.3, 2.0), DataFacts(7.8, 2.0)],
)
def test_a_usual_scale_is_not_blamed(data: DataFacts) -> None:
    found = severities(history(stuck, change=MOSTLY_DEAD, data=data))
    assert found["dying_relu"] == "critical"
    assert "unscaled_data" not in found


def climbing(data: DataFacts, lr: float = 0.1) -> dict[str, str]:
    """Steps that overshoot, at the usual rate of plain descent or another one."""
    config = RunConfig.from_dict(
        {"network": {"widths": [64] * 3}, "optimizer": {"name": "sgd", "lr": lr}}
    )
    large = {"update_ratio": [0.5] * 4}
    return severities(
        history(lambda step: LN10 * (1 + 2 * step), change=large, config=config, data=data)
    )


def test_inputs_several_times_as_large_make_a_usual_step_too_long() -> None:
    """At rate lr the curvature a·E[x²] that is stable at a size of 1 is not at a size of 8."""
    assert climbing(DataFacts(8.0, 2.0)) == {"unscaled_data": "critical", "step_too_large": "note"}
    assert climbing(DataFacts(1.0, 1.0)) == {"step_too_large": "critical"}
    assert climbing(DataFacts(8.0, 2.0), lr=3.0) == {"step_too_large": "critical"}


def test_units_that_start_alike_are_no_effect_of_the_scale() -> None:
    copies = {"distinct": [1, 1, 1, 10]}
    found = severities(history(stuck, change=copies, data=RAW))
    assert found["symmetry"] == "critical"


def rare(reachable: float, recall: float, **more: Any) -> dict[str, str]:
    shares = (0.88, 0.12)
    entropy = -sum(share * math.log(share) for share in shares)
    data = DataFacts(1.0, 1.0, class_shares=shares, reachable_recall=reachable)
    chosen = {"baseline": entropy, "accuracy": 0.88, "data": data, "recall": recall, **more}
    return severities(history(lambda step: entropy * 0.97, reachable=(0.1, 0.98), **chosen))


def test_a_rare_class_that_the_data_tell_apart_and_the_network_never_names() -> None:
    assert rare(0.8, 0.0)["class_imbalance"] == "critical"  # no better than a constant
    assert rare(0.0, 0.0)["class_imbalance"] == "note"  # nobody tells it apart
    assert "class_imbalance" not in rare(0.8, 0.5)


def test_imbalance_explains_a_plateau_but_not_a_step_that_is_too_small() -> None:
    assert "plateau" not in rare(0.0, 0.0) or rare(0.8, 0.0)["plateau"] == "note"
    tiny = rare(0.8, 0.0, change={"update_ratio": [1e-8] * 4, "dead": [64, 0, 0, 0]})
    assert tiny["dying_relu"] == "critical"
    assert tiny["class_imbalance"] == "note"


def test_always_naming_the_largest_class_is_chance_and_no_success() -> None:
    """88 % looks like much where even classes are taken for granted."""
    shares = (0.88, 0.12)
    data = DataFacts(1.0, 1.0, class_shares=shares, reachable_recall=math.nan)
    change = {"dead": [64, 0, 0, 0]}
    made = history(lambda step: 0.37, baseline=0.367, accuracy=0.88, data=data, change=change)
    assert severities(made)["dying_relu"] == "critical"


def test_a_few_rows_above_chance_are_no_excuse_for_a_loss_above_a_constants() -> None:
    """80 % where chance is 76 % and kernel regression 80 %, at five times a constant's loss."""
    shares = (0.76, 0.24)
    entropy = -sum(share * math.log(share) for share in shares)
    data = DataFacts(267.0, 9.3, class_shares=shares, reachable_recall=math.nan)
    chosen = {"baseline": entropy, "reachable": (0.7 * entropy, 0.8), "data": data}

    def found(times: float) -> dict[str, str]:
        return severities(history(lambda step: times * entropy, accuracy=0.8, **chosen))

    assert found(5.0)["unscaled_data"] == "warning"
    assert found(0.9)["unscaled_data"] == "warning"  # a third of the way
    assert found(0.75) == {}


def test_most_rows_right_are_no_excuse_for_a_loss_above_a_constants() -> None:
    """Wrong answers are given with too much confidence, unless nearly all that can be right are."""
    even = DataFacts(243.0, 9000.0, class_shares=(0.5, 0.5), reachable_recall=math.nan)

    def found(loss: float, accuracy: float) -> dict[str, str]:
        chosen = {"baseline": math.log(2), "reachable": (0.06, 0.98), "data": even}
        return severities(history(lambda step: loss, accuracy=accuracy, **chosen))

    assert found(0.9, 0.91)["unscaled_data"] == "warning"
    assert found(0.9, 0.95) == {}
    assert found(0.5, 0.91) == {"underfitting": "note"}


def test_a_run_that_ends_no_better_than_a_constant_is_critical() -> None:
    """Severity follows harm: 8 % right at five times the loss of a constant is no warning."""
    saturated = {"saturated": [40, 40, 40, 0], "activation_std": [1.0] * 4}
    made = history(lambda step: 4.9 * LN10, accuracy=0.08, change=saturated)
    assert "critical" in severities(made).values()
    assert "warning" not in severities(made).values()


def test_a_target_that_the_output_cannot_reach() -> None:
    """A sigmoid gives 0 to 1; the target goes up to 8."""
    config = RunConfig().changed({"network.output_activation": "sigmoid", "data.name": "sine"})
    data = DataFacts(1.0, 1.0, 4.0, 2.0, 0.0, 8.0)
    made = history(lambda step: 5.0, baseline=4.0, config=config, data=data, accuracy=math.nan)
    first = judge(made)[0]
    assert (first.caveat, first.severity) == ("unscaled_data", "critical")
    assert first.what == "the target goes from 0 to 8, the output's sigmoid from 0 to 1"
    assert dict(first.next[0].change) == {"network.output_activation": "none"}
    within = history(
        lambda step: 5.0, baseline=4.0, config=config, data=DataFacts(1.0, 1.0, 0.5, 0.5, 0.0, 1.0)
    )
    assert "unscaled_data" not in severities(within)


@pytest.mark.parametrize(
    ("held_out", "said"),
    [
        (lambda step: abs(step - 30) / 100 + 0.5, "warning"),  # falls until 30, then rises to 2.2
        (lambda step: 0.5 + 0.0013 * max(0, step - 30), "note"),  # gives back an eighth
        (lambda step: 2.3 * math.exp(-step / 30) + 0.5, None),  # falls all the time
        (lambda step: 1.0 + 0.4 * (-1) ** step, None),  # noise
        (lambda step: math.nan, None),  # no rows were held out
    ],
)
def test_overfitting_is_a_held_out_loss_that_rises_while_the_other_falls(
    held_out: Any, said: str | None
) -> None:
    made = history(learning, accuracy=0.99, held_out=held_out)
    assert severities(made).get("overfitting") == said
    if said == "warning":
        first = judge(made)[0]
        assert first.evidence["best_step"] == 31
        assert dict(first.next[0].change) == {"training.steps": 31}
