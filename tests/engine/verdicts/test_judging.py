"""Rules on histories made by hand, where what is wrong is known because it was put there."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caveats.config import RunConfig
from caveats.history import Event, Facts, History
from caveats.measures import LAYER_MEASURES, SCALARS
from caveats.verdicts import CAVEATS, SEVERITIES, Judge, judge

LN10 = math.log(10)
STEPS = (*range(11), 12, 15, 18, 22, 26, 31, 37, 44, 52, 61, 72, 85, 100, 120, 150, 200)
PLANNED = 200


def sound(layers: int, width: int) -> dict[str, Any]:
    """A healthy ReLU network's layer measures, output last."""
    ones = np.ones(layers)
    return {
        "units": ones * width, "dead": ones * 0, "born_dead": ones * 0,
        "dormant": ones * 0, "saturated": ones * 0, "silent": ones * 0,
        "activation_mean": ones * 0.4, "activation_std": ones * 0.6, "delta_rms": ones * 0.1,
        "grad_norm": ones * 0.1, "bias_grad_norm": ones * 0.01, "weight_norm": ones * 8,
        "update_ratio": ones * 0.01, "distinct": ones * width, "mean_fraction": ones * 0.4,
        "sign_coherence": ones * 0.86, "spread": ones * 3, "effective_rank": ones * width / 2,
    }  # fmt: skip


def history(
    losses: Any,
    layers: int = 4,
    width: int = 64,
    change: dict[str, Any] | None = None,
    config: RunConfig | None = None,
    baseline: float = LN10,
    until: int = PLANNED,
    accuracy: float = 0.1,
    reachable: tuple[float, float] = (0.0, math.nan),
) -> History:
    """``losses(step)``; ``change`` names layer measures: an array, or a function of the step."""
    names = (*(f"layer {i + 1}" for i in range(layers - 1)), "output")
    chosen = config or RunConfig.from_dict({"network": {"widths": [width] * (layers - 1)}})
    made = History(names, facts=Facts(baseline, PLANNED, chosen, *reachable))
    for step in STEPS:
        if step > until:
            break
        columns = sound(layers, width)
        for name, value in (change or {}).items():
            columns[name] = np.asarray(value(step) if callable(value) else value, float)
        loss = losses(step)
        scalars = {"loss": loss, "accuracy": accuracy, "batch_loss": loss, "lr": 0.1}
        made.append(step, scalars, columns)
    return made


def learning(step: int) -> float:
    return LN10 * math.exp(-step / 30) + 0.02


def stuck(step: int) -> float:
    return LN10 * (1 + 0.0005 * (-1) ** step)


def severities(made: History) -> dict[str, str]:
    return {v.caveat: v.severity for v in judge(made)}


def test_a_healthy_run_has_no_verdict_at_any_time() -> None:
    judge_ = Judge()
    for until in STEPS:
        assert judge_.look(history(learning, until=until)) == ()
    assert judge_.first_flagged == {}


def test_finished_is_not_stuck() -> None:
    assert severities(history(lambda step: 0.001, accuracy=1.0)) == {}


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


def test_vanishing_is_seen_where_the_weight_gradients_look_alike() -> None:
    """The delta ratio is 1e-8, all ‖dW‖ are equal: the usual ratio sees nothing."""
    change = {"delta_rms": [1e-9, 1e-7, 1e-4, 0.1], "grad_norm": [0.1] * 4}
    made = history(stuck, change=change)
    assert severities(made)["vanishing_gradient"] == "critical"
    assert Judge().look(history(stuck, change=change, until=0))[0].caveat == "vanishing_gradient"


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
    """A loss above a constant's with nine of ten rows right: a few sure mistakes weigh much."""
    config = RunConfig.from_dict({"network": {"widths": [64] * 3, "activation": "tanh"}})
    change = {"saturated": [50, 0, 0, 0]}
    found = {
        accuracy: severities(
            history(lambda s: 1.2 * LN10, change=change, config=config, accuracy=accuracy)
        )["saturation"]
        for accuracy in (0.2, 0.9)
    }
    assert found == {0.2: "critical", 0.9: "note"}


