"""Every choice of every table works, and the facts that the tables state are true."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from caveats.config import RunConfig
from caveats.data.catalogue import DATASETS
from caveats.errors import ConfigError
from caveats.models.activations import ACTIVATIONS
from caveats.models.initializers import INITIALIZERS
from caveats.models.mlp import build, linears
from caveats.models.normalizations import NORMALIZATIONS
from caveats.run import Run
from caveats.training.device import choose_device
from caveats.training.losses import LOSSES
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.schedules import SCHEDULES
from caveats.training.trainer import Trainer, check_fit

BASE: dict[str, Any] = {
    "data": {"name": "moons", "n": 60},
    "network": {"widths": [5, 5]},
    "training": {"batch_size": 20, "steps": 3},
}
EACH = [
    *(("network.activation", name) for name in ACTIVATIONS),
    *(("network.init", name) for name in INITIALIZERS),
    *(("network.normalization", name) for name in NORMALIZATIONS),
    *(("optimizer.name", name) for name in OPTIMIZERS),
    *(("optimizer.schedule", name) for name in SCHEDULES),
    *(("training.loss", name) for name in LOSSES),
    *(("data.name", name) for name in DATASETS),
]


@pytest.mark.parametrize(("key", "name"), EACH)
def test_every_choice_trains(key: str, name: str) -> None:
    # Small weights and steps: e^(e^z), two layers of exp, diverges from he_normal at once.
    small = {"network.init": {"name": "normal", "std": 0.1}, "optimizer.lr": 1e-4}
    run = Run(RunConfig.from_dict(BASE).changed({**small, key: name}), every=1)
    before = [p.detach().clone() for p in run.trainer.network.parameters()]
    while not run.finished:
        run.advance()
    assert run.divergence is None
    snapshot = run.history.snapshot()
    assert snapshot.steps.tolist() == [0, 1, 2, 3]
    assert np.isfinite(snapshot.scalar("loss")).all()
    for measure in ("dead", "delta_rms", "grad_norm", "weight_norm", "activation_mean"):
        assert np.isfinite(snapshot.layers(measure)).all(), measure
    moved = [
        not torch.equal(p, q) for p, q in zip(before, run.trainer.network.parameters(), strict=True)
    ]
    assert any(moved)


@pytest.mark.parametrize("widths", [[], [1], [1, 1, 1], [7, 3, 7, 7]])
@pytest.mark.parametrize("residual", [False, True])
def test_any_widths_train(widths: list[int], residual: bool) -> None:
    changes = {"network.widths": widths, "network.residual": residual}
    run = Run(RunConfig.from_dict(BASE).changed(changes), every=1)
    while not run.finished:
        run.advance()
    assert run.history.layers == (*(f"layer {i + 1}" for i in range(len(widths))), "output")
    assert run.history.snapshot().layers("units")[-1].tolist() == [*widths, 2]
    assert run.divergence is None


def test_residual_adds_the_input_where_widths_allow_it() -> None:
    config = RunConfig.from_dict(BASE).changed(
        {"network.widths": [4, 4, 3], "network.residual": True, "network.activation": "tanh"}
    )
    network = build(config.network, 4, 2, seed=0)
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    first, second, third, last = linears(network)
    h = x + torch.tanh(first(x))
    h = h + torch.tanh(second(h))
    torch.testing.assert_close(network(x), last(torch.tanh(third(h))))


def test_normalization_stands_between_weights_and_activation() -> None:
    config = RunConfig.from_dict(BASE).changed({"network.normalization": "layer"})
    network = build(config.network, 4, 2, seed=0)
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    first, second, last = linears(network)
    h = torch.relu(torch.nn.functional.layer_norm(first(x), (5,)))
    h = torch.relu(torch.nn.functional.layer_norm(second(h), (5,)))
    torch.testing.assert_close(network(x), last(h))


def test_bias_is_added_to_hidden_layers_alone() -> None:
    config = RunConfig.from_dict(BASE).changed({"network.bias": -3.0})
    biases = [linear.bias.tolist() for linear in linears(build(config.network, 2, 2, seed=0))]
    assert biases == [[-3.0] * 5, [-3.0] * 5, [0.0] * 2]


def drawn(name: str, fan_in: int, units: int, **settings: Any) -> torch.nn.Linear:
    init = {"name": name, **settings}
    network = RunConfig.from_dict({"network": {"widths": [units], "init": init}}).network
    x = torch.randn(300, fan_in, generator=torch.Generator().manual_seed(0))
    return linears(build(network, fan_in, 2, seed=1, rows=x))[0]


@pytest.mark.parametrize("shape", [(300, 300), (100, 700), (700, 100)])
@pytest.mark.parametrize(
    ("name", "settings"),
    [(name, {}) for name, choice in INITIALIZERS.items() if choice.variance is not None]
    + [
        ("normal", {"std": 0.7}), ("uniform", {"low": -0.2, "high": 0.2}),
        ("truncated_normal", {"std": 0.3}), ("xavier_normal", {"gain": 2.0}),
        ("xavier_uniform", {"gain": 0.5}), ("orthogonal", {"gain": 1.5}),
    ],
)  # fmt: skip
def test_the_variance_that_theory_is_told_is_that_of_the_weights(
    name: str, settings: dict[str, float], shape: tuple[int, int]
) -> None:
    """70,000 draws or more: the standard error of a variance is below .54 %, so 3 are 1.7 %."""
    fan_in, units = shape
    linear = drawn(name, fan_in, units, **settings)
    choice = INITIALIZERS[name]
    assert choice.variance is not None
    told = choice.variance(fan_in, units, {**choice.defaults(), **settings})
    weight = linear.weight.detach().double()
    assert float(weight.square().mean()) == pytest.approx(told, rel=0.017)
    assert abs(float(weight.mean())) < 4 * math.sqrt(told / weight.numel())
    bias_told = choice.bias_variance(fan_in)
    if bias_told:
        assert float(linear.bias.detach().square().mean()) == pytest.approx(bias_told, rel=0.35)
    else:
        assert not linear.bias.any()


@pytest.mark.parametrize(("name", "value"), [("zeros", 0.0), ("ones", 1.0), ("constant", 0.5)])
def test_constants_are_constant(name: str, value: float) -> None:
    assert (drawn(name, 7, 5).weight == value).all()
    assert (drawn("constant", 7, 5, value=-2.0).weight == -2.0).all()


def test_orthogonal_keeps_lengths() -> None:
    weight = drawn("orthogonal", 40, 40).weight.detach()
    torch.testing.assert_close(weight @ weight.T, torch.eye(40), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("fan_in", "kept"), [(1, 1), (2, 1), (10, 1), (100, 10), (64, 6)])
def test_sparse_leaves_every_unit_some_inputs(fan_in: int, kept: int) -> None:
    """torch rounds the zeros up: 90 % of 64 are 58. Of few inputs one stays."""
    assert (drawn("sparse", fan_in, 50).weight != 0).sum(1).tolist() == [kept] * 50


def test_lsuv_gives_every_layer_variance_one_on_the_data() -> None:
    settings: dict[str, Any] = {"widths": [30, 30], "init": "lsuv", "dropout": 0.5}
    config = RunConfig.from_dict({"network": {**settings, "normalization": "batch"}}).network
    x = torch.randn(400, 20, generator=torch.Generator().manual_seed(0))
    network = build(config, 20, 3, seed=0, rows=x)
    assert float(network[0].normalization.num_batches_tracked) == 0
    plain = build(
        RunConfig.from_dict({"network": {**settings, "dropout": 0.0}}).network, 20, 3, 0, x
    )
    h = x
    for index, linear in enumerate(linears(plain)):
        z = linear(h).detach()
        assert abs(float(z.std()) - 1) <= 0.1, index
        h = torch.relu(z)


def test_randomized_asymmetric_is_lus_distribution() -> None:
    """One entry of each row of [W, b] from Beta(2, 1), mean 2/3; the others N(0, .36/fan_in)."""
    fan_in, units = 100, 4000
    linear = drawn("randomized_asymmetric", fan_in, units)
    rows = torch.cat((linear.weight, linear.bias[:, None]), 1).detach().double()
    # Normal entries have deviation .06: what lies above .3 is one of Beta's, of which .09 miss.
    large = rows > 0.3
    assert large.sum(1).max() <= 1
    assert float(large.any(1).double().mean()) == pytest.approx(1 - 0.3**2, abs=0.015)
    assert float(rows[large].mean()) == pytest.approx(
        (2 / 3) * (1 - 0.3**3) / (1 - 0.3**2), abs=0.01
    )
    small = rows[(~large).all(1)] if bool((~large).all(1).any()) else rows[~large]
    assert float(rows[~large & (rows < 0)].square().mean() * fan_in) == pytest.approx(
        0.6007**2, rel=0.02
    )
    assert small.numel() > 0


GRID = torch.linspace(-30, 30, 240_001, dtype=torch.float64)


def slopes(name: str) -> torch.Tensor:
    z = GRID.clone().requires_grad_()
    module = ACTIVATIONS[name].make().double()
    (slope,) = torch.autograd.grad(module(z).sum(), z)
    return slope


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_flat_is_where_autograd_finds_slope_zero(name: str) -> None:
    low, high = ACTIVATIONS[name].flat
    zero = slopes(name) == 0
    if ACTIVATIONS[name].can_die:
        assert (zero == ((low >= GRID) | (high <= GRID))).all()
    elif name in ("gelu", "silu", "mish", "tanh", "sigmoid", "tanh_plus_one", "softsign", "sin"):
        # Zero at a point, or below the smallest number far out: nowhere over a stretch near 0.
        assert not zero[(GRID.abs() < 15)][1:].logical_and(zero[GRID.abs() < 15][:-1]).any()
    else:
        assert not zero[GRID.abs() < 15].any()


@pytest.mark.parametrize("name", [name for name, a in ACTIVATIONS.items() if a.can_saturate])
def test_tails_are_where_the_slope_is_below_a_twentieth_of_its_maximum(name: str) -> None:
    choice = ACTIVATIONS[name]
    low, high = choice.tails
    slope = slopes(name).abs()
    expected = slope < 0.05 * slope.max()
    if name == "relu6":  # its left side is ReLU's: a unit there is dead, not saturated
        expected &= GRID > 0
    told = (low > GRID) | (high < GRID)
    differ = GRID[expected != told]
    # They may differ at the limits themselves: within the grid's spacing of 2.5e-4.
    edges = torch.tensor([edge for edge in (low, high) if math.isfinite(edge)]).double()
    assert ((differ[:, None] - edges).abs().amin(1) < 3e-4).all()


def test_bounded_activations_and_no_others_have_tails() -> None:
    far = torch.tensor([-1e4, 1e4], dtype=torch.float64)
    for name, choice in ACTIVATIONS.items():
        out = choice.make().double()(far).detach()
        left, right = (abs(float(value)) < 100 for value in out)
        # Flat on the left and unbounded on the right is ReLU: that is dead, not saturated; and the
        # smooth ones return to 0 through a dip.
        if name in ("relu", "gelu", "silu", "mish", "sin", "exp"):
            assert not choice.can_saturate
        elif name not in ("relu6",):
            assert math.isfinite(choice.tails[0]) == left, name
            assert math.isfinite(choice.tails[1]) == right, name


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_stay_within_the_configured_rate(name: str) -> None:
    schedule = SCHEDULES[name].make
    for steps in (1, 2, 7, 1000):
        factors = [schedule(step, steps) for step in range(steps + 3)]
        assert all(0 <= factor <= 1 for factor in factors)
        assert factors[0] > 0
    at = {"constant": (1.0, 1.0), "linear": (1.0, 0.5), "cosine": (1.0, 0.5), "warmup": (0.01, 1.0)}
    assert (schedule(0, 1000), schedule(500, 1000)) == pytest.approx(at[name])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_schedule_and_the_rate_reach_every_optimizer(name: str) -> None:
    config = RunConfig.from_dict(BASE).changed({"optimizer.name": name})
    assert config.optimizer.lr == OPTIMIZERS[name].lr
    config = config.changed({"optimizer.schedule": "linear", "training.steps": 4})
    trainer = Trainer(config, Run(config).dataset)
    for step in range(4):
        assert trainer.lr == pytest.approx(config.optimizer.lr * (1 - step / 4))
        assert all(
            g["lr"] == config.optimizer.lr * (1 - step / 4) for g in trainer.optimizer.param_groups
        )
        trainer.train_step()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"training.batch_size": 61}, ["batch_size = 61", "60 rows of moons", "at most 60"]),
        ({"data.name": "sine", "training.loss": "cross_entropy"}, ["cross_entropy", "sine", "mse"]),
        ({"training.batch_size": 1, "network.normalization": "batch"}, ["'batch'", "one row"]),
        ({"training.device": "cuda:9"}, ["'cuda:9'", "auto, cpu"]),
    ],
)
def test_what_only_data_and_machine_can_tell_is_one_sentence(
    changes: dict[str, Any], named: list[str]
) -> None:
    config = RunConfig.from_dict(BASE).changed(changes)
    with pytest.raises(ConfigError) as caught:
        Run(config)
    for word in named:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_batch_as_large_as_the_data_fits() -> None:
    config = RunConfig.from_dict(BASE).changed({"training.batch_size": 60})
    check_fit(config, Run(config).dataset)


@pytest.mark.parametrize("index", [1, 127, 128, 255, 256, 257, 999])
def test_a_gpu_is_looked_for_under_its_whole_number(
    index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # torch.device("cuda:256").index is 0: eight bits.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=f"'cuda:{index}' is not on this machine.*cuda:0"):
        choose_device(f"cuda:{index}", 1)
    assert choose_device("cuda:0", 1).device.index == 0
