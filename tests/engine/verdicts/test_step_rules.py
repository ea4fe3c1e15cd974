"""The rules of step and optimizer, on histories made by hand."""

from __future__ import annotations

import math
from typing import Any

from histories import LN10, history, learning, severities, stuck

from caveats.config import RunConfig
from caveats.history import Event
from caveats.verdicts.evidence import Evidence


def test_a_flat_loss_at_the_constants_is_a_plateau_and_below_it_is_not() -> None:
    assert severities(history(stuck))["plateau"] == "critical"
    unsteady = history(stuck, change={"update_ratio": [0.06] * 4})  # and no step explains it
    assert severities(unsteady) == {"plateau": "critical"}
    far = history(stuck, change={"mean_fraction": [0.98, 0.4, 0.4, 0.4]})
    assert "plateau" not in severities(far)  # its data are to blame
    assert "plateau" not in severities(history(lambda step: 0.3 * LN10))


def test_a_loss_that_has_just_left_the_constants_is_no_plateau() -> None:
    """As in a watched training that is seldom sampled: two losses of three are old."""
    left = history(lambda step: stuck(step) if step < 200 else 0.2 * LN10)
    assert "plateau" not in severities(left)


def test_a_gradient_that_was_not_observed_is_not_said_to_be_0() -> None:
    """The last record of a watched training has losses and weights, and no pass."""
    unseen = history(
        stuck, change={"grad_norm": lambda step: [0.1 if step < 200 else math.nan] * 4}
    )
    assert "plateau" not in severities(unseen)


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
    assert severities(history(high, change=change, config=config))["step_too_small"] == "critical"
    assert "step_too_small" not in severities(history(bouncing, change=change, config=config))
    grown = {**change, "delta_rms": [90.0, 9.0, 1.0, 0.1]}  # it is the weights that put it so high
    found = severities(history(high, change=grown, config=config))
    assert "step_too_small" not in found
    assert "exploding_gradient" in found


def test_a_loss_that_came_to_rest_below_a_constants_wants_no_longer_step() -> None:
    """The curvature would bear it, but in a poor minimum every step is small."""
    config = RunConfig.from_dict(
        {"network": {"widths": [64] * 3}, "optimizer": {"name": "momentum", "lr": 0.02}}
    )

    def found(losses: Any) -> dict[str, str]:
        return severities(
            history(losses, config=config, accuracy=0.3, reachable=(0.1, 0.9), sharpness=0.01)
        )

    resting = found(lambda step: LN10 * (1 - 0.3 * (1 - math.exp(-step / 20))))
    assert resting == {"underfitting": "warning"}
    assert "step_too_small" in found(lambda step: LN10 * (1 - 0.3 * step / 200))


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
        reach = (0.1, 0.97)  # what the data allow is known, and is far away
        made = history(slow, layers=7, change=change, config=config, reachable=reach)
        return severities(made).get("step_too_small")

    assert found(0.003) == "warning"
    assert found(0.02) is None  # long enough
    assert found(0.003, "sigmoid", mean_fraction=[0.0] + [0.97] * 6) is None  # that is the reason
    assert found(0.003, dead=[60] + [0] * 6) is None
    assert found(0.003, delta_rms=[90.0, 50.0, 20.0, 9.0, 3.0, 1.0, 0.1]) is None


def test_no_step_revives_what_is_dead_and_a_hundredth_of_the_customary_one_trains_nothing() -> None:
    def found(dead: int, lr: float) -> str | None:
        config = RunConfig.from_dict(
            {"network": {"widths": [8] * 3}, "optimizer": {"name": "sgd", "lr": lr}}
        )
        change = {"update_ratio": [1e-6] * 4, "dead": [dead, 0, 0, 0]}
        made = history(stuck, width=8, change=change, config=config)
        return severities(made).get("step_too_small")

    assert found(0, 2e-3) == "critical"
    assert found(8, 2e-3) is None
    assert found(8, 5e-4) == "critical"


