"""The gradient noise scale compared with every row's own gradient."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from caveats.config import RunConfig
from caveats.data import load
from caveats.measuring.gradient_noise import PARTS, noise_scale
from caveats.run import Run
from caveats.views import gradient_noise


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2)).double()


def rows(count: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 2, (count,), generator=generator)


def by_rows(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """tr(Σ)/|G|² from the gradient of each row alone."""
    grads = []
    for i in range(len(x)):
        loss = nn.functional.cross_entropy(net(x[i : i + 1]), y[i : i + 1])
        found = torch.autograd.grad(loss, list(net.parameters()))
        grads.append(torch.cat([g.reshape(-1) for g in found]))
    stacked = torch.stack(grads)  # (rows, parameters)
    mean = stacked.mean(0)
    return float((stacked - mean).square().sum(1).mean() / mean.square().sum())


@pytest.mark.parametrize("count", [2, 9, PARTS, 2 * PARTS - 1])
def test_with_one_row_a_part_it_is_exact(count: int) -> None:
    net, (x, y) = network(), rows(count)
    assert noise_scale(net, nn.functional.cross_entropy, x, y) == pytest.approx(by_rows(net, x, y))


def test_with_larger_parts_it_is_near_over_many_networks() -> None:
    ratios = []
    for seed in range(20):
        net, (x, y) = network(seed), rows(8 * PARTS, seed)
        ratios.append(noise_scale(net, nn.functional.cross_entropy, x, y) / by_rows(net, x, y))
    deviation = math.sqrt(2 / PARTS)  # of one estimate
    mean = sum(ratios) / len(ratios)
    assert abs(mean - 1) < 4 * deviation / math.sqrt(len(ratios))
    assert all(abs(ratio - 1) < 5 * deviation for ratio in ratios)


def test_rows_that_agree_have_no_noise_and_no_gradient_has_no_scale() -> None:
    net = network()
    x, y = rows(1)
    same = noise_scale(net, nn.functional.cross_entropy, x.repeat(64, 1), y.repeat(64))
    assert same == pytest.approx(0, abs=1e-9)
    assert math.isnan(noise_scale(net, nn.functional.cross_entropy, x, y))

    def flat(output: Tensor, target: Tensor) -> Tensor:
        return 0 * output.sum()

    assert math.isnan(noise_scale(net, flat, *rows(64)))


def test_batch_normalization_needs_parts_of_several_rows() -> None:
    """One row alone cannot be normalized by its batch, so a small probe set has no parts of one."""
    linear = network()
    net = nn.Sequential(*list(linear)[:1], nn.BatchNorm1d(6).double(), *list(linear)[1:])
    x, y = rows(32)
    found = noise_scale(net, nn.functional.cross_entropy, x, y)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(0))
    halves = []
    for half in (order[:16], order[16:]):
        loss = nn.functional.cross_entropy(net(x[half]), y[half])
        grads = torch.autograd.grad(loss, list(net.parameters()))
        halves.append(torch.cat([g.reshape(-1) for g in grads]))
    mean = (halves[0] + halves[1]) / 2
    # Means of 16 of 32 rows spread by tr(Σ)/16 · 16/31 around that of all.
    spread = sum(float((half - mean).square().sum()) for half in halves) / 2
    assert found == pytest.approx(spread * 31 / float(mean.square().sum()))
    assert math.isfinite(noise_scale(net, nn.functional.cross_entropy, *rows(6)))
    assert math.isnan(noise_scale(net, nn.functional.cross_entropy, *rows(5)))
    with torch.no_grad():
        net[1].weight.fill_(1.5)
    net.eval()  # by the running averages rows stand alone again
    assert noise_scale(net, nn.functional.cross_entropy, *rows(9)) == pytest.approx(
        by_rows(net, *rows(9))
    )


def test_the_view_uses_the_loss_of_the_run_and_changes_nothing() -> None:
    config = RunConfig().changed(
        {"data.name": "moons", "network.widths": [6], "network.dropout": 0.2}, "test"
    )
    run, untouched = Run(config), Run(config)
    probe = run.observer.probe
    wanted = noise_scale(run.trainer.network, run.trainer.loss_function, probe.x, probe.y)
    data = load(config.data.settings(), config.training.seed)
    assert gradient_noise(run.trainer.network, data, config) == pytest.approx(wanted, rel=1e-5)
    for one in (run, untouched):
        for _ in range(3):
            one.advance()
    for mine, other in zip(
        run.trainer.network.parameters(), untouched.trainer.network.parameters(), strict=True
    ):
        assert torch.equal(mine, other)