@pytest.mark.parametrize(
    ("caveat", "change"),
    [
        ("saturation", {"saturated": [50, 0, 0, 0]}),
        ("exploding_gradient", {"delta_rms": [90.0, 9.0, 1.0, 0.1]}),
        ("step_too_large", {"update_ratio": [0.9] * 4}),
        ("vanishing_gradient", {"delta_rms": [1e-7, 1e-5, 1e-3, 0.1]}),
    ],
)
def test_right_as_often_as_noisy_classes_let_anyone_be_is_not_held_back(
    caveat: str, change: dict[str, Any]
) -> None:
    """Sure of what nobody can know, a network may stand above a constant's loss for ever."""
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
    assert found(0.6, 0.5) in ("note", None)


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


def test_the_last_record_of_the_planned_steps_has_the_last_word() -> None:
    """Before it, one record without the fault is not believed."""

    def recovered(at: int) -> dict[str, str]:
        change = {"dead": lambda s: [0 if s >= at else 60, 0, 0, 0]}
        return severities(history(stuck, change=change, until=at))

    assert "dying_relu" in recovered(150)
    assert "dying_relu" not in recovered(PLANNED)


def test_a_flat_loss_at_the_constants_is_a_plateau_and_below_it_is_not() -> None:
    assert severities(history(stuck))["plateau"] == "critical"
    unsteady = history(stuck, change={"update_ratio": [0.06] * 4})  # and no step explains it
    assert severities(unsteady) == {"plateau": "critical"}
    far = history(stuck, change={"mean_fraction": [0.98, 0.4, 0.4, 0.4]})
    assert "plateau" not in severities(far)  # its data are to blame
    assert "plateau" not in severities(history(lambda step: 0.3 * LN10))


def test_a_loss_that_climbs_under_large_updates_is_a_step_too_large() -> None:
    made = history(lambda s: LN10 * (1 + 2 * s), change={"update_ratio": [0.5] * 4}, until=60)
    assert severities(made)["step_too_large"] == "critical"


def test_a_step_of_twenty_times_the_customary_is_named_whatever_else_is_wrong() -> None:
    """Even where the sharpness sits at the limit and the loss falls: it gets nowhere."""
    found = {}
    for lr in (0.1, 3.0):
        config = RunConfig.from_dict(
            {"network": {"widths": [64] * 3}, "optimizer": {"name": "sgd", "lr": lr}}
        )
        change = {"update_ratio": [0.02] * 4, "dead": [64, 64, 64, 0]}
        found[lr] = severities(history(stuck, change=change, config=config))
    assert "step_too_large" not in found[0.1]
    assert found[3.0]["step_too_large"] == "warning"


def test_a_large_step_is_not_named_where_signals_had_faded_unless_it_breaks_any() -> None:
    change = {"delta_rms": [1e-7, 1e-5, 1e-3, 0.1], "update_ratio": [0.5] * 4}

    def found(lr: float) -> dict[str, str]:
        config = RunConfig.from_dict(
            {"network": {"widths": [64] * 3}, "optimizer": {"name": "sgd", "lr": lr}}
        )
        return severities(history(lambda s: LN10 * (1 + 2 * s), change=change, config=config))

    assert "step_too_large" not in found(0.5)
    assert "step_too_large" in found(3.0)


def test_what_climbs_to_infinity_from_weights_too_large_is_the_steps_fault_too() -> None:
    """A loss that overflows at once says nothing of the step."""
    change = {"delta_rms": [90.0, 9.0, 1.0, 0.1], "update_ratio": [0.9] * 4}
    climbing = history(lambda step: 3.0 * 10**step, change=change, until=6)
    climbing.note(Event(6, "diverged", "weights of layer 2"))
    at_once = history(lambda step: 3.0e9, change=change, until=0)
    at_once.note(Event(1, "diverged", "weights of layer 2"))
    assert "step_too_large" in severities(climbing)
    assert "step_too_large" not in severities(at_once)
    assert "exploding_gradient" in severities(at_once)


