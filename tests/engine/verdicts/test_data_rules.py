"""The rules about the data, on histories made by hand: scale, imbalance, and what is its effect."""

from __future__ import annotations

import math
from typing import Any

import pytest
from histories import LN10, history, learning, severities, stuck

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


def test_a_layer_that_is_cut_off_stays_critical_behind_the_headline() -> None:
    first, second = judge(history(stuck, change=CUT, data=RAW))[:2]
    assert (first.caveat, first.severity) == ("unscaled_data", "critical")
    assert (second.caveat, second.severity) == ("dying_relu", "critical")


@pytest.mark.parametrize("data", [RAW, DOLLARS])
def test_a_run_that_learns_from_unscaled_data_is_left_alone(data: DataFacts) -> None:
    assert severities(history(learning, accuracy=0.99, data=data)) == {}


@pytest.mark.parametrize(
    "data",
    [DataFacts(), DataFacts(1.0, 1.0), DataFacts(5.1, 1.0, 0.3, 2.0), DataFacts(7.8, 12.0)],
)
def test_a_usual_scale_is_not_blamed(data: DataFacts) -> None:
    found = severities(history(stuck, change=MOSTLY_DEAD, data=data))
    assert found["dying_relu"] == "critical"
    assert "unscaled_data" not in found


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


def test_a_run_that_ends_no_better_than_a_constant_is_critical() -> None:
    """Severity follows harm: 8 % right at five times the loss of a constant is no warning."""
    saturated = {"saturated": [40, 40, 40, 0], "activation_std": [1.0] * 4}
    made = history(lambda step: 4.9 * LN10, accuracy=0.08, change=saturated)
    assert "critical" in severities(made).values()
    assert "warning" not in severities(made).values()
