"""The rules of weights and units, on histories made by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from histories import LN10, PLANNED, history, learning, severities, stuck

from caveats.config import RunConfig
from caveats.history import Event
from caveats.verdicts import Judge, judge


def test_a_wholly_dead_layer_is_critical_at_step_0_and_its_followers_are_starved() -> None:
    dead = [0, 64, 64, 0]
    made = history(stuck, change={"dead": dead, "born_dead": dead}, until=0)
    (verdict,) = judge(made)
    assert (verdict.caveat, verdict.severity, verdict.step) == ("dying_relu", "critical", 0)
    assert verdict.evidence["starved"] == 64
    assert verdict.what.startswith("layer 2: 64 of 64 units dead")


def test_half_dead_and_learning_is_a_note_and_half_dead_and_stuck_is_not() -> None:
    dead = [40, 10, 0, 0]
    assert severities(history(learning, change={"dead": dead}))["dying_relu"] == "note"
    assert severities(history(stuck, change={"dead": dead}))["dying_relu"] == "critical"


def test_zeros_are_not_deaths() -> None:
    """A mean activation near 0 with no dead unit says nothing about dying."""
    made = history(stuck, change={"activation_mean": [0.01] * 4})
    assert "dying_relu" not in severities(made)


def test_born_and_died_are_told_apart() -> None:
    made = history(
        stuck,
        change={"dead": lambda s: [10 if s < 20 else 60, 0, 0, 0], "born_dead": [10, 0, 0, 0]},
    )
    (verdict,) = [v for v in judge(made) if v.caveat == "dying_relu"]
    assert (verdict.evidence["born_dead"], verdict.evidence["died"]) == (10, 50)
    assert "10 of them born dead, 50 died since" in verdict.what


def test_copies_in_a_script_may_part_at_its_first_step() -> None:
    def copies(until: int) -> str:
        made = history(stuck, change={"distinct": [64, 2, 64, 10]}, until=until)
        made.facts = replace(made.facts, steps=0, remedies=None)
        return severities(made)["symmetry"]

    assert copies(0) == "note"
    assert copies(1) == "warning"


@pytest.mark.parametrize(
    ("born", "first", "missing"),
    [(64, "Weights of nn.init", "learning rate"), (0, "A tenth of the learning rate", "biases")],
)
def test_the_advice_for_dead_units_fits_when_they_died(born: int, first: str, missing: str) -> None:
    made = history(stuck, change={"dead": [0, 64, 0, 0], "born_dead": [0, born, 0, 0]})
    made.facts = replace(made.facts, remedies=None)
    (verdict,) = [v for v in judge(made) if v.caveat == "dying_relu"]
    reasons = [remedy.reason for remedy in verdict.next]
    assert reasons[0].startswith(first)
    assert not any(missing in reason or "Wider" in reason for reason in reasons)


def test_vanishing_is_seen_where_the_weight_gradients_look_alike() -> None:
    """The delta ratio is 1e-8 and all ‖dW‖ are equal: the usual ratio shows nothing."""
    change = {"delta_rms": [1e-9, 1e-7, 1e-4, 0.1], "grad_norm": [0.1] * 4}
    made = history(stuck, change=change)
    assert severities(made)["vanishing_gradient"] == "critical"
    assert Judge().look(history(stuck, change=change, until=0))[0].caveat == "vanishing_gradient"


def test_the_advice_for_a_script_names_what_is_not_there_yet() -> None:
    def advice(network: dict[str, Any], optimizer: str) -> str:
        config = RunConfig.from_dict(
            {"network": {"widths": [64] * 3, **network}, "optimizer": {"name": optimizer}}
        )
        made = history(stuck, change={"delta_rms": [1e-6, 1e-4, 1e-2, 1]}, config=config)
        made.facts = replace(made.facts, remedies=None)
        (verdict,) = [v for v in judge(made) if v.caveat == "vanishing_gradient"]
        return " ".join(remedy.reason for remedy in verdict.next)

    plain = advice({"activation": "sigmoid"}, "sgd")
    assert plain.startswith("nn.ReLU in place of nn.Sigmoid")
    assert "Adam" in plain
    rectified = advice({"activation": "relu", "normalization": "layer"}, "adam")
    assert rectified.startswith("Weights that suit the activation")
    assert not any(word in rectified for word in ("nn.ReLU in place", "LayerNorm", "Adam"))


def test_small_deltas_at_the_bottom_of_a_network_that_learns_are_no_alarm() -> None:
    late = {"delta_rms": lambda s: [0.1 if s < 50 else 1e-5, 0.1, 0.1, 0.1]}
    assert severities(history(learning, change=late)) == {}


def test_a_ratio_of_seventy_is_no_explosion() -> None:
    made = history(learning, change={"delta_rms": [7.0, 3.0, 1.0, 0.1], "units": [64] * 4})
    assert severities(made) == {}


def test_divergence_names_where_it_began() -> None:
    made = history(lambda step: 3.0 * 10**step, until=6)
    made.note(Event(6, "diverged", "weights of layer 2"))
    worst = judge(made)[0]
    assert (worst.caveat, worst.severity, worst.layers) == (
        "exploding_gradient", "critical", ("layer 2",),
    )  # fmt: skip


def test_copies_are_critical_when_no_gradient_moves_them() -> None:
    change = {"distinct": [1, 1, 1, 4], "grad_norm": [0.0, 0.0, 0.0, 0.1], "spread": [0.0] * 4}
    made = history(stuck, change=change, until=0)
    assert severities(made)["symmetry"] == "critical"


def test_copies_that_rounding_has_parted_are_still_copies() -> None:
    change = {"distinct": [64, 64, 64, 10], "spread": [1e-6, 1e-6, 1e-6, 3.0]}
    verdicts = judge(history(stuck, change=change))
    assert {v.caveat: v.severity for v in verdicts}["symmetry"] == "critical"


def test_copies_cannot_be_told_from_signals_that_fade() -> None:
    change = {"spread": [1e-6, 1e-6, 1e-6, 3.0], "delta_rms": [1e-9, 1e-7, 1e-4, 0.1]}
    assert "vanishing_gradient" not in severities(history(stuck, change=change))


def test_one_of_two_units_is_most_of_a_layer() -> None:
    config = RunConfig.from_dict({"network": {"widths": [2] * 3, "activation": "tanh"}})
    change = {"distinct": [1, 1, 1, 10], "spread": [0.0] * 4, "delta_rms": [1e-9, 1e-7, 1e-4, 0.1]}
    found = severities(history(stuck, width=2, change=change, config=config))
    assert found["symmetry"] == "critical"
    assert "vanishing_gradient" not in found


def test_deltas_of_units_that_began_as_copies_say_nothing_once_they_have_parted() -> None:
    change = {
        "distinct": lambda s: [64 if s else 1] * 3 + [10],
        "spread": lambda s: [3.0 if s else 0.0] * 4,
        "delta_rms": lambda s: [0.1 if s else 1e-9, 0.1, 0.1, 0.1],
    }
    assert "vanishing_gradient" not in severities(history(stuck, change=change))


def test_width_one_has_no_symmetry_to_break() -> None:
    change = {"distinct": [1] * 4, "spread": [0.0] * 4}
    assert "symmetry" not in severities(history(stuck, width=1, change=change))


def test_saturation_needs_harm() -> None:
    config = RunConfig.from_dict({"network": {"widths": [64] * 3, "activation": "tanh"}})
    change = {"saturated": [50, 0, 0, 0]}
    assert severities(history(stuck, change=change, config=config))["saturation"] == "critical"
    done = history(lambda step: 0.01, change=change, config=config, accuracy=1.0)
    assert severities(done)["saturation"] == "note"


def test_sure_and_mostly_right_is_no_saturation_with_harm() -> None:
    """A loss above a constant's with 19 of 20 rows right: a few sure mistakes weigh much."""
    config = RunConfig.from_dict({"network": {"widths": [64] * 3, "activation": "tanh"}})
    change = {"saturated": [50, 0, 0, 0]}
    found = {
        accuracy: severities(
            history(lambda s: 1.2 * LN10, change=change, config=config, accuracy=accuracy)
        )["saturation"]
        for accuracy in (0.2, 0.85, 0.95)
    }
    assert found == {0.2: "critical", 0.85: "critical", 0.95: "note"}


