"""What a label says about the step; the outcome of every training is made up."""

import math
from types import SimpleNamespace

from benchmarks.verdict_suite.labels import label
from benchmarks.verdict_suite.oracle import Facts

from caveats.config import RunConfig

CUSTOMARY = 0.1  # of plain SGD, in few layers


def outcome(gain):
    """Of ten classes: by loss the way from ln 10 to 0, and no accuracy that would be kinder."""
    baseline = math.log(10)
    loss = baseline * (1 - gain)
    return {"loss": loss, "accuracy": math.nan, "diverged": 0.0, "steps": 300, "baseline": baseline}


class MadeUp:
    """Trains nothing: references get .9, the sound network gets what ``sound`` gives for its
    learning rate, and no change of the run's own network helps."""

    def __init__(self, sound):
        self.sound = sound

    def changed(self, config, change):
        if "data.standardize" not in change:
            return outcome(0.0)
        if change.get("optimizer.name") == "adam":
            return outcome(0.9)
        return outcome(self.sound(change.get("optimizer.lr", config.optimizer.lr)))


def labelled(lr, sound):
    config = RunConfig.from_dict(
        {
            "network": {"widths": [8] * 3, "activation": "tanh", "init": "zeros"},
            "optimizer": {"name": "sgd", "lr": lr},
        }
    )
    oracle = Facts(dead=0.0, saturated=0.0, copied=1.0, delta_ratio=0.0)
    sample = SimpleNamespace(config=config, outcome=outcome(0.0), start=oracle, end=oracle)
    return label(sample, MadeUp(sound))


def test_a_step_that_breaks_a_sound_network_is_at_fault_where_a_customary_one_trains_it():
    for lr, name in ((1e-4, "step_too_small"), (10.0, "step_too_large")):
        found = labelled(lr, lambda at: 0.8 if at == CUSTOMARY else 0.0)
        assert found.caveats == {"symmetry", name}
        assert not found.undecided


def test_a_step_that_a_sound_network_bears_is_cleared():
    found = labelled(1e-4, lambda at: 0.8)
    assert (found.caveats, found.undecided) == ({"symmetry"}, frozenset())


def test_a_control_that_fails_too_shows_nothing():
    found = labelled(1e-4, lambda at: 0.0)
    assert found.caveats == {"symmetry"}
    assert found.undecided == {"step_too_small", "step_too_large"}
