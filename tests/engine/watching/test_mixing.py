"""Whether rows of a minibatch mix, and whether a model sees the words that it is to predict, agrees
with the derivatives of its outputs; and trying it out leaves nothing behind."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from instrumented import instrumented
from torch import Tensor, nn
from torch.nn import functional as fn

from caveats.verdicts import Verdict
from caveats.watching.mixing import Call, Target, mixed, safe, sees_the_future

N, T, F = 10, 6, 3


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Last(nn.Module):
    """The last output of a recurrent layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0][:, -1])


class Attends(nn.Module):
    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(F, 8), nn.Linear(8, 2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=batch_first)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        return self.head(self.attention(h, h, h)[0].mean(1))


class Turned(nn.Module):
    """An input whose first two dimensions are exchanged, by ``view`` or by ``transpose``."""

    def __init__(self, by_view: bool) -> None:
        super().__init__()
        self.layer, self.head, self.by_view = nn.GRU(F, 8), nn.Linear(8, 2), by_view

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(T, N, F) if self.by_view else x.transpose(0, 1)
        return self.head(self.layer(x)[0][-1])


class Noisy(nn.Module):
    """Everything that a pass may do to rows without mixing them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(F, 8), nn.Linear(8, 2)
        self.batch, self.group, self.drop = nn.BatchNorm1d(8), nn.GroupNorm(2, 8), nn.Dropout(0.5)
        self.kept: list[Tensor] = []
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        h = self.drop(self.group(self.batch(self.first(x.mean(1)))))
        h = h + 0.1 * torch.randn_like(h) * random.random() * np.random.rand()
        self.kept.append(h)
        return self.head(h)


class ByHand(nn.Module):
    """A normalization over the minibatch, or softmax over the wrong dimension."""

    def __init__(self, softmax: bool) -> None:
        super().__init__()
        self.layer, self.softmax = nn.Linear(F, 4), softmax

    def forward(self, x: Tensor) -> Tensor:
        z = self.layer(x[:, 0])
        return z.softmax(0) if self.softmax else (z - z.mean(0)) / z.std(0)


NETWORKS = {
    "lstm": (lambda: Last(nn.LSTM(F, 8)), True, True),
    "lstm, batch first": (lambda: Last(nn.LSTM(F, 8, batch_first=True)), False, False),
    "both ways": (lambda: Last(nn.GRU(F, 4, bidirectional=True)), True, True),
    "attention": (lambda: Attends(False), True, False),
    "attention, batch first": (lambda: Attends(True), False, False),
    "view": (lambda: Turned(True), True, True),
    "transpose": (lambda: Turned(False), False, False),
    "softmax over rows": (lambda: ByHand(True), True, False),
    "normalized by hand": (lambda: ByHand(False), True, False),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_mix_where_a_row_has_a_derivative_by_another(name: str) -> None:
    make, mixes, ordered = NETWORKS[name]
    network = make()
    x = torch.randn(N, T, F)
    slopes = torch.autograd.functional.jacobian(network, x).square().sum((1, 3, 4))  # (N, N)
    assert bool((slopes - slopes.diag().diag() > 1e-9).any()) == mixes
    found = mixed(network, Call((x,), {}), Target(N, None))
    assert (found is not None) == mixes
    assert found is None or (found.order, found.several) == (ordered, True)


def test_what_a_pass_does_besides_is_undone() -> None:
    network = Noisy()
    network(torch.randn(N, T, F))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    kept, version = list(network.kept), network.passes._version
    random.seed(1)
    np.random.seed(1)
    generators = torch.get_rng_state(), random.getstate(), np.random.get_state()[1]
    x = torch.randn(N, T, F)
    torch.set_rng_state(generators[0])
    copy = x.clone()
    assert mixed(network, Call((x,), {}), Target(N, None)) is None
    assert torch.equal(x, copy)
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert random.getstate() == generators[1]
    assert np.array_equal(np.random.get_state()[1], generators[2])
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert network.kept == kept
    assert network.passes._version > version  # it was written to, and put back
    assert network.batch.running_mean._version == 1  # it was not: a graph may need it
    assert all(module.training for module in network.modules())


class Tells(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        print("a pass")
        return super().forward(x)


def test_networks_that_do_more_than_compute_are_left_alone(capsys: Any) -> None:
    hooked = nn.Linear(F, 2)
    hooked.register_forward_hook(lambda *_: None)
    no_averages = nn.Sequential(nn.Linear(F, 2), nn.BatchNorm1d(2, track_running_stats=False))
    networks = Tells(F, 2), nn.Sequential(hooked), no_averages
    assert not any(map(safe, networks))
    for network in networks:
        assert mixed(network, Call((torch.randn(N, F),), {}), Target(N, None)) is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "generator", [torch.Generator(), np.random.default_rng(0), random.Random(0)]
)
def test_a_network_with_random_numbers_of_its_own_is_left_alone(generator: Any) -> None:
    network = Last(nn.GRU(F, 8))
    assert safe(network)
    network.generator = generator
    assert not safe(network)


@pytest.mark.parametrize("shape", [(N, N), (2, 30)])
def test_networks_that_are_given_edges_are_not_tried_out(shape: tuple[int, ...]) -> None:
    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(F, 2)

        def forward(self, x: Tensor, edges: Tensor) -> Tensor:
            z = self.layer(x)
            return z + z.mean(0)

    call = Call((torch.randn(N, F), torch.zeros(shape, dtype=torch.long)), {})
    assert mixed(Graph(), call, Target(N, None)) is None


class Words(nn.Module):
    """Attention over the words before, or over all."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.words, self.head, self.masked = nn.Embedding(9, 8), nn.Linear(8, 9), masked

    def forward(self, x: Tensor) -> Tensor:
        h = self.words(x).unsqueeze(1)
        return self.head(fn.scaled_dot_product_attention(h, h, h, is_causal=self.masked)[:, 0])