@pytest.mark.parametrize(
    ("caveat", "change"),
    [
        ("saturation", {"saturated": [50, 0, 0, 0]}),
        ("exploding_gradient", {"delta_rms": [90.0, 9.0, 1.0, 0.1]}),
        ("step_too_large", {"update_ratio": [0.9] * 4}),
        ("vanishing_gradient", {"delta_rms": [1e-7, 1e-5, 1e-3, 0.1]}),
    ],
)
def test_an_accuracy_as_high_as_noisy_classes_allow_is_no_fault(
    caveat: str, change: dict[str, Any]
) -> None:
    """A network that is sure of noisy labels may stay above a constant's loss for ever."""
    config = RunConfig.from_dict({"network": {"widths": [64] * 3, "activation": "tanh"}})

    def found(best: float, accuracy: float) -> str | None:
        def sure(step: int) -> float:
            return LN10 * (1.0 if step < 3 else 6 + (-1) ** step)

        made = history(
            sure, change=change, config=config, accuracy=accuracy, reachable=(0.6 * LN10, best)
        )
        return severities(made).get(caveat)

    assert found(1.0, 0.5) in ("warning", "critical")
    assert found(0.6, 0.2) in ("warning", "critical")
    assert found(0.6, 0.5) in ("warning", "critical")  # four fifths of what they allow
    assert found(0.6, 0.56) in ("note", None)