def test_weak_weights_in_few_layers_want_a_longer_step_and_in_many_do_not() -> None:
    """Not of plain SGD, whose steps are as weak as its deltas."""

    def found(name: str, layers: int, lr: float) -> dict[str, str]:
        config = RunConfig.from_dict(
            {"network": {"widths": [64] * (layers - 1)}, "optimizer": {"name": name, "lr": lr}}
        )
        change = {"delta_rms": [1e-6] * (layers - 1) + [0.1]}
        return severities(history(stuck, layers=layers, change=change, config=config))

    assert found("adam", 3, 0.002)["step_too_small"] == "critical"
    others = (("adam", 3, 0.01), ("adam", 7, 0.002), ("sgd", 3, 0.05), ("sgd", 3, 0.005))
    assert not any("step_too_small" in found(*other) for other in others)
    assert all(found(*other)["vanishing_gradient"] for other in (("adam", 3, 0.002), *others))


def test_a_usual_step_is_not_too_small_beside_copies_or_deltas_that_grow() -> None:
    """A loss that falls well from far above a constant's, and will not get there."""

    def falling(step: int) -> float:
        return 5 * LN10 * math.exp(-step / 250)

    def found(lr: float, change: dict[str, Any]) -> dict[str, str]:
        config = RunConfig.from_dict(
            {"network": {"widths": [64] * 3}, "optimizer": {"name": "adam", "lr": lr}}
        )
        return severities(history(falling, change={**change, **small}, config=config))

    small = {"update_ratio": [0.002] * 4}
    copies = {"distinct": [1, 1, 1, 10]}
    assert found(0.002, {})["step_too_small"] == "critical"
    assert found(0.002, copies).keys() == {"symmetry"}
    assert found(0.0002, copies).keys() >= {"symmetry", "step_too_small"}


def test_deltas_that_faded_behind_normalized_layers_were_thrown_off_by_a_large_step() -> None:
    def found(normalization: str, first: float, update: float) -> dict[str, str]:
        network = {"widths": [64] * 12, "normalization": normalization}
        config = RunConfig.from_dict({"network": network, "optimizer": {"name": "sgd", "lr": 0.1}})

        def deltas(step: int) -> list[float]:
            return [(1e-6 if step > 100 else first) * 0.1] * 12 + [0.1]

        change = {"delta_rms": deltas, "update_ratio": [update] * 13}
        return severities(history(stuck, layers=13, change=change, config=config))

    assert found("layer", 1.0, 0.1)["step_too_large"] == "warning"
    for other in (("none", 1.0, 0.1), ("layer", 1e-4, 0.1), ("layer", 1.0, 0.03)):
        assert "step_too_large" not in found(*other)


def test_a_plateau_is_not_named_beside_deltas_that_vanished() -> None:
    change = {"delta_rms": [1e-6] * 3 + [0.1]}
    assert severities(history(stuck, change=change)).keys() == {"vanishing_gradient"}


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


def test_copies_that_overflow_made_too_large_a_step_and_faded_weights_only_a_high_one_did() -> None:
    def found(lr: float, **change: Any) -> dict[str, str]:
        config = RunConfig.from_dict(
            {"network": {"widths": [64] * 3}, "optimizer": {"name": "sgd", "lr": lr}}
        )
        change["update_ratio"] = [0.9] * 4
        climbing = history(lambda s: 3.0 * 10**s, change=change, until=6, config=config)
        climbing.note(Event(6, "diverged", "weights of layer 2"))
        return severities(climbing)

    faded = [1e-7, 1e-5, 1e-3, 0.1]
    assert found(0.1, distinct=[1, 1, 1, 64])["step_too_large"] == "critical"
    assert found(1.0, delta_rms=faded)["step_too_large"] == "critical"
    assert "step_too_large" not in found(0.1, delta_rms=faded)


def test_a_ravine_is_a_note_early_on_and_in_layers_of_three_units() -> None:
    config = RunConfig.from_dict({"network": {"widths": [4] * 3}, "optimizer": {"name": "sgd"}})

    def crawling(step: int) -> float:
        return LN10 * (1 - 0.04 * math.log1p(step))

    def found(width: int, until: int) -> str | None:
        made = history(crawling, width=width, config=config, until=until)
        return severities(made).get("ravine")

    assert found(64, 120) == "note"
    assert found(64, 150) == "warning"
    assert found(4, 200) == "warning"
    assert found(3, 200) == "note"