@pytest.mark.parametrize("masked", [True, False])
def test_a_model_sees_the_future_where_an_early_word_has_a_derivative_by_a_late_one(
    masked: bool,
) -> None:
    network, x = Words(masked), torch.randint(9, (4, 8))
    h = network.words(x[:1]).detach().requires_grad_()
    out = fn.scaled_dot_product_attention(h[None], h[None], h[None], is_causal=masked)
    slope = torch.autograd.grad(out[0, 0, 0].sum(), h)[0]
    assert bool(slope[0, 4:].any()) == (not masked)
    targets = torch.cat([x[:, 1:], torch.randint(9, (4, 1))], 1)
    change = sees_the_future(network, Call((x,), {}), Target(32, targets.reshape(-1)))
    assert (change > 0) == (not masked)
    whole = Target(32, x.reshape(-1))  # words that were taken out are to be found, not the next
    assert sees_the_future(network, Call((x,), {}), whole) == 0


def trained(network: nn.Module, steps: int = 8) -> dict[str, Verdict]:
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    with instrumented(every=1) as instruments:
        for _ in range(steps):
            x, y = torch.randn(N, T, F), torch.randint(2, (N,))
            optimizer.zero_grad()
            fn.cross_entropy(network(x), y).backward()
            optimizer.step()
    training = instruments.trainings[0]
    assert training.problem == ""
    return {verdict.caveat: verdict for verdict in training.judge.verdicts}


def test_a_recurrent_layer_that_takes_rows_for_time_is_named() -> None:
    found = trained(Last(nn.LSTM(F, 8)))["rows_mix"]
    assert found.severity == "warning"
    assert "batch_first is False in layer" in found.what
    assert "rows_mix" not in trained(Last(nn.LSTM(F, 8, batch_first=True)))


def test_what_may_be_meant_is_a_note() -> None:
    assert trained(ByHand(False))["rows_mix"].severity == "note"
