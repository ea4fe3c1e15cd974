"""Bit-exact training: measuring and other runs do not change a run, and a saved run continues
exactly."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from caveats.config import RunConfig
from caveats.data import load
from caveats.models.mlp import build
from caveats.run import Run
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.trainer import Trainer

MOONS: dict[str, dict[str, Any]] = {
    "data": {"name": "moons", "n": 200},
    "network": {"widths": [8, 8]},
    "training": {"batch_size": 32, "steps": 60},
}

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": {"network.dropout": 0.3},
    "dropout_batch_norm_adam": {
        "network.dropout": 0.3, "network.normalization": "batch", "optimizer.name": "adam",
    },
    "momentum_cosine_clip": {
        "optimizer.name": "momentum", "optimizer.schedule": "cosine", "optimizer.clip_norm": 0.5,
    },
    "muon_warmup_residual": {
        "optimizer.name": "muon", "optimizer.schedule": "warmup", "network.residual": True,
    },
    "prelu_nadam_layer_norm": {
        "network.activation": "prelu", "optimizer.name": "nadam", "network.normalization": "layer",
    },
    "lsuv_full_batch": {"network.init": "lsuv", "training.batch_size": 0},
    "held_out_bce_sigmoid": {
        "data.validation": 0.2, "training.loss": "bce", "network.output_activation": "sigmoid",
        "training.class_weight": "balanced", "network.dropout": 0.2,
    },
    "softmax_huber_own_inits": {
        "network.output_activation": "softmax", "training.loss": "huber",
        "network.init": ["lsuv", "he_normal", "xavier"],
    },
}  # fmt: skip
each_kind = pytest.mark.parametrize("kind", KINDS)


def config(kind: str) -> RunConfig:
    return RunConfig.from_dict(MOONS).changed(KINDS[kind])


def bits(network: nn.Module) -> dict[str, bytes]:
    """Every weight, running average and counter, to the bit."""
    return {name: t.numpy().tobytes() for name, t in network.state_dict().items()}


def trained(config: RunConfig, steps: int, every: int | None = 10**9) -> Run:
    run = Run(config, every=every)
    for _ in range(steps):
        run.advance()
    return run


@each_kind
def test_measured_or_not_the_weights_are_the_same(kind: str) -> None:
    bare = Trainer(config(kind), load(config(kind).data.settings()))
    for _ in range(24):
        bare.train_step()
    for every in (1, 7, None):
        run = Run(config(kind), every=every)
        for step in range(24):
            run.advance()
            if every == 7 and step % 5 == 0:  # out of turn too
                run.record()
                run.probe.measure(deep=True)
                run.probe.confirm(run.trainer.x)
        assert bits(run.trainer.network) == bits(bare.network)


@each_kind
def test_the_global_random_numbers_are_left_alone(kind: str) -> None:
    torch.manual_seed(123)
    before = torch.get_rng_state()
    run = trained(config(kind), 20, every=2)
    run.probe.measure(deep=True)
    assert (torch.get_rng_state() == before).all()


@each_kind
def test_the_global_random_numbers_have_no_say(kind: str) -> None:
    torch.manual_seed(1)
    first = trained(config(kind), 20)
    torch.manual_seed(2)
    torch.rand(7)
    assert bits(trained(config(kind), 20).trainer.network) == bits(first.trainer.network)


@each_kind
def test_two_runs_side_by_side_are_each_as_if_alone(kind: str) -> None:
    first, second = Run(config(kind)), Run(config("dropout").changed({"training.seed": 5}))
    for _ in range(25):
        first.advance()
        second.advance()
        second.record()
    assert bits(first.trainer.network) == bits(trained(config(kind), 25).trainer.network)


@each_kind
@pytest.mark.parametrize("at", [0, 1, 17])
def test_a_saved_run_continues_to_the_bit(kind: str, at: int) -> None:
    """Step 17 lies in the middle of the third epoch of six batches."""
    data = load(config(kind).data.settings())
    whole = Trainer(config(kind), data)
    for _ in range(at):
        whole.train_step()
    saved = whole.state()
    for _ in range(30):
        whole.train_step()
    for _ in range(2):  # loading does not use up what was saved
        resumed = Trainer(config(kind), data)
        resumed.load(saved)
        assert resumed.step == at
        for _ in range(30):
            resumed.train_step()
        assert bits(resumed.network) == bits(whole.network)
        assert resumed.lr == whole.lr


def test_another_seed_gives_other_weights_batches_and_masks() -> None:
    runs = [trained(config("dropout").changed({"training.seed": s}), 5) for s in (0, 1)]
    assert bits(runs[0].trainer.network) != bits(runs[1].trainer.network)


def test_building_uses_every_initialisers_own_numbers() -> None:
    settings = config("plain").network
    first, again = (build(settings, 2, 2, seed=3) for _ in range(2))
    other = build(settings, 2, 2, seed=4)
    assert bits(first) == bits(again)
    assert bits(first) != bits(other)


LIVE: dict[str, dict[str, Any]] = {
    "lr": {"optimizer.lr": 0.01},
    "optimizer": {"optimizer.name": "adam"},
    "batch size": {"training.batch_size": 50},
    "full batch": {"training.batch_size": 0},
    "clip": {"optimizer.clip_norm": 0.1},
    "schedule": {"optimizer.schedule": "linear"},
    "dropout": {"network.dropout": 0.5},
    "activation": {"network.activation": "tanh"},
    "one layer's activation": {"network.activation": ["relu", "prelu"]},
    "steps": {"training.steps": 500},
}


@pytest.mark.parametrize("change", LIVE)
def test_a_live_change_keeps_the_weights_and_leaves_an_event(change: str) -> None:
    run = trained(config("plain"), 9)
    before = bits(run.trainer.network)
    assert not run.config.restarts(run.config.changed(LIVE[change]))
    run.change(run.config.changed(LIVE[change]))
    after = bits(run.trainer.network)
    assert {name: after[name] for name in before} == before
    (event,) = run.history.snapshot().events
    assert (event.step, event.kind) == (9, "change")
    assert LIVE[change].items() <= event.changes.items()
    assert "None" not in event.text
    run.advance()
    assert bits(run.trainer.network) != after


def test_a_changed_run_takes_the_step_that_its_new_config_says() -> None:
    run = trained(config("plain"), 9)
    run.change(run.config.changed({"optimizer.lr": 0.25}))
    before = [p.detach().clone() for p in run.trainer.network.parameters()]
    run.advance()
    for old, new in zip(before, run.trainer.network.parameters(), strict=True):
        torch.testing.assert_close(new.detach(), old - 0.25 * new.grad)


def test_momentum_survives_a_new_learning_rate_and_not_a_new_optimizer() -> None:
    run = trained(config("momentum_cosine_clip"), 9)
    run.change(run.config.changed({"optimizer.lr": 0.001}))
    assert run.trainer.optimizer.state
    run.change(run.config.changed({"optimizer.name": "adam"}))
    assert not run.trainer.optimizer.state


OTHER_VALUES = {"betas": (0.5, 0.9), "eps": 0.001}
OPTIONS = [
    pytest.param(name, option.name, OTHER_VALUES.get(option.name, 0.5), id=f"{name} {option.name}")
    for name, optimizer in OPTIMIZERS.items()
    for option in optimizer.options
]


@pytest.mark.parametrize(("name", "option", "value"), OPTIONS)
def test_a_new_option_is_written_into_the_optimizer_and_its_state_stays(
    name: str, option: str, value: Any
) -> None:
    """The reference is torch's own optimizer, its param_groups written to."""
    start = config("plain").changed({"optimizer.name": name, "optimizer.lr": 0.01})
    run = trained(start, 9)
    network, reference = copy.deepcopy((run.trainer.network, run.trainer.optimizer))
    for group in reference.param_groups:
        if option in group:
            group[option] = value
    if (name, option) == ("rmsprop", "momentum"):
        for parameter, state in reference.state.items():
            state["momentum_buffer"] = torch.zeros_like(parameter)
    run.change(start.changed({f"optimizer.{option}": value}))
    run.advance()
    parameters = list(run.trainer.network.parameters())
    for ours, its in zip(parameters, network.parameters(), strict=True):
        its.grad = ours.grad
    reference.step()
    assert bits(run.trainer.network) == bits(network)


