"""What a run makes small: each loss is torch's, its constant and its gradients are right, and so is
what the outputs are said to predict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn

from caveats.config import RunConfig
from caveats.data import load
from caveats.data.dataset import Dataset
from caveats.errors import ConfigError
from caveats.measuring.constants import constant_loss
from caveats.measuring.yardsticks import kernel_reach
from caveats.models.output_activations import OUTPUT_ACTIVATIONS
from caveats.run import Run
from caveats.training.losses import LOSSES
from caveats.training.objective import CLASS_WEIGHTS, Objective
from caveats.training.trainer import Trainer

NAMED = [name for name in LOSSES if name != "auto"]
BASE: dict[str, Any] = {
    "data": {"name": "moons", "n": 60},
    "network": {"widths": [6, 5], "activation": "tanh"},
    "training": {"batch_size": 20, "steps": 12},
}


def shares(*counts: int) -> Tensor:
    """Classes, as many rows of each as ``counts`` says."""
    return torch.cat([torch.full((count,), k) for k, count in enumerate(counts)])


def test_losses_of_two_classes_are_what_torchs_modules_give() -> None:
    torch.manual_seed(0)
    z, y = torch.randn(9, 1), torch.randint(0, 2, (9,))
    t = y[:, None].float()
    assert Objective("bce", 2)(z, y) == nn.BCEWithLogitsLoss()(z, t)
    probable = Objective("bce", 2, probabilities=True)
    assert probable(z.sigmoid(), y) == nn.BCELoss()(z.sigmoid(), t)
    assert Objective("l1", 2)(z, y) == nn.L1Loss()(z, t)
    assert Objective("huber", 2)(z, y) == nn.HuberLoss()(z, t)


def test_losses_of_three_classes_are_what_torchs_modules_give() -> None:
    torch.manual_seed(0)
    z, y = torch.randn(9, 3), torch.randint(0, 3, (9,))
    t = nn.functional.one_hot(y, 3).float()
    assert Objective("bce", 3)(z, y) == nn.BCEWithLogitsLoss()(z, t)
    assert Objective("cross_entropy", 3)(z, y) == nn.CrossEntropyLoss()(z, y)
    # The mistake that many make: a softmax before a loss that takes one itself.
    doubled = Objective("cross_entropy", 3, probabilities=True)(z.softmax(-1), y)
    assert doubled == nn.CrossEntropyLoss()(z.softmax(-1), y)


def test_a_probability_that_is_nan_gives_a_loss_that_is_nan_and_no_error() -> None:
    z = torch.tensor([[0.3], [math.nan]], requires_grad=True)
    objective = Objective("bce", 2, probabilities=True)
    assert math.isnan(objective(z, torch.tensor([0, 1])).item())
    sure = torch.tensor([[1000.0], [-1000.0]], requires_grad=True)
    objective(sure.sigmoid(), torch.tensor([0, 1])).backward()  # type: ignore[no-untyped-call]
    assert sure.grad is not None
    assert sure.grad.isfinite().all()


@pytest.mark.parametrize("counts", [(3, 5), (1, 7, 2), (40, 2), (0, 4, 4)])
def test_balanced_weights_are_scikit_learns(counts: tuple[int, ...]) -> None:
    y = shares(*counts).numpy()
    found = CLASS_WEIGHTS["balanced"].make(np.bincount(y, minlength=len(counts)))
    present = np.flatnonzero(counts)
    assert found[present] == pytest.approx(compute_class_weight("balanced", classes=present, y=y))


def test_over_all_rows_a_weighted_loss_is_torchs_weighted_loss() -> None:
    torch.manual_seed(0)
    y = shares(12, 3, 5)
    z = torch.randn(20, 3)
    weights = torch.tensor(CLASS_WEIGHTS["balanced"].make(np.bincount(y))).float()
    found = Objective("cross_entropy", 3, weights=weights)(z, y)
    assert found.item() == pytest.approx(nn.CrossEntropyLoss(weights)(z, y).item(), rel=1e-6)


def lowest(objective: Objective, y: Tensor, outputs: int) -> float:
    """The loss of the best constant, found by gradient descent with ever smaller steps."""
    best = math.inf
    constant = torch.zeros((1, outputs), dtype=torch.float64, requires_grad=True)
    search = torch.optim.Adam([constant])
    for step in range(350):
        search.param_groups[0]["lr"] = 0.1 * 0.98**step
        loss = objective(constant.expand(len(y), outputs), y)
        search.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        search.step()
        best = min(best, loss.item())
    return best


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("counts", [(30, 11), (10, 3, 8)])
@pytest.mark.parametrize("loss", NAMED)
def test_no_constant_does_better_than_the_yardstick_for_classes(
    loss: str, counts: tuple[int, ...], weighted: bool
) -> None:
    y = shares(*counts)
    weights = torch.linspace(0.5, 2, len(counts)).double() if weighted else None
    outputs = 1 if loss == "bce" and len(counts) == 2 else len(counts)
    found = constant_loss(y, loss, weights)
    best = lowest(Objective(loss, len(counts), weights=weights), y, outputs)
    assert found == pytest.approx(best, rel=2e-3)
    assert found <= best + 1e-9


@pytest.mark.parametrize("loss", ["mse", "l1", "huber", "bce"])
def test_no_constant_does_better_than_the_yardstick_for_numbers(loss: str) -> None:
    rng = np.random.default_rng(0)
    y = torch.tensor(rng.gamma(0.5, 4, (41, 2)))  # skewed, with tails beyond 1
    y = y / y.max() if loss == "bce" else y
    found = constant_loss(y, loss)
    best = lowest(Objective(loss, None), y, 2)
    assert found == pytest.approx(best, rel=2e-3)
    assert found <= best + 1e-9


def test_the_yardstick_knows_of_a_class_that_no_row_has() -> None:
    y = shares(6, 2)
    assert constant_loss(y, "mse", classes=4) == pytest.approx(2 * (0.75 * 0.25) / 4)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", NAMED)
def test_kernel_regression_learns_under_every_loss(loss: str, weighted: bool) -> None:
    y = shares(45, 15, 30)
    x = torch.stack([10.0 * y, torch.linspace(0, 1, 90)], 1)
    weights = torch.tensor([0.7, 2.0, 1.0]) if weighted else None
    found = kernel_reach(x, y, loss, weights)
    assert found.loss < 0.1 * constant_loss(y, loss, weights)
    assert found.accuracy == 1.0


def test_kernel_regression_of_noise_is_no_better_than_a_constant_under_weights() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(250, 4), (torch.rand(250) < 0.1).long()
    weights = torch.tensor(CLASS_WEIGHTS["balanced"].make(np.bincount(y)))
    found = kernel_reach(x, y, "bce", weights)
    assert 0.9 * constant_loss(y, "bce", weights) < found.loss < 1.05 * math.log(2)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("behind", list(OUTPUT_ACTIVATIONS))
@pytest.mark.parametrize("loss", NAMED)
def test_deltas_and_gradients_are_autograds(loss: str, behind: str, classes: int) -> None:
    """Each row's delta from a backward pass of its own, which no other row can disturb."""
    data = {"name": "moons", "n": 24} if classes == 2 else {"name": "blobs", "n": 24, "classes": 3}
    config = RunConfig.from_dict({**BASE, "data": data}).changed(
        {
            "training.loss": loss,
            "network.output_activation": behind,
            "training.class_weight": "balanced",
        }
    )
    run = Run(config)
    measured = run.probe.measure().layers
    objective, network = run.trainer.loss_function, run.trainer.network
    linears = [m for m in network.modules() if isinstance(m, nn.Linear)]
    squares = [0.0] * len(linears)
    total = [torch.zeros_like(m.weight) for m in linears]
    for row in range(24):
        seen: list[Tensor] = []
        hooks = [
            m.register_forward_hook(lambda _m, _i, z, seen=seen: seen.append(z)) for m in linears
        ]
        loss_of_row = objective(network(run.probe.x[row : row + 1]), run.probe.y[row : row + 1])
        for hook in hooks:
            hook.remove()
        deltas = torch.autograd.grad(loss_of_row, seen, retain_graph=True)
        grads = torch.autograd.grad(loss_of_row, [m.weight for m in linears])
        squares = [s + d.square().mean().item() for s, d in zip(squares, deltas, strict=True)]
        total = [t + g / 24 for t, g in zip(total, grads, strict=True)]
    rms = np.sqrt(np.array(squares) / 24)
    assert measured["delta_rms"] == pytest.approx(rms, rel=1e-4, abs=1e-9)
    norms = [float(t.norm()) for t in total]
    assert measured["grad_norm"] == pytest.approx(norms, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("loss", NAMED)
def test_the_sharpness_is_there_under_every_loss(loss: str) -> None:
    """It needs second derivatives, which not every loss of torch's has."""
    config = RunConfig.from_dict(BASE).changed(
        {"training.loss": loss, "network.output_activation": "sigmoid"}
    )
    run = Run(config, every=4)
    while not run.finished:
        run.advance()
    assert np.isfinite(run.history.snapshot().scalar("sharpness")[-1])


@pytest.mark.parametrize("behind", ["none", "sigmoid"])
def test_one_output_tells_two_classes_apart(behind: str) -> None:
    changes = {"training.loss": "bce", "network.output_activation": behind, "optimizer.lr": 1.0}
    run = Run(RunConfig.from_dict(BASE).changed({**changes, "training.steps": 150}))
    assert run.outputs == 1
    while not run.finished:
        run.advance()
    with torch.no_grad():
        answers = run.trainer.network(run.trainer.x)[:, 0].numpy()
    said = answers > (0.5 if behind == "sigmoid" else 0)
    expected = float(np.mean(said == (run.dataset.y == 1)))
    assert run.history.snapshot().scalar("accuracy")[-1] == expected > 0.8
    assert run.history.layers[-1] == "output"
    assert run.history.facts.layers[-1].output


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training.loss": "bce"}, "needs classes or numbers from 0 to 1"),
        ({"training.loss": "cross_entropy"}, "needs classes"),
        ({"training.class_weight": "balanced"}, "needs classes"),
    ],
)
def test_what_numbers_do_not_allow_is_one_sentence(changes: dict[str, Any], said: str) -> None:
    config = RunConfig.from_dict({"data": {"name": "sine"}}).changed(changes)
    with pytest.raises(ConfigError, match=said):
        Trainer(config, load(config.data.settings()))