def test_half_dead_and_slow_is_a_note_until_half_of_the_steps_are_gone() -> None:
    def slow(step: int) -> float:
        return LN10 * (1 - 0.04 * math.log1p(step))

    change = {"dead": [3, 0, 0, 0]}
    early, late = (
        severities(history(slow, width=5, change=change, until=until)).get("dying_relu")
        for until in (85, PLANNED)
    )
    assert (early, late) == ("note", "warning")


def test_deltas_that_fade_behind_a_layer_that_saturated_since_are_that_layers_fault() -> None:
    config = RunConfig.from_dict({"network": {"widths": [64] * 3, "activation": "tanh"}})
    change = {
        "delta_rms": lambda s: [0.1 if s < 20 else 1e-7, 0.1, 0.1, 0.1],
        "saturated": lambda s: [0, 0 if s < 20 else 60, 0, 0],
    }
    found = severities(history(stuck, change=change, config=config))
    assert found["saturation"] == "critical"
    assert "vanishing_gradient" not in found


def test_a_relu6_unit_without_slope_on_any_row_is_dead_on_either_side() -> None:
    """A hard tanh's is saturated: there the flat sides are its bounds."""

    def found(activation: str) -> dict[str, str]:
        config = RunConfig.from_dict({"network": {"widths": [64] * 3, "activation": activation}})
        change = {"saturated": [60, 0, 0, 0], "dead": [60, 0, 0, 0]}
        return severities(history(stuck, change=change, config=config))

    assert found("relu6")["dying_relu"] == found("hard_tanh")["saturation"] == "critical"
    assert "saturation" not in found("relu6")
    assert "dying_relu" not in found("hard_tanh")


def test_signals_that_are_cut_off_since_have_not_faded() -> None:
    change = {"delta_rms": lambda s: [0.1 if s < 20 else 0.0, 0.1, 0.1, 0.1]}
    assert "vanishing_gradient" not in severities(history(stuck, change=change))


def test_means_off_zero_are_a_fault_of_deep_networks_whose_weights_are_right() -> None:
    def found(layers: int, activation: str, gain: float) -> str | None:
        """``gain`` is the variance of a weight times its fan-in: ‖W‖² = units · gain."""
        config = RunConfig.from_dict(
            {
                "network": {"widths": [64] * (layers - 1), "activation": activation},
                "optimizer": {"name": "sgd", "lr": 0.1},
            }
        )
        change = {
            "mean_fraction": [0.0] + [0.97] * (layers - 1),
            "weight_norm": [math.sqrt(64 * gain)] * layers,
        }
        made = history(stuck, layers=layers, change=change, config=config)
        return severities(made).get("not_zero_centred")

    xavier, he, torch_default = 1.0, 2.0, 1 / 3
    assert found(7, "sigmoid", xavier) == "warning"
    assert found(3, "sigmoid", xavier) == "note"  # a few layers bear it
    assert found(3, "tanh_plus_one", xavier) == "warning"  # nothing else differs from tanh
    assert found(7, "sigmoid", he) == "note"  # too large for centred units too
    assert found(7, "sigmoid", torch_default) == "warning"  # which tanh trains from
    assert found(7, "relu", he) is None


def test_data_far_from_zero_are_to_blame_for_the_units_that_they_killed() -> None:
    change = {"mean_fraction": [0.98, 0.4, 0.4, 0.4], "dead": lambda s: [60 if s else 0, 0, 0, 0]}
    assert severities(history(stuck, change=change))["not_zero_centred"] == "critical"
    faded = {**change, "delta_rms": [1e-7, 1e-5, 1e-3, 0.1]}
    assert severities(history(stuck, change=faded))["not_zero_centred"] == "note"


def test_low_slopes_alone_are_saturation_only_where_the_loss_starts_high() -> None:
    config = RunConfig.from_dict({"network": {"widths": [64] * 3, "activation": "tanh"}})
    change = {"activation_mean": [0.0] * 4, "activation_std": [0.96] * 4}  # tanh' = 1 - a² = .08
    found = {
        start: severities(
            history(lambda s, h=start: LN10 * (1 if s else h), change=change, config=config)
        ).get("saturation")
        for start in (1.0, 3.0)
    }
    assert found == {1.0: None, 3.0: "critical"}


def test_signals_that_fade_through_what_is_left_of_a_layer_have_faded() -> None:
    def found(dead: int) -> str | None:
        change = {
            "delta_rms": [1e-7, 1e-5, 1e-3, 0.1],
            "dead": lambda s: [0, dead if s else 0, 0, 0],
        }
        change["delta_rms"] = lambda s: [1e-7 if s else 0.1, 0.1, 0.1, 0.1]
        return severities(history(stuck, change=change)).get("vanishing_gradient")

    assert found(58) == "critical"
    assert found(64) is None  # a wholly dead layer cuts them off, which is another caveat