class TestUnderfitting:
    """Falling short of what the data allow, for no reason that was measured."""

    @staticmethod
    def short(step: int) -> float:
        return LN10 * (1 - 0.3 * (1 - math.exp(-step / 20)))  # and at rest

    def found(self, until: int = 200, reachable: float = 0.1, **change: Any) -> str | None:
        accuracy = change.pop("accuracy", 0.3)
        config = RunConfig.from_dict(
            {
                "network": {"widths": [64] * 3, "init": "he_normal"},
                "optimizer": {"name": "momentum", "lr": 0.02},
            }
        )
        made = history(
            self.short,
            change=change,
            config=config,
            until=until,
            accuracy=accuracy,
            reachable=(reachable, 0.9),
        )
        return severities(made).get("underfitting")

    def test_it_is_said_at_the_end_and_not_before(self) -> None:
        assert self.found() == "warning"
        assert self.found(until=150) is None

    def test_not_where_the_data_allow_no_more(self) -> None:
        assert self.found(reachable=LN10 * 0.65) is None
        assert self.found(accuracy=0.85) is None
        # The loss went .31 of the way: at .78, .85 of what can be right are, at .75 .81.
        assert self.found(accuracy=0.78) == "note"  # most rows right, and more in reach
        assert self.found(accuracy=0.75) == "warning"
        assert self.found(reachable=0.0) is None  # nothing is known of them

    def test_not_where_another_caveat_says_why(self) -> None:
        dead = self.found(dead=[60, 0, 0, 0])
        copies = self.found(distinct=[1, 64, 64, 64])
        assert dead is copies is None

    def test_three_units_that_fell_short_are_told_so(self) -> None:
        assert self.found(units=[3, 64, 64, 64], distinct=[3, 64, 64, 64]) == "warning"
        assert self.found(units=[4, 64, 64, 64], distinct=[4, 64, 64, 64]) == "warning"

    def test_even_three_units_are_expected_to_do_better_than_a_constant(self) -> None:
        narrow = {"units": [3, 64, 64, 64], "distinct": [3, 64, 64, 64]}
        made = history(lambda step: 1.2 * LN10, change=narrow, reachable=(0.1, 0.9))
        assert severities(made)["underfitting"] == "critical"


def test_dropout_of_most_units_is_not_a_step_too_small() -> None:
    def found(dropout: float) -> dict[str, str]:
        config = RunConfig.from_dict(
            {
                "network": {"widths": [64] * 3, "dropout": dropout},
                "optimizer": {"name": "adam", "lr": 0.003},
            }
        )
        slow = history(
            lambda s: LN10 * (1 - 0.03 * math.log1p(s)), config=config, reachable=(0.1, 0.9)
        )
        return severities(slow)

    assert "step_too_small" in found(0.1)
    assert found(0.7) == {"underfitting": "warning"}


def test_the_first_steps_of_a_warm_up_do_not_stand_for_those_of_today() -> None:
    """Where few steps are read, most readings are of the first ten."""

    def updates(step: int) -> list[float]:
        size = 0.0009 if step <= 10 else 0.006 if step in (85, 150) else math.nan
        return [size] * 4

    made = history(learning, change={"update_ratio": updates})
    snapshot = made.snapshot()
    last = Evidence(snapshot, len(snapshot) - 1, made.layers, made.facts)
    assert last.largest_update == 0.006
    early = Evidence(snapshot, 12, made.layers, made.facts)  # step 15: those of steps 4 to 10
    assert early.largest_update == 0.0009

    def unread(step: int) -> list[float]:
        return [0.0009 if step < 5 else math.nan] * 4

    quiet = history(learning, change={"update_ratio": unread})
    snapshot = quiet.snapshot()
    late = Evidence(snapshot, len(snapshot) - 1, quiet.layers, quiet.facts)
    assert late.largest_update == 0.0009  # the newest there is
