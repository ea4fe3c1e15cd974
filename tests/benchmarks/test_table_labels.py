"""How a network of the second generator is labelled, with outcomes that are made up."""

import math
from types import SimpleNamespace

from benchmarks.verdict_suite.table_faults import Fault
from benchmarks.verdict_suite.table_labels import chance, table_label
from benchmarks.verdict_suite.table_networks import Network
from benchmarks.verdict_suite.tables import dataset

from caveats.config import RunConfig

HIGH = Fault("lr_high", 100.0, {"optimizer.lr": 7.0})
DEAD = Fault("all_biases", -5.0, {"network.bias": -5.0})


def outcome(gain, accuracy=math.nan):
    return {"loss": 1 - gain, "accuracy": accuracy, "diverged": 0.0, "steps": 300, "baseline": 1.0}


class MadeUp:
    """Trains nothing: references get .8, and ``new`` on rows that they have not seen, other
    networks what ``reached`` gives for their config."""

    def __init__(self, reached, new=0.8):
        self.reached, self.new = reached, new

    def dataset(self, config):
        return dataset(config.data.settings())

    def outcome(self, config, alterations=()):
        if config.optimizer.schedule == "cosine":
            return outcome(0.8)
        return outcome(self.reached(config))

    def on_new_rows(self, config):
        return outcome(self.new)


def labelled(
    own, faults=(), reached=lambda config: 0.0, accuracy=math.nan, file="rare_class", new=0.8
):
    sound = RunConfig.from_dict({"data": {"file": f"{file}.npz"}, "network": {"widths": [8, 8]}})
    sample = SimpleNamespace(outcome=outcome(own, accuracy))
    return table_label(Network(sound, faults), sample, MadeUp(reached, new))


def test_the_kind_is_the_share_of_the_best_reference():
    assert [labelled(own).kind for own in (0.61, 0.59, 0.41, 0.39)] == [
        "healthy", "between", "between", "faulty",
    ]  # fmt: skip
    assert labelled(0.9).reference == 0.9  # better than the references: it is its own


def test_a_network_without_rows_learnt_by_heart_has_not_failed():
    assert [labelled(own, new=0.4).kind for own in (0.61, 0.39, 0.21, 0.19)] == [
        "healthy", "between", "between", "faulty",
    ]  # fmt: skip
    assert labelled(0.1, new=0.1).kind == "hopeless"


def test_always_the_larger_class_is_no_success():
    rows = dataset({"file": "rare_class.npz", "standardize": True})
    share = chance(rows)
    assert 0.8 < share < 0.9
    assert labelled(0.0, accuracy=share).kind == "faulty"
    assert labelled(0.0, accuracy=1.0).kind == "healthy"


def test_a_fault_is_shown_where_taking_it_out_alone_heals():
    label = labelled(0.0, (HIGH, DEAD), lambda c: 0.7 if c.optimizer.lr < 1 else 0.0)
    assert (label.injected, label.shown) == (("lr_high", "all_biases"), {"lr_high"})
    assert set(label.without) == {"lr_high", "all_biases", "together"}


def test_faults_that_hide_one_another_are_shown_together():
    def both(config):
        return 0.7 if config.optimizer.lr < 1 and not config.network.bias else 0.0

    assert labelled(0.0, (HIGH, DEAD), both).shown == {"together"}


def test_a_fault_without_harm_is_not_shown():
    assert labelled(0.0, (HIGH,)).shown == frozenset()
    assert labelled(0.7, (HIGH,), lambda c: 0.8).shown == frozenset()
