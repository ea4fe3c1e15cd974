"""The rules on networks that no config describes: convolutions, recurrence, attention, shortcuts,
each written in plain torch, observed by a probe and judged by its history alone.

Digits are learnt in 150 steps by each of the sound ones (seen: losses of .02 to .5), so a warning
would be a false alarm; of the others each has one fault that was put in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from caveats.data import load
from caveats.facts import RunFacts
from caveats.history import History
from caveats.measuring.cadence import Automatic
from caveats.measuring.optimizing import optimizer_facts
from caveats.measuring.probe import ForwardProbe
from caveats.verdicts import judge

STEPS = 150
DIGITS = load({"name": "digits"})
X, Y = torch.tensor(DIGITS.x), torch.tensor(DIGITS.y)

Make = Callable[[], nn.Module]
Optimizer = Callable[..., optim.Optimizer]


class Convolutions(nn.Module):
    def __init__(self, norm: bool = False, bias: float = 0.0) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16) if norm else nn.Identity()
        self.second = nn.Conv2d(16, 32, 3, padding=1)
        self.head = nn.Linear(128, 10)
        nn.init.constant_(self.second.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.norm(self.first(x.view(-1, 1, 8, 8)))), 2)
        x = functional.max_pool2d(functional.relu(self.second(x)), 2)
        return self.head(x.flatten(1))


class Shortcuts(nn.Module):
    """Blocks of x + W₂ relu(W₁ norm(x)); the units of one may be dead from the start."""

    def __init__(self, dead: int | None = None) -> None:
        super().__init__()
        self.embed = nn.Linear(64, 48)
        self.norms = nn.ModuleList(nn.LayerNorm(48) for _ in range(5))
        self.up = nn.ModuleList(nn.Linear(48, 48) for _ in range(5))
        self.down = nn.ModuleList(nn.Linear(48, 48) for _ in range(5))
        self.head = nn.Linear(48, 10)
        if dead is not None:
            nn.init.constant_(self.up[dead].bias, -100.0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        for norm, up, down in zip(self.norms, self.up, self.down, strict=True):
            x = x + down(torch.relu(up(norm(x))))
        return self.head(x)


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cell = kind(8, 32, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x.view(-1, 8, 8))[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 32)
        self.place = nn.Parameter(torch.randn(8, 32) * 0.02)
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.1, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(self.embed(x.view(-1, 8, 8)) + self.place).mean(1))


class Functions(nn.Module):
    """Linear layers between which a function bends."""

    def __init__(self, depth: int, bend: Callable[[Tensor], Tensor], std: float = 0.0) -> None:
        super().__init__()
        sizes = [64, *[64] * depth, 10]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.bend = bend
        for layer in self.layers if std else ():
            nn.init.normal_(layer.weight, std=std)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = self.bend(layer(x))
        return self.layers[-1](x)


def trained(make: Make, optimizer: Optimizer) -> History:
    """The records of a network in training, with what is observed of it."""
    torch.manual_seed(0)
    network = make()
    made = optimizer(network.parameters())

    def forward(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, int]:
        return functional.cross_entropy(network(batch[0]), batch[1]), len(batch[0])

    probe = ForwardProbe(network, forward, (X[:256], Y[:256]))
    layers = probe.anatomy.layers
    facts = RunFacts(math.log(10), STEPS, layers=layers, optimizer=optimizer_facts(made))
    history = History(tuple(layer.name for layer in layers), facts=facts)
    for step in range(STEPS + 1):
        due = Automatic().due(step, STEPS) or step == STEPS or step == 0
        if step:
            if due:
                probe.remember()
            rows = torch.randint(len(X), (64,))
            loss = functional.cross_entropy(network(X[rows]), Y[rows])
            made.zero_grad()
            loss.backward()
            made.step()
        if due:
            found = probe.measure(deep=step in (0, STEPS))
            history.append(step, {"loss": found.loss, "accuracy": found.accuracy}, found.layers)
    return history


def flagged(history: History, known: bool) -> set[str]:
    """The caveats at warning or critical; ``known`` says whether the judge is told the length of
    the run and the loss of a constant."""
    if not known:
        history.facts = replace(history.facts, baseline=math.nan, steps=0)
    return {v.caveat for v in judge(history) if v.severity != "note"}


def adam(lr: float) -> Optimizer:
    return lambda parameters: optim.Adam(parameters, lr=lr)


def sgd(lr: float, momentum: float = 0.0) -> Optimizer:
    return lambda parameters: optim.SGD(parameters, lr=lr, momentum=momentum)


SOUND: dict[str, tuple[Make, Optimizer]] = {
    "convolutions": (Convolutions, adam(3e-3)),
    "convolutions, momentum": (Convolutions, sgd(0.05, 0.9)),
    "batch norm": (lambda: Convolutions(norm=True), adam(3e-3)),
    "shortcuts": (Shortcuts, sgd(0.05)),
    "shortcuts, one block dead": (lambda: Shortcuts(dead=2), adam(1e-3)),
    "rnn": (lambda: Recurrent(nn.RNN), adam(5e-3)),
    "lstm": (lambda: Recurrent(nn.LSTM), adam(1e-2)),
    "gru": (lambda: Recurrent(nn.GRU), adam(1e-2)),
    "attention": (Attention, adam(3e-3)),
    "functions": (lambda: Functions(3, torch.relu), sgd(0.1)),
}
SICK: dict[str, tuple[Make, Optimizer, str]] = {
    "channels dead from the start": (
        lambda: Convolutions(bias=-50.0), sgd(0.05), "dying_relu",
    ),
    "a rate that kills channels": (Convolutions, adam(0.3), "dying_relu"),
    "a rate of 10": (lambda: Functions(3, torch.relu), sgd(10.0), "step_too_large"),
    "eight sigmoids": (lambda: Functions(8, torch.sigmoid), sgd(0.1), "vanishing_gradient"),
    "twenty layers of torch's weights": (
        lambda: Functions(20, torch.relu), sgd(0.1), "vanishing_gradient",
    ),
    "tanh of large weights": (
        lambda: Functions(3, torch.tanh, std=1.0), sgd(0.01), "saturation",
    ),
    "a rate of 1e-6": (lambda: Recurrent(nn.LSTM), adam(1e-6), "step_too_small"),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_network_gets_no_warning(name: str) -> None:
    history = trained(*SOUND[name])
    for known in (True, False):
        assert flagged(history, known) == set(), known


@pytest.mark.parametrize("name", SICK)
def test_a_fault_that_was_put_in_is_named(name: str) -> None:
    make, optimizer, caveat = SICK[name]
    assert caveat in flagged(trained(make, optimizer), known=True)
