"""A training that is watched computes the same to the last bit, and nothing is left behind."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import optimizer as optimizers

import caveats
from caveats.errors import ConfigError
from caveats.watching.instruments import Instruments

_spec = importlib.util.spec_from_file_location(
    "trainings", Path(__file__).with_name("trainings.py")
)
assert _spec is not None
assert _spec.loader is not None
trainings = importlib.util.module_from_spec(_spec)
sys.modules["trainings"] = trainings
_spec.loader.exec_module(trainings)
TRAININGS = trainings.TRAININGS

# Layers whose units some sampled step shows, and what is said of the others.
BLIND = {"compiled_function": "a function that is compiled"}
ONLY_HEAD = {"compiled_activation"}


def run(make: Callable[[], Any], instruments: Instruments | None = None) -> Any:
    random.seed(3)
    np.random.seed(3)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        if instruments is not None:
            instruments.install()
        try:
            losses, models = make()
        finally:
            if instruments is not None:
                instruments.remove()
        generators = (torch.get_rng_state(), np.random.get_state()[1], random.getstate())
    return losses, [m.state_dict() for m in models], generators


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("name", TRAININGS)
def test_it_trains_as_it_would_alone(name: str) -> None:
    alone = run(TRAININGS[name])
    instruments = Instruments(every=1)
    watched = run(TRAININGS[name], instruments)
    assert instruments.problem == ""
    assert watched[0] == alone[0]
    for ours, theirs in zip(watched[1], alone[1], strict=True):
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert torch.equal(watched[2][0], alone[2][0])
    assert np.array_equal(watched[2][1], alone[2][1])
    assert watched[2][2] == alone[2][2]

    assert len(instruments.trainings) == len(alone[1])
    for training in instruments.trainings:
        assert training.problem == ""
        assert training.history is not None
        records = training.history.snapshot()
        assert len(records) >= 10
        assert np.isfinite(records.scalar("loss")).all()
        assert np.isfinite(records.layers("grad_norm")[:-1]).all()
        assert np.isfinite(records.layers("update_ratio")[2:-1]).all()
        if name in BLIND:
            assert BLIND[name] in training.unobserved["activations"]
        else:
            assert "activations" not in training.unobserved
            shown = records.layers("activation_std")[:-1, -1 if name in ONLY_HEAD else 0 :]
            assert np.isfinite(shown).any(1).all()


@pytest.mark.parametrize("name", ["updated_by_hand", "updated_through_data"])
def test_parameters_without_an_optimizer_are_no_fault(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainings, "STEPS", 40)
    instruments = Instruments(every=1)
    run(TRAININGS[name], instruments)
    (training,) = instruments.trainings
    assert training.step > 30
    assert "nothing_learns" not in {verdict.caveat for verdict in training.judge.verdicts}


def state_of_torch() -> list[Any]:
    return [
        torch.autograd.backward, torch.amp.GradScaler.scale, torch.compile, torch.jit.script,
        nn.Module.compile, nn.Module.__getstate__, torch.optim.Optimizer.__init__,
        dict(optimizers._global_optimizer_pre_hooks), dict(optimizers._global_optimizer_post_hooks),
    ]  # fmt: skip


def test_after_close_nothing_is_left() -> None:
    before = state_of_torch()
    model = trainings.mlp()
    optimizer = torch.optim.Adam(model.parameters())
    with caveats.watch(model, optimizer, every=1) as seen:
        trainings.loop(model, optimizer)
    assert state_of_torch() == before
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    assert not optimizer._optimizer_step_pre_hooks
    made = len(seen.history)
    trainings.loop(model, optimizer)
    assert len(seen.history) == made
    seen.close()  # a second time does nothing


def test_one_line_without_an_optimizer_and_without_a_block() -> None:
    """As in a notebook: a call, some training, a look, more training, `close`."""
    torch.manual_seed(0)
    before = state_of_torch()
    model = trainings.mlp()
    with torch.no_grad():
        model[0].bias.fill_(-50.0)
    seen = caveats.watch(model, every=1)
    assert (len(seen.history), seen.verdicts()) == (0, ())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses, _ = trainings.loop(model, optimizer)
    losses += trainings.loop(model, optimizer)[0]
    records = seen.history.snapshot()
    assert records.scalar("loss").tolist() == pytest.approx(losses[: len(records)], rel=1e-6)
    assert seen.verdicts()[0].caveat == "dying_relu"
    seen.close()
    assert state_of_torch() == before
    assert seen.verdicts()[0].caveat == "dying_relu"


def test_the_numbers_are_those_of_the_training() -> None:
    """Against torch's own gradients and weights, step by step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    norms, moves, means = [], [], []
    with caveats.watch(model, optimizer, every=1) as seen:
        for _ in range(8):
            x, y = trainings.batch()
            with torch.no_grad():
                hidden = model[1](model[0](x))
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            before = model[0].weight.detach().clone()
            norms.append(float(model[0].weight.grad.norm()))
            optimizer.step()
            moves.append(float((model[0].weight.detach() - before).norm() / before.norm()))
            means.append(float(hidden.mean()))
    records = seen.history.snapshot()
    assert seen.history.layers == ("0", "2")
    assert [f.activation for f in seen.history.facts.layers] == ["relu", "identity"]
    assert records.steps.tolist() == list(range(8))
    assert records.layers("grad_norm")[:, 0].tolist() == pytest.approx(norms)
    assert records.layers("update_ratio")[1:, 0].tolist() == pytest.approx(moves[:-1], rel=1e-4)
    assert records.layers("activation_mean")[:, 0].tolist() == pytest.approx(means, rel=1e-4)
    assert seen.history.facts.optimizer is not None
    assert seen.history.facts.optimizer.lr == 0.1