def test_bce_takes_several_columns_of_shares() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3)).astype(np.float32)
    data = Dataset("labels", x, (x[:, :2] > 0).astype(np.float32), None)
    run = Run(RunConfig.from_dict(BASE).changed({"training.loss": "bce"}), data)
    assert run.outputs == 2
    assert run.baseline == pytest.approx(math.log(2), rel=0.05)


def test_r2_and_the_error_in_the_targets_own_unit_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3)).astype(np.float32)
    y = (1000 + 50 * np.sin(x[:, :2])).astype(np.float32)
    std = y.astype(float).std(0)
    scaled = ((y - y.mean(0)) / std).astype(np.float32)
    data = Dataset("own", x, scaled, None, target_mean=y.mean(0).astype(float), target_std=std)
    run = Run(RunConfig.from_dict(BASE), data)
    while not run.finished:
        run.advance()
    with torch.no_grad():
        said = run.trainer.network(run.trainer.x).numpy() * std + y.mean(0)
    last = run.history.snapshot()
    assert last.scalar("r2")[-1] == pytest.approx(r2_score(y, said), rel=1e-4)
    errors = np.sqrt(mean_squared_error(y, said, multioutput="raw_values"))
    assert last.scalar("rmse")[-1] == pytest.approx(errors.mean(), rel=1e-4)
    assert np.isnan(last.scalar("accuracy")[-1])
