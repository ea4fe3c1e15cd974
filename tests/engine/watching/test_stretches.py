"""Where steps are short, most of them leave nothing but their loss. What is found is the same."""

from __future__ import annotations

import math

import pytest
import torch
from instrumented import instrumented
from torch import nn
from torch.nn import functional

from caveats.watching.instruments import Instruments
from caveats.watching.moments import LEAD
from caveats.watching.spikes import Spikes
from caveats.watching.training import WatchedTraining


def trained(share: float, steps: int, *, broken: dict[int, float], pairs: int = 1) -> Instruments:
    """Watch a small training whose loss is multiplied at some steps; with ``pairs`` = 2, two
    networks take turns. A ``share`` of 0 makes every step dear."""
    torch.manual_seed(0)
    with instrumented(share=share) as instruments:
        models = [nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4)) for _ in range(pairs)]
        optimizers = [torch.optim.Adam(model.parameters(), lr=1e-3) for model in models]
        for step in range(steps):
            x = torch.randn(64, 12)
            for model, optimizer in zip(models, optimizers, strict=True):
                loss = functional.cross_entropy(model(x), x[:, :4].argmax(1))
                optimizer.zero_grad()
                (loss * broken.get(step, 1.0)).backward()
                optimizer.step()
    assert instruments.problem == ""
    return instruments


def leads(training: WatchedTraining) -> list[int]:
    """How long before each spike the second moment was read."""
    assert training.history is not None
    events = training.history.snapshot().events
    return [int(e.changes["lead"]) for e in events if e.kind == "spike"]


def spikes(training: WatchedTraining) -> list[tuple[int, float]]:
    assert training.history is not None
    events = training.history.snapshot().events
    return [(e.step, float(e.changes["loss"])) for e in events if e.kind == "spike"]


@pytest.mark.parametrize("pairs", [1, 2])
def test_each_loss_counts_and_belongs_to_its_step(pairs: int) -> None:
    broken = {130: 9.0, 141: 9.0, 207: 9.0, 208: 9.0}
    seen = [trained(share, 260, broken=broken, pairs=pairs).trainings for share in (0.0, math.inf)]
    for rarely, always in zip(*seen, strict=True):
        assert rarely.history is not None
        assert always.history is not None
        assert spikes(rarely) == spikes(always)
        assert [step for step, _ in spikes(rarely)] == [130, 141, 207]
        assert all(1 <= lead <= LEAD for lead in leads(rarely))
        few, many = rarely.history.snapshot(), always.history.snapshot()
        assert few.steps.tolist() == many.steps.tolist()  # those without a sample hold their loss


def test_the_step_whose_loss_is_not_a_number_is_measured_itself() -> None:
    (training,) = trained(0.0, 160, broken={149: math.nan}).trainings
    assert training.history is not None
    at = {e.kind: e.step for e in training.history.snapshot().events}
    assert at["diverged"] == 149
    assert 149 in training.history.snapshot().steps


@pytest.mark.parametrize("seed", range(3))
def test_losses_that_are_looked_at_together_show_the_spikes_that_they_show_one_by_one(
    seed: int,
) -> None:
    torch.manual_seed(seed)
    noise, jumps = torch.randn(3000).tolist(), torch.rand(3000).tolist()
    levels = [4.0 if jump < 0.02 else 1.0 for jump in jumps]
    losses = [
        2.0 * 0.9995**i * a * math.exp(0.1 * b)
        for i, (a, b) in enumerate(zip(levels, noise, strict=True))
    ]
    losses[1000], losses[2000:2030] = math.nan, [50.0] * 30
    losses[2500] = math.inf
    each, together = Spikes(), Spikes()
    singly = [(i, score) for i, x in enumerate(losses) if (score := each.add(x)) is not None]
    found, at = [], 0
    for length in torch.randint(1, 64, (3000,)).tolist():
        found += [(at + i, score) for i, score in together.add_all(losses[at : at + length])]
        at += length
    assert found == singly
    assert len(singly) > 20
