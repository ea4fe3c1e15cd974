"""The yardsticks, compared with closed forms and with leave-one-out fits in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caveats.config import RunConfig
from caveats.measuring.constants import constant_loss
from caveats.measuring.scores import hit_shares
from caveats.measuring.yardsticks import RIDGES, WIDTHS, kernel_reach
from caveats.run import Run
from caveats.verdicts import Judge

Floats = NDArray[np.float64]


def refitted(x: Floats, t: Floats) -> float:
    """Mean squared error of kernel ridge regression, fitted again without each row in turn."""
    x = (x - x.mean(0)) / x.std(0)
    apart = np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))
    middle = float(torch.from_numpy(apart).median())
    best = math.inf
    for width in WIDTHS:
        kernel = np.exp(-0.5 * (apart / (width * middle)) ** 2)
        for ridge in RIDGES:
            errors = []
            for row in range(len(x)):
                others = np.delete(np.arange(len(x)), row)
                inner = kernel[np.ix_(others, others)] + ridge * np.eye(len(others))
                weights = np.linalg.solve(inner, t[others] - t.mean(0))
                errors.append(kernel[row, others] @ weights + t.mean(0) - t[row])
            best = min(best, float(np.mean(np.square(errors))))
    return best


def test_one_inverse_gives_what_fitting_anew_without_each_row_gives() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 3)) * [1, 10, 100] + 5
    t = np.sin(x[:, :2] / [1, 10])
    found = kernel_reach(torch.tensor(x), torch.tensor(t), "mse")
    assert found.loss == pytest.approx(refitted(x, t), rel=1e-6)


def test_classes_that_touch_nowhere_are_told_apart() -> None:
    y = torch.arange(90) % 3
    x = torch.stack([10.0 * y, torch.linspace(0, 1, 90)], 1)
    found = kernel_reach(x, y, "cross_entropy")
    assert found.loss < 0.01 * constant_loss(y, "cross_entropy")
    assert found.accuracy == 1.0


def test_every_row_that_is_given_counts() -> None:
    """Each row has one twin among 400, and nothing else tells its class."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 20, generator=generator)
    y = torch.randint(0, 2, (200,), generator=generator)
    found = kernel_reach(torch.cat((x, x)), torch.cat((y, y)), "cross_entropy")
    assert found.accuracy == 1.0


def test_targets_that_are_pure_noise_cannot_be_learnt() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(400, 4), torch.randint(0, 2, (400,))
    found = kernel_reach(x, y, "cross_entropy")
    assert found.loss > 0.95 * constant_loss(y, "cross_entropy")
    assert found.accuracy < 0.6


@pytest.mark.parametrize("rows", [30, 100, 256])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "l1"])
def test_what_the_best_of_many_kernels_gains_on_noise_does_not_count(rows: int, loss: str) -> None:
    """Where no rule is behind the targets, at most one draw in twenty shows any gain."""
    draw = torch.Generator().manual_seed(rows)
    passed = 0
    for _ in range(20):
        x = torch.randn(rows, 5, generator=draw)
        y = torch.randint(0, 3, (rows,), generator=draw)
        if loss != "cross_entropy":
            y = torch.randn(rows, 1, generator=draw)
        passed += kernel_reach(x, y, loss).loss < 0.999 * constant_loss(y, loss)
    assert passed <= 1


def test_the_four_rows_of_xor_can_be_learnt() -> None:
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    found = kernel_reach(x, torch.tensor([0, 1, 1, 0]), "cross_entropy")
    assert found.loss < 0.05 * math.log(2)
    assert found.accuracy == found.recall == 1.0


@pytest.mark.parametrize("bits", [3, 5, 7, 10])
def test_a_parity_can_be_learnt_though_each_row_differs_from_its_neighbours(bits: int) -> None:
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * bits)
    y = x.sum(1).long() % 2
    assert kernel_reach(x, y, "cross_entropy").accuracy == 1.0


def test_bits_of_random_classes_cannot_be_learnt() -> None:
    torch.manual_seed(0)
    x, y = torch.randint(0, 2, (256, 8)).double(), torch.randint(0, 2, (256,))
    assert kernel_reach(x, y, "cross_entropy").loss > 0.9 * constant_loss(y, "cross_entropy")


def test_few_rows_that_contradict_each_other_cannot_be_learnt() -> None:
    x = torch.tensor([[0.0], [0.0], [1.0], [1.0]]).repeat(2, 1)
    y = torch.tensor([0, 1]).repeat(4)
    found = kernel_reach(x, y, "cross_entropy")
    assert found.loss == pytest.approx(math.log(2), rel=1e-3)


def test_the_recall_is_that_of_the_class_that_fares_worst() -> None:
    said = torch.tensor([0, 0, 1, 1, 2, 0])
    y = torch.tensor([0, 0, 0, 1, 1, 3])
    assert hit_shares(said[:5], y[:5]).tolist() == pytest.approx([0.6, 0.5])
    assert hit_shares(said, y).tolist() == pytest.approx([0.5, 0.0])
    ignored = torch.tensor([0, 0, -100, 1, -100, -100])
    assert float(hit_shares(said, ignored)[1]) == 1.0


def test_labels_that_are_flipped_at_random_bound_the_accuracy() -> None:
    """The flipped labels cannot be predicted: about a fifth is wrong."""
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.uniform(-1, 1, (400, 2)))
    flipped = rng.random(400) < 0.2
    y = torch.tensor((x[:, 0].numpy() > 0) ^ flipped).long()
    for loss in ("cross_entropy", "mse"):
        assert kernel_reach(x, y, loss).accuracy == pytest.approx(0.8, abs=0.05)


def test_noisy_targets_are_learnt_down_to_their_noise() -> None:
    torch.manual_seed(0)
    x = torch.linspace(-3, 3, 256)[:, None]
    y = torch.sin(x) + 0.5 * torch.randn(256, 1)
    found = kernel_reach(x, y, "auto")
    assert found.loss == pytest.approx(0.25, rel=0.2)  # the variance of the noise
    assert math.isnan(found.accuracy)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_rows_that_are_all_alike_tell_nothing(rows: int) -> None:
    y = torch.arange(rows) % 2
    found = kernel_reach(torch.ones(rows, 2), y, "cross_entropy")
    assert found.loss == constant_loss(y, "cross_entropy")
    assert found.accuracy == max((y == 0).double().mean(), (y == 1).double().mean())


@pytest.mark.parametrize(
    "settings",
    [
        {"data.name": "moons", "data.noise": 0.8, "network.widths": [32, 32]},
        {"data.name": "abs", "data.noise": 0.6, "network.activation": "tanh",
         "network.init": "xavier_normal", "network.widths": [16]},
    ],
)  # fmt: skip
def test_a_network_that_stopped_at_the_noise_of_its_data_has_nothing_wrong_with_it(
    settings: dict[str, object],
) -> None:
    """Measured against a loss of 0, such a run would always be called slow."""
    common = {"optimizer.name": "adam", "optimizer.lr": 0.005, "training.steps": 400}
    run = Run(RunConfig().changed({**settings, **common}))
    judge = Judge()
    while not run.finished:
        run.advance()
    assert run.history.snapshot().scalar("loss")[-1] > 0.4 * run.baseline
    assert [v for v in judge.look(run.history) if v.severity != "note"] == []
    assert judge.first_flagged == {}