def test_a_loss_that_falls_steadily_and_ends_above_a_constants_needs_longer_steps() -> None:
    config = RunConfig.from_dict(
        {"network": {"widths": [64] * 3}, "optimizer": {"name": "adam", "lr": 0.006}}
    )

    def high(step: int) -> float:
        return LN10 * (20 - 2 * math.log1p(step))

    def bouncing(step: int) -> float:
        return LN10 * (10 + (-1) ** step)

    change = {"update_ratio": [0.001] * 4}
    assert severities(history(high, change=change, config=config))["step_too_small"] == "warning"
    assert "step_too_small" not in severities(history(bouncing, change=change, config=config))
    grown = {**change, "delta_rms": [90.0, 9.0, 1.0, 0.1]}  # it is the weights that put it so high
    found = severities(history(high, change=grown, config=config))
    assert "step_too_small" not in found
    assert "exploding_gradient" in found


def test_a_sound_network_that_adam_moves_nowhere_wants_a_longer_step() -> None:
    def slow(step: int) -> float:
        return LN10 * (1 - 0.03 * math.log1p(step))

    def found(lr: float, activation: str = "relu", **change: Any) -> str | None:
        config = RunConfig.from_dict(
            {
                "network": {"widths": [64] * 6, "activation": activation, "init": "xavier_normal"},
                "optimizer": {"name": "adam", "lr": lr},
            }
        )
        made = history(slow, layers=7, change=change, config=config)
        return severities(made).get("step_too_small")

    assert found(0.003) == "warning"
    assert found(0.02) is None  # long enough
    assert found(0.003, "sigmoid", mean_fraction=[0.0] + [0.97] * 6) is None  # that is the reason
    assert found(0.003, dead=[60] + [0] * 6) is None
    assert found(0.003, delta_rms=[90.0, 50.0, 20.0, 9.0, 3.0, 1.0, 0.1]) is None


def test_no_step_revives_what_is_dead() -> None:
    def found(dead: int) -> str | None:
        config = RunConfig.from_dict(
            {"network": {"widths": [64] * 3}, "optimizer": {"name": "sgd", "lr": 1e-5}}
        )
        change = {"update_ratio": [1e-6] * 4, "dead": [dead, 0, 0, 0]}
        return severities(history(stuck, change=change, config=config)).get("step_too_small")

    assert found(0) == "critical"
    assert found(64) is None


def test_a_relu6_unit_without_slope_on_any_row_is_dead_on_either_side() -> None:
    """A hard tanh's is saturated: there the flat sides are its bounds."""

    def found(activation: str) -> dict[str, str]:
        config = RunConfig.from_dict({"network": {"widths": [64] * 3, "activation": activation}})
        change = {"saturated": [60, 0, 0, 0], "dead": [60, 0, 0, 0]}
        return severities(history(stuck, change=change, config=config))

    assert found("relu6")["dying_relu"] == found("hard_tanh")["saturation"] == "critical"
    assert "saturation" not in found("relu6")
    assert "dying_relu" not in found("hard_tanh")


def test_weak_weights_in_few_layers_want_a_longer_step_and_in_many_do_not() -> None:
    def found(layers: int, lr: float) -> dict[str, str]:
        config = RunConfig.from_dict(
            {"network": {"widths": [64] * (layers - 1)}, "optimizer": {"name": "sgd", "lr": lr}}
        )
        change = {"delta_rms": [1e-6] * (layers - 1) + [0.1]}
        return severities(history(stuck, layers=layers, change=change, config=config))

    assert found(3, 0.05)["step_too_small"] == "critical"
    assert "step_too_small" not in found(3, 0.3)
    assert "step_too_small" not in found(7, 0.05)
    assert all(found(n, lr)["vanishing_gradient"] for n, lr in ((3, 0.05), (3, 0.3), (7, 0.05)))