@pytest.mark.parametrize("name", ["momentum", "rmsprop"])
def test_momentum_that_ends_and_starts_again_starts_from_nothing(name: str) -> None:
    start = config("plain").changed({"optimizer.name": name, "optimizer.momentum": 0.9})
    without = start.changed({"optimizer.momentum": 0.0})
    run = trained(start, 9)
    run.change(without)
    run.advance()
    fresh = trained(without, 1).trainer.optimizer.state_dict()["state"]
    now = run.trainer.optimizer.state_dict()["state"]
    # The state has the shape that a run of this config expects when it is resumed.
    assert {i: set(s) for i, s in now.items() if s} == {i: set(s) for i, s in fresh.items()}
    run.change(start)
    run.advance()
    for parameter in run.trainer.network.parameters():
        state = run.trainer.optimizer.state[parameter]
        size = 1 if name == "momentum" else state["square_avg"].sqrt() + 1e-8
        torch.testing.assert_close(state["momentum_buffer"], parameter.grad / size)


def test_a_prelu_that_moves_is_trained_and_one_that_stays_keeps_its_slope() -> None:
    """The number of parameters is the same before and after: only which they are differs."""
    start = config("plain").changed({"network.activation": ["prelu", "relu"]})
    run = trained(start, 9)
    slope = bits(run.trainer.network)["0.activation.weight"]
    run.change(start.changed({"network.activation": ["prelu", "tanh"]}))
    assert bits(run.trainer.network)["0.activation.weight"] == slope
    run.change(start.changed({"network.activation": ["relu", "prelu"]}))
    before = bits(run.trainer.network)["1.activation.weight"]
    run.advance()
    assert bits(run.trainer.network)["1.activation.weight"] != before


def test_a_change_that_needs_a_restart_is_refused() -> None:
    run = trained(config("plain"), 3)
    for key, value in (("network.widths", [9]), ("data.noise", 0.3), ("training.seed", 2)):
        with pytest.raises(ValueError, match="restart"):
            run.change(run.config.changed({key: value}))


def test_swapping_a_dying_relu_brings_units_back() -> None:
    run = trained(config("plain").changed({"network.bias": -30.0}), 1)
    assert run.probe.measure().layers["dead"][0] == 8
    run.change(run.config.changed({"network.activation": "leaky_relu"}))
    seen = run.probe.measure().layers
    assert seen["dead"][0] == 0
    assert seen["grad_norm"][0] > 0


def test_an_epoch_visits_every_row_once() -> None:
    trainer = Trainer(config("plain"), load(config("plain").data.settings()))
    rows = {tuple(row) for row in trainer.x.tolist()}
    for _ in range(3):
        seen = [tuple(row) for _ in range(6) for row in trainer.batches.next()[0].tolist()]
        assert len(seen) == len(set(seen)) == 192
        assert set(seen) <= rows