@pytest.mark.parametrize("how", ["compiled", "compiled in place"])
def test_a_compiled_network_shows_what_the_same_network_shows_alone(how: str) -> None:
    """The second pass has the activations and the deltas of the first one."""
    histories = []
    for compiles in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8), nn.Tanh(),
            nn.Linear(8, 4),
        )  # fmt: skip
        called: Any = model
        if compiles and how == "compiled":
            called = torch.compile(model, backend="aot_eager")
        elif compiles:
            model.compile(backend="aot_eager")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with caveats.watch(model, optimizer, every=1) as seen:
            trainings.loop(model, optimizer, called)
        assert seen.problem == ""
        assert seen.unobserved == {}
        histories.append(seen.history)
    plain, compiled = (history.snapshot() for history in histories)
    assert histories[0].layers == histories[1].layers
    assert [f.activation for f in histories[1].facts.layers] == ["relu", "tanh", "identity"]
    for measure in ("activation_mean", "activation_std", "delta_rms", "dormant", "grad_norm"):
        assert np.allclose(
            compiled.layers(measure)[:-1], plain.layers(measure)[:-1], rtol=1e-4, atol=1e-6
        ), measure


def test_a_unit_is_dead_only_when_it_is_flat_on_a_whole_window_of_rows() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))
    with torch.no_grad():
        model[0].bias[:5] = -100.0
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with caveats.watch(model, optimizer, every=1) as seen:
        for _ in range(18):  # 32 rows each
            x, y = trainings.batch()
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    dead = seen.history.snapshot().layers("dead")[:, 0]
    assert np.isnan(dead[:15]).all()
    assert dead[15:18].tolist() == [5, 5, 5]
    assert seen.history.snapshot().layers("born_dead")[17, 0] == 5


def test_what_cannot_be_watched_is_said_in_a_sentence() -> None:
    model, other = trainings.mlp(), trainings.mlp()
    with pytest.raises(ConfigError, match="no parameter of the Sequential"):
        caveats.watch(model, torch.optim.SGD(other.parameters(), lr=0.1))
    with pytest.raises(ConfigError, match="has no parameters"):
        caveats.watch(nn.ReLU())