def test_weak_signals_that_got_through_are_not_blamed_on_the_step() -> None:
    config = RunConfig.from_dict(
        {"network": {"widths": [64] * 6}, "optimizer": {"name": "sgd", "lr": 0.004}}
    )

    def crawling(step: int) -> float:
        return LN10 * (1 - 0.0006 * step)

    weak = {"update_ratio": [0.002] * 7, "delta_rms": lambda s: [0.1 if s else 1e-6] * 6 + [0.1]}
    for change, blamed in (({"update_ratio": [0.002] * 7}, True), (weak, False)):
        found = severities(history(crawling, layers=7, change=change, config=config))
        assert ("step_too_small" in found) is blamed


def test_signals_that_are_cut_off_since_have_not_faded() -> None:
    change = {"delta_rms": lambda s: [0.1 if s < 20 else 0.0, 0.1, 0.1, 0.1]}
    assert "vanishing_gradient" not in severities(history(stuck, change=change))


def test_means_off_zero_are_a_fault_of_deep_networks_whose_weights_are_right() -> None:
    def found(layers: int, activation: str, init: str) -> str | None:
        config = RunConfig.from_dict(
            {
                "network": {
                    "widths": [64] * (layers - 1), "activation": activation, "init": init
                },
                "optimizer": {"name": "sgd", "lr": 0.1},
            }
        )  # fmt: skip
        change = {"mean_fraction": [0.0] + [0.97] * (layers - 1)}
        made = history(stuck, layers=layers, change=change, config=config)
        return severities(made).get("not_zero_centred")

    assert found(7, "sigmoid", "xavier_normal") == "warning"
    assert found(3, "sigmoid", "xavier_normal") == "note"  # a few layers bear it
    assert found(3, "tanh_plus_one", "xavier_normal") == "warning"  # nothing else differs from tanh
    assert found(7, "sigmoid", "he_normal") == "note"  # too large for centred units too
    assert found(7, "relu", "he_normal") is None


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
    empty = History(("output",), facts=Facts(1.0, 10, config))
    assert judge(empty) == ()
    one = history(learning, layers, 4, config=config, until=0)
    assert all(v.severity in SEVERITIES for v in judge(one))
    broken = history(lambda step: math.nan, layers, 4, config=config)
    assert judge(broken)[0].severity == "critical"


def test_layers_that_cannot_be_observed_get_no_verdict_from_it() -> None:
    unseen = {name: [math.nan] * 4 for name in ("dead", "saturated", "dormant", "confirmed_dead")}
    assert severities(history(learning, change=unseen)) == {}
    assert "dying_relu" not in severities(history(stuck, change=unseen))


def test_without_config_or_baseline_it_judges_and_offers_no_change() -> None:
    made = history(stuck, change={"dead": [64, 64, 64, 0]}, baseline=math.nan)
    made.facts = Facts()
    worst = judge(made)[0]
    assert (worst.caveat, worst.next) == ("dying_relu", ())


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.booleans(), st.integers(0, 20))
def test_no_history_makes_it_fail(seed: int, layers: int, known: bool, records: int) -> None:
    """Counts from 0 to the units, reals of any size, infinities and NaN anywhere."""
    rng = np.random.default_rng(seed)

    def real() -> float:
        special = rng.choice([math.nan, math.inf, 0.0, 1e-300, 1e300])
        return float(special if rng.random() < 0.3 else 10 ** rng.uniform(-8, 8))

    names = tuple(f"layer {i}" for i in range(layers))
    config = RunConfig.from_dict({"network": {"widths": [3] * (layers - 1)}}) if known else None
    made = History(names, facts=Facts(real(), int(rng.integers(0, 50)), config))
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


def test_judging_needs_no_torch() -> None:
    code = "import caveats.verdicts, caveats.experiments, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
