"""A user's own network, optimizer and loop can be watched, without a config or our trainer."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from caveats.history import History
from caveats.measuring.cadence import Automatic, Every
from caveats.measuring.probe import Probe
from caveats.observer import Observer
from caveats.verdicts import judge

X = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
Y = (X.mean((1, 2, 3)) > 0).long()


class Loop:
    """A convolutional network and Adam, as a user would write them, watched or not."""

    def __init__(self, cadence: Automatic | Every | None, planned: int = 0, lr: float = 0.01):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.network = nn.Sequential(
                nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)
            )
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=lr)
        self.observer: Observer | None = None
        self.now = 0.0
        if cadence is not None:
            probe = Probe(self.network, functional.cross_entropy, X, Y)
            history = History(tuple(probe.names.values()))
            self.observer = Observer(
                probe, self.optimizer, history, cadence,
                clock=lambda: self.now, planned=planned,
            )  # fmt: skip
            self.observer.record()

    def step(self, x: Tensor = X[:16], y: Tensor = Y[:16]) -> Tensor:
        self.now += 0.5
        loss = functional.cross_entropy(self.network(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def train(self, steps: int) -> None:
        for _ in range(steps):
            if self.observer is None:
                self.step()
            else:
                with self.observer.watching():
                    loss = self.step()
                self.observer.advance(loss)


def test_a_watched_network_trains_to_the_bit_as_it_would_alone() -> None:
    alone, watched = Loop(None), Loop(Automatic(), planned=40)
    alone.train(40)
    watched.train(40)
    for name, tensor in alone.network.state_dict().items():
        assert torch.equal(tensor, watched.network.state_dict()[name]), name


def test_its_records_stand_at_the_steps_of_the_cadence_and_at_the_planned_end() -> None:
    loop = Loop(Every(7), planned=30)
    loop.train(30)
    assert loop.observer is not None
    assert loop.observer.finished
    records = loop.observer.history.snapshot()
    assert records.steps.tolist() == [0, 7, 14, 21, 28, 30]
    assert loop.observer.history.layers == ("0", "4")
    assert records.layers("units")[-1].tolist() == [4, 2]
    assert math.isfinite(records.scalar("sharpness")[-1])
    assert records.scalar("lr").tolist() == [0.01] * 6
    assert records.scalar("seconds").tolist() == [0, 3.5, 7, 10.5, 14, 15]  # by its own clock
    assert loop.observer.speed == 2
    assert math.isfinite(records.layers("update_ratio")[-1].min())
    judge(loop.observer.history)


def test_a_run_of_unknown_length_has_no_end() -> None:
    loop = Loop(Every(2))
    loop.train(5)
    assert loop.observer is not None
    assert not loop.observer.finished
    assert loop.observer.history.snapshot().steps.tolist() == [0, 2, 4]
    loop.observer.record()
    assert loop.observer.history.snapshot().steps.tolist() == [0, 2, 4, 5]


def test_a_loss_that_breaks_is_found_in_the_next_record() -> None:
    loop = Loop(Every(2), lr=math.inf)
    loop.train(2)
    assert loop.observer is not None
    assert loop.observer.finished
    assert [(e.kind, e.step) for e in loop.observer.history.snapshot().events] == [("diverged", 2)]


def test_layers_that_are_no_linear_ones_have_their_units_too() -> None:
    """Units were counted by Linear and Conv modules alone: an embedding's records had none."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Embedding(7, 5), nn.Flatten(), nn.LayerNorm(10), nn.Linear(10, 2)
        )
    x = torch.arange(8).view(4, 2) % 7
    probe = Probe(network, functional.cross_entropy, x, torch.tensor([0, 1, 0, 1]))
    layers = probe.anatomy.layers
    observer = Observer(
        probe, torch.optim.SGD(network.parameters(), lr=0.1),
        History(tuple(layer.name for layer in layers)), Every(1), clock=lambda: 0.0,
    )  # fmt: skip
    observer.record()
    assert observer.units == [layer.units for layer in layers]
    assert len(layers) > 1
    records = observer.history.snapshot()
    assert records.layers("units")[0].tolist() == observer.units
    assert observer.state()["born_dead"].shape == (sum(observer.units),)


def test_it_goes_on_from_its_state_as_if_it_had_watched_all_the_time() -> None:
    whole, first, second = (Loop(Automatic(), planned=300) for _ in range(3))
    whole.train(300)
    first.train(260)
    assert first.observer is not None
    assert second.observer is not None
    assert whole.observer is not None
    second.network.load_state_dict(first.network.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.observer.load(first.observer.state(), 260, first.observer.history)
    second.train(40)
    a, b = whole.observer.history.snapshot(), second.observer.history.snapshot()
    assert a.steps.tolist() == b.steps.tolist()
    for name in ("loss", "batch_loss", "sharpness"):
        assert np.array_equal(a.scalar(name), b.scalar(name), equal_nan=True), name
