"""A member of a stack starts from the bits of its single run, and stays beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from caveats.config import RunConfig
from caveats.data import load
from caveats.errors import ConfigError
from caveats.history import History
from caveats.measures import LAYER_MEASURES
from caveats.models.activations import ACTIVATIONS
from caveats.models.initializers import INITIALIZERS
from caveats.models.mlp import build
from caveats.run import Run
from caveats.stacks import Stack, grouped
from caveats.stacks.updates import RULES

MOONS = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 100},
        "network": {"widths": [6, 6, 6]},
        "optimizer": {"lr": 0.05},
        "training": {"batch_size": 32, "steps": 100, "device": "cpu"},
    }
)

KINDS: dict[str, dict[str, Any]] = {
    **{name: {"optimizer.name": name, "optimizer.lr": 0.003} for name in RULES},
    "decay": {"optimizer.name": "nesterov", "optimizer.weight_decay": 0.1},
    "rmsprop_momentum": {
        "optimizer.name": "rmsprop", "optimizer.momentum": 0.5, "optimizer.lr": 0.001,
    },
    "adagrad_decay": {"optimizer.name": "adagrad", "optimizer.lr_decay": 0.01},
    "batch": {"network.normalization": "batch"},
    "layer_residual": {"network.normalization": "layer", "network.residual": True},
    "rms_dropout_prelu": {
        "network.normalization": "rms", "network.dropout": 0.2, "network.activation": "prelu",
    },
    "clip_cosine": {"optimizer.clip_norm": 0.2, "optimizer.schedule": "cosine"},
    "full_batch_mse": {"training.batch_size": 0, "training.loss": "mse"},
    "regression": {"data.name": "sine", "network.activation": "tanh"},
    "no_hidden_layer": {"network.widths": []},
}  # fmt: skip


def finished(stack: Any) -> Any:
    while not stack.finished:
        stack.advance()
    return stack


def close(single: History, member: History, tolerance: float) -> None:
    """Same records at the same steps, and every measure but those that no rule reads."""
    a, b = single.snapshot(), member.snapshot()
    assert a.steps.tolist() == b.steps.tolist()
    for name in ("loss", "accuracy", "batch_loss", "lr", "sharpness"):
        # A Hessian-vector product loses some of the digits.
        rtol = 1e-3 if name == "sharpness" else tolerance
        np.testing.assert_allclose(b.scalar(name), a.scalar(name), rtol=rtol, err_msg=name)
    for name in LAYER_MEASURES.keys() - {"silent"}:
        expected, found = a.layers(name), b.layers(name)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_stays_within_1e_5_of_its_single_run_over_100_steps(kind: str) -> None:
    configs = [MOONS.changed({**KINDS[kind], "training.seed": seed}) for seed in (0, 3)]
    stack = finished(Stack(configs, every=20))
    run = finished(Run(configs[1], every=20))
    close(run.history, stack.histories[1], 1e-5)
    alone, stacked = run.history.facts, stack.histories[1].facts
    assert stacked.layers == alone.layers
    assert stacked.reachable == alone.reachable
    assert stacked.baseline == alone.baseline
    assert repr(stacked.optimizer) == repr(alone.optimizer)  # eps may be NaN


def test_an_activation_of_its_own_for_each_member_and_layer() -> None:
    names = list(ACTIVATIONS)
    configs = [
        MOONS.changed(
            {
                "network.activation": [names[i], names[i - 1], names[i - 2]],
                "network.init": "xavier_normal",
                "network.dropout": 0.1 * (i % 2),
                "training.seed": i,
                "training.steps": 8,
            }
        )
        for i in range(len(names))
    ]
    stack = finished(Stack(configs, every=4))
    for config, history in zip(configs, stack.histories, strict=True):
        close(finished(Run(config, every=4)).history, history, 1e-5)


@pytest.mark.parametrize("init", INITIALIZERS)
def test_the_start_of_a_member_equals_that_of_its_single_run_to_the_bit(init: str) -> None:
    configs = [
        MOONS.changed({"network.init": init, "network.bias": 0.1, "training.seed": seed})
        for seed in (5, 6, 7)
    ]
    dataset = load(MOONS.data.settings())
    stack = Stack(configs, [dataset] * 3, every=10**9)
    for index, config in enumerate(configs):
        rows = torch.tensor(dataset.x[:512])
        alone = build(config.network, 2, 2, config.training.seed, rows).state_dict()
        member = stack.network.member(index, config.network).state_dict()
        assert {k: t.numpy().tobytes() for k, t in member.items()} == {
            k: t.numpy().tobytes() for k, t in alone.items()
        }


def test_members_may_learn_from_different_data_of_one_shape() -> None:
    configs = [
        MOONS.changed({"data.standardize": flag, "data.shift": shift, "training.steps": 30})
        for flag, shift in ((True, 0.0), (False, 5.0), (False, 0.0))
    ]
    stack = finished(Stack(configs))
    for config, history in zip(configs, stack.histories, strict=True):
        close(finished(Run(config)).history, history, 1e-5)


def test_a_member_that_diverges_stops_alone_and_says_where() -> None:
    rates = (0.05, 1e20, 0.1, 1e30)
    configs = [
        MOONS.changed({"optimizer.lr": rate, "training.seed": i, "training.steps": 40})
        for i, rate in enumerate(rates)
    ]
    stack = finished(Stack(configs))
    diverged = []
    for config, history, divergence in zip(
        configs, stack.histories, stack.divergences, strict=True
    ):
        run = finished(Run(config))
        assert divergence == run.divergence
        assert history.snapshot().steps.tolist() == run.history.snapshot().steps.tolist()
        assert history.snapshot().events == run.history.snapshot().events
        diverged.append(divergence is not None)
    assert diverged == [False, True, False, True]
    assert len(stack) == 2


def test_a_stack_whose_last_member_diverges_is_finished() -> None:
    stack = finished(Stack([MOONS.changed({"optimizer.lr": 1e30})]))
    assert stack.step < 100
    assert stack.divergences[0] is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"network.widths": [4]},
            "networks of one stack share network.widths: the first has [6, 6, 6], number 2 has [4]",
        ),
        (
            {"optimizer.name": "adam"},
            "networks of one stack share optimizer.name: the first has 'sgd', number 2 has 'adam'",
        ),
        (
            {"data.n": 200},
            "networks of one stack share the number of rows of the data: the first has 100, "
            "number 2 has 200",
        ),
    ],
)
def test_unlike_shapes_are_refused_in_one_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Stack([MOONS, MOONS.changed(changes)])
    assert str(refused.value) == said


def test_an_optimizer_that_cannot_be_stacked_is_refused_and_grouped_alone() -> None:
    muon = MOONS.changed({"optimizer.name": "muon"})
    with pytest.raises(ConfigError, match=r"^optimizer\.name = 'muon' cannot train as a stack"):
        Stack([muon])
    other = MOONS.changed({"network.widths": [4]})
    assert grouped([MOONS, muon, other, muon, MOONS]) == [[0, 4], [1], [2], [3]]


def test_a_stack_does_not_touch_torch_s_generator() -> None:
    before = torch.get_rng_state()
    finished(Stack([MOONS.changed({"network.dropout": 0.5, "training.steps": 5})]))
    assert torch.equal(torch.get_rng_state(), before)
