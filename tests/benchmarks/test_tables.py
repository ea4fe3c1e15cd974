"""The second generator: its tables, its networks, and what is altered in them before step 0."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.verdict_suite.alterations import Alteration, AlteredRun
from benchmarks.verdict_suite.table_networks import SEEDS, drawn, sampled
from benchmarks.verdict_suite.tables import TABLES, dataset
from benchmarks.verdict_suite.training import Store, key_of

from caveats.config import RunConfig
from caveats.models.activations import ACTIVATIONS
from caveats.models.initializers import INITIALIZERS
from caveats.models.normalizations import NORMALIZATIONS
from caveats.run import Run
from caveats.training.losses import LOSSES
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.schedules import SCHEDULES

IRIS = RunConfig.from_dict(
    {
        "data": {"file": "iris.npz"},
        "network": {"widths": [12, 8], "activation": "relu"},
        "training": {"steps": 20, "batch_size": 32},
    }
)


@pytest.fixture(scope="module")
def networks():
    return [network for part in SEEDS for network in sampled(part)]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_small_and_standardized(name):
    rows = dataset({"file": f"{name}.npz", "standardize": True})
    assert 20 <= rows.rows <= 1000
    assert abs(rows.x.mean(0)).max() < 1e-5
    constant = dataset({"file": f"{name}.npz", "standardize": False}).x.std(0) == 0
    assert rows.x.std(0)[~constant] == pytest.approx(1, abs=1e-4)
    if rows.classes is None:
        assert rows.y.std(0) == pytest.approx(1, abs=1e-4)
    else:
        assert set(rows.y) == set(range(rows.classes))


def test_a_table_can_be_left_as_it_is():
    raw = dataset({"file": "wine.npz", "standardize": False})
    assert raw.x.max() > 1000


def test_no_seed_is_in_both_parts():
    assert not set(SEEDS["dev"]) & set(SEEDS["held-out"])


def test_a_seed_always_draws_the_same_networks():
    once, again = (
        [key_of(network.config, network.alterations) for network in drawn(3301)] for _ in range(2)
    )
    assert once == again
    assert len(set(once)) == len(once)


def test_any_faults_can_be_taken_out_of_a_network(networks):
    for network in networks:
        for count in range(len(network.faults) + 1):
            for some in combinations(network.faults, count):
                left = network.without(*some)
                assert len(left.faults) == len(network.faults) - count
                assert left.config.network.widths == network.sound.network.widths
        assert network.without(*network.faults).config == network.sound


def test_every_choice_of_a_config_is_drawn(networks):
    configs = [network.config for network in networks]
    assert {c.optimizer.name for c in configs} == set(OPTIMIZERS)
    assert {name for c in configs for name in c.network.activations} == set(ACTIVATIONS)
    assert {c.network.init.name for c in configs} == set(INITIALIZERS)
    assert {c.network.normalization for c in configs} == set(NORMALIZATIONS)
    assert {c.optimizer.schedule for c in configs} == set(SCHEDULES)
    # Those that there were when the seeds were fixed.
    assert {c.training.loss for c in configs} == {"auto", "cross_entropy", "mse"} <= set(LOSSES)
    assert {c.data.file.removesuffix(".npz") for c in configs} == set(TABLES)
    depths = [len(c.network.widths) for c in configs]
    assert (min(depths), max(depths)) == (1, 12)
    steps = [c.training.steps for c in configs]
    assert min(steps) >= 300
    assert max(steps) <= 3000
    assert np.mean([not c.data.standardize for c in configs]) < 0.05


def altered(*alterations):
    return AlteredRun(IRIS, dataset(IRIS.data.settings()), alterations)


def test_what_was_altered_is_measured_at_step_0():
    sound, frozen = altered(), altered(Alteration("bias", 1, -100.0))
    dead = [run.history.snapshot().layers("dead")[0] for run in (sound, frozen)]
    assert dead[0][1] < 8
    assert list(dead[1][:2]) == [dead[0][0], 8]


def test_alterations_change_one_layer_as_they_say():
    sound = altered().trainer.network
    zero = altered(Alteration("scale", -1, 0.0)).trainer.network
    copied = altered(Alteration("copy", 0)).trainer.network
    assert not zero[-1].weight.any()
    assert torch.equal(zero[0].linear.weight, sound[0].linear.weight)
    assert torch.equal(copied[0].linear.weight, sound[0].linear.weight[:1].expand(12, 4))


def test_a_run_without_alterations_is_a_run():
    rows = dataset(IRIS.data.settings())
    plain, mine = Run(IRIS, rows), AlteredRun(IRIS, rows)
    while not plain.finished:
        plain.advance()
        mine.advance()
    for theirs, ours in zip(
        plain.trainer.network.parameters(), mine.trainer.network.parameters(), strict=True
    ):
        assert torch.equal(theirs, ours)


def test_a_store_tells_altered_networks_from_others_and_trains_nothing_twice(
    tmp_path: Path, monkeypatch
):
    store = Store(tmp_path, dataset)
    zero = (Alteration("scale", 0, 0.0),)
    sound, spoiled = store.sample(IRIS), store.sample(IRIS, zero)
    assert sound.outcome["loss"] < spoiled.outcome["loss"]
    assert store.outcome(IRIS, zero)["loss"] == spoiled.outcome["loss"]
    monkeypatch.setattr(
        "benchmarks.verdict_suite.training.AlteredRun", lambda *_: pytest.fail("trained again")
    )
    again = Store(tmp_path, dataset)
    assert again.sample(IRIS, zero).outcome == spoiled.outcome
    assert again.outcome(IRIS, zero)["loss"] == spoiled.outcome["loss"]
    assert again.sample(IRIS, zero).history.snapshot().steps[-1] == 20
