"""How hard the parts of a loss pull agrees with gradients of each part alone, and looking at them
leaves no gradient behind."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from instrumented import instrumented
from torch import Tensor, nn
from torch.nn import functional as fn
from torch.utils.checkpoint import checkpoint

from caveats.verdicts import Verdict
from caveats.watching.parts import Drowned, Part, parts

N = 32


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Two(nn.Module):
    """A trunk with a head for classes and one for numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.classes, self.numbers = nn.Linear(5, 8), nn.Linear(8, 3), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.trunk(x))
        return self.classes(h), self.numbers(h)


Y, R = torch.arange(N) % 3, torch.randn(N, 2, generator=torch.Generator().manual_seed(1))
LOSSES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "mse": (lambda c: fn.cross_entropy(c, Y), lambda r: 50 * fn.mse_loss(r, R)),
    "sum": (lambda c: 7 * fn.cross_entropy(c, Y), lambda r: fn.mse_loss(r, R, reduction="sum")),
    "by hand": (lambda c: fn.cross_entropy(c, Y), lambda r: ((r - R) ** 2).sum(1).mean()),
    "bce": (
        lambda c: 10 * fn.cross_entropy(c, Y),
        lambda r: fn.binary_cross_entropy_with_logits(r, (R > 0).float()),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_the_pull_is_that_of_gradients_of_each_part_alone(name: str) -> None:
    first, second = LOSSES[name]
    network, x = Two(), torch.randn(N, 5)
    c, r = network(x)
    a, b = first(c), second(r)
    apart = float(a.detach()) / {"sum": 7, "bce": 10}.get(name, 1)
    shared = list(network.trunk.parameters())
    lengths = [
        torch.cat([g.flatten() for g in torch.autograd.grad(x, shared, retain_graph=True)]).norm()
        for x in (a, b)
    ]
    found = {part.function: part for part in parts(a + b, list(network.parameters()))}
    assert found["cross_entropy"].pull == pytest.approx(float(lengths[1] / lengths[0]), rel=1e-4)
    other = next(part for name, part in found.items() if name != "cross_entropy")
    assert other.pull == pytest.approx(float(lengths[0] / lengths[1]), rel=1e-4)
    assert found["cross_entropy"].left == pytest.approx(apart / math.log(3))
    assert all(p.grad is None for p in network.parameters())
    (a + b).backward()  # the graph is still whole


def test_the_share_that_is_left_of_a_loss_on_numbers() -> None:
    network, x = Two(), torch.randn(N, 5)
    with torch.no_grad():
        network.numbers.weight.zero_()
        network.numbers.bias.copy_(R.mean(0))
    c, r = network(x)
    found = parts(fn.cross_entropy(c, Y) + fn.mse_loss(r, R), list(network.parameters()))
    assert next(p for p in found if p.function == "mse").left == pytest.approx(1.0, rel=1e-5)


def with_a_hook(parameter: Tensor, called: list[int]) -> None:
    parameter.register_hook(lambda grad: called.append(1))


def test_graphs_that_would_do_more_than_compute_are_left_alone() -> None:
    network, x = Two(), torch.randn(N, 5)
    passes = []

    def trunk(x: Tensor) -> Tensor:
        passes.append(1)
        return torch.tanh(network.trunk(x))

    h = checkpoint(trunk, x, use_reentrant=False)
    loss = fn.cross_entropy(network.classes(h), Y) + fn.mse_loss(network.numbers(h), R)
    assert parts(loss, list(network.parameters())) == []
    assert len(passes) == 1
    c, r = network(x)
    with_a_hook(network.trunk.weight, passes)
    assert parts(fn.cross_entropy(c, Y) + fn.mse_loss(r, R), list(network.parameters())) == []
    assert len(passes) == 1


def test_a_script_that_keeps_gradients_is_left_alone() -> None:
    network = Two()
    c, r = network(torch.randn(N, 5))
    c.retain_grad()
    loss = fn.cross_entropy(c, Y) + fn.mse_loss(r, R)
    assert parts(loss, [*network.parameters()]) == []
    loss.backward()
    chances = c.detach().softmax(1) - fn.one_hot(Y, 3)
    assert torch.allclose(c.grad, chances / N, atol=1e-7)


def test_a_part_that_is_weighted_below_1_is_left_out() -> None:
    network = Two()
    c, r = network(torch.randn(N, 5))
    found = parts(0.1 * fn.cross_entropy(c, Y) + fn.mse_loss(r, R), [*network.parameters()])
    assert [part.function for part in found] == ["mse"]


def test_one_part_alone_is_no_part() -> None:
    network = Two()
    assert parts(fn.cross_entropy(network(torch.randn(N, 5))[0], Y), [*network.parameters()]) == []


@pytest.mark.parametrize(
    ("pull", "left", "other", "said"),
    [(20, 1.0, 1.0, True), (2, 1.0, 1.0, False), (20, 0.5, 1.0, False), (20, 1.0, 0.1, False),
     (500, 1.0, 0.1, True)],
)  # fmt: skip
def test_a_part_drowns_where_it_learned_nothing_and_the_rest_pulls_hard(
    pull: float, left: float, other: float, said: bool
) -> None:
    drowned = Drowned()
    for _ in range(5):
        drowned.add([Part("mse", left, pull), Part("cross_entropy", other, 1 / pull)])
    assert bool(list(drowned.look(95))) == said


def vae(summed: bool, steps: int = 140) -> dict[str, Verdict]:
    encoder, decoder = nn.Linear(16, 8), nn.Linear(4, 16)
    network = nn.ModuleList([encoder, decoder])
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    data = torch.randn(256, 2) @ torch.randn(2, 16)
    with instrumented(every=1) as instruments:
        for step in range(steps):
            x = data[step % 8 :: 8]
            mean, log = encoder(x).chunk(2, 1)
            r = decoder(mean + torch.randn_like(mean) * (log / 2).exp())
            divergence = 0.5 * (mean**2 + log.exp() - 1 - log).sum(1)
            loss = fn.mse_loss(r, x) + divergence.sum() if summed else (
                fn.mse_loss(r, x, reduction="sum") / len(x) + divergence.mean()
            )  # fmt: skip
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {verdict.caveat: verdict for verdict in instruments.trainings[0].judge.verdicts}


def test_a_divergence_that_is_summed_over_the_rows_drowns_the_reconstruction() -> None:
    found = vae(summed=True)
    assert found["drowned_part"].severity == "warning"
    assert "squared error" in found["drowned_part"].what
    assert "drowned_part" not in vae(summed=False)
