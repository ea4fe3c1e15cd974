"""Sharpness compared with dense Hessians, and its limits with optimizers on a quadratic."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from caveats.measuring.sharpness import Sharpness, preconditioner
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.stability import stability_limit


def network() -> tuple[nn.Module, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    x = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 2, (40,), generator=generator)
    return net, x, y


def dense_hessian(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Column by column from the gradient, over all parameters, (n, n)."""
    parameters = list(net.parameters())
    loss = nn.functional.cross_entropy(net(x), y)
    grads = torch.autograd.grad(loss, parameters, create_graph=True)
    flat = torch.cat([g.reshape(-1) for g in grads])
    rows = [
        torch.cat(
            [h.reshape(-1) for h in torch.autograd.grad(entry, parameters, retain_graph=True)]
        )
        for entry in flat
    ]
    return torch.stack(rows)


def test_it_is_the_largest_eigenvalue_of_the_hessian() -> None:
    net, x, y = network()
    expected = float(torch.linalg.eigvalsh(dense_hessian(net, x, y)).max())
    meter = Sharpness(net, nn.functional.cross_entropy, x, y)
    assert meter.measure() == pytest.approx(expected, rel=0.01)
    assert meter.measure() == meter.measure()  # to the bit: nothing is kept in between


def test_a_larger_negative_curvature_does_not_hide_it() -> None:
    weight = nn.Parameter(torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64))
    curvature = torch.tensor([2.0, -7.0, 1.0], dtype=torch.float64)

    class Saddle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = weight

        def forward(self, x: Tensor) -> Tensor:
            return 0.5 * (curvature * self.weight**2).sum() + 0 * x.sum()

    rows = torch.zeros(2, 1, dtype=torch.float64)
    meter = Sharpness(Saddle(), lambda output, y: output, rows, rows)
    assert meter.measure() == pytest.approx(2.0, rel=0.01)


def test_adams_form_is_that_of_the_preconditioned_hessian() -> None:
    net, x, y = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    scale = preconditioner(optimizer, list(net.parameters()))
    assert scale is not None
    # By hand: H divided by √v̂ + eps on both sides' square roots.
    root = torch.cat(
        [
            (optimizer.state[p]["exp_avg_sq"] / (1 - 0.999**5)).sqrt().add(1e-8).reshape(-1)
            for p in net.parameters()
        ]
    )
    hessian = dense_hessian(net, x, y) / root.sqrt()[:, None] / root.sqrt()[None, :]
    expected = float(torch.linalg.eigvalsh(hessian).max())
    meter = Sharpness(net, nn.functional.cross_entropy, x, y)
    assert meter.measure(scale) == pytest.approx(expected, rel=0.02)


def test_an_optimizer_that_divides_by_nothing_has_no_preconditioner() -> None:
    net, x, y = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    nn.functional.cross_entropy(net(x), y).backward()
    optimizer.step()
    assert preconditioner(optimizer, list(net.parameters())) is None


def test_measuring_leaves_no_trace() -> None:
    net, x, y = network()
    net.insert(1, nn.Dropout(0.5))
    state = torch.get_rng_state()
    weights = [p.detach().clone() for p in net.parameters()]
    Sharpness(net, nn.functional.cross_entropy, x, y).measure()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(a, b) for a, b in zip(weights, net.parameters(), strict=True))
    assert net[1].training


def test_a_broken_loss_has_no_sharpness_and_a_flat_one_has_none_either() -> None:
    net, x, y = network()
    assert Sharpness(net, lambda output, y: 0 * output.sum(), x, y).measure() == 0
    with torch.no_grad():
        next(net.parameters()).fill_(math.nan)
    assert math.isnan(Sharpness(net, nn.functional.cross_entropy, x, y).measure())


def test_a_parameter_that_the_loss_does_not_use_changes_nothing() -> None:
    net, x, y = network()
    loss = nn.functional.cross_entropy
    expected = Sharpness(net, loss, x, y).measure()
    net.register_parameter("unused", nn.Parameter(torch.ones(3, dtype=torch.float64)))
    assert Sharpness(net, loss, x, y).measure() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("name", "options"),
    [("sgd", {}), ("momentum", {"momentum": 0.9}), ("nesterov", {"momentum": 0.8})],
)
def test_steps_on_a_quadratic_diverge_just_above_the_limit_and_not_just_below(
    name: str, options: dict[str, float]
) -> None:
    limit = stability_limit(name, 0.1, options)
    for curvature, grows in ((0.99 * limit, False), (1.01 * limit, True)):
        weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
        optimizer = OPTIMIZERS[name].make([weight], lr=0.1, **options)
        for _ in range(3000):
            optimizer.zero_grad()
            (0.5 * curvature * weight**2).sum().backward()
            optimizer.step()
        assert (abs(float(weight.detach())) > 1) is grows


def test_adams_limit_is_38_over_lr_and_unknown_ones_are_nan() -> None:
    # Cohen et al. 2022: 38/lr at β₁ = 0.9.
    assert stability_limit("adam", 0.01, {"betas": (0.9, 0.999)}) == pytest.approx(3800)
    assert math.isnan(stability_limit("muon", 0.01, {"momentum": 0.95}))
