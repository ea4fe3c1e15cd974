"""Steps that the number type swallows, and an Adam whose second moment is stale, are found; sound
trainings beside them are not."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from caveats.verdicts import Verdict
from caveats.watching.instruments import Instruments
from caveats.watching.moments import Moments
from caveats.watching.training import WatchedTraining


@pytest.fixture
def training() -> Iterator[list[WatchedTraining]]:
    torch.manual_seed(0)
    instruments = Instruments(every=1)
    instruments.install()
    yield instruments.trainings
    instruments.remove()
    assert instruments.problem == ""
    assert [t.problem for t in instruments.trainings] == [""] * len(instruments.trainings)


def found(trainings: list[WatchedTraining]) -> dict[str, Verdict]:
    (only,) = trainings
    return {verdict.caveat: verdict for verdict in only.judge.verdicts}


@pytest.mark.parametrize(("lr", "rounds"), [(1e-7, True), (1.0, False)])
def test_steps_that_bfloat16_rounds_away(
    training: list[WatchedTraining], lr: float, rounds: bool
) -> None:
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)).bfloat16()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    still = had = 0
    for step in range(20):
        x = torch.randn(32, 6, dtype=torch.bfloat16)
        optimizer.zero_grad()
        functional.cross_entropy(model(x), x[:, :3].argmax(1)).backward()
        before = [p.detach().clone() for p in model.parameters() if p.ndim > 1]
        optimizer.step()
        if step == 15:
            for old, p in zip(before, (p for p in model.parameters() if p.ndim > 1), strict=True):
                still += int(((p == old) & (p.grad != 0)).sum())
                had += int((p.grad != 0).sum())
    assert (still / had > 0.5) is rounds
    assert ("precision" in found(training)) is rounds


def test_float32_is_not_asked(training: list[WatchedTraining]) -> None:
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-12)
    for _ in range(20):
        x = torch.randn(32, 6)
        optimizer.zero_grad()
        functional.cross_entropy(model(x), x[:, :3].argmax(1)).backward()
        optimizer.step()
    assert "precision" not in found(training)


@pytest.mark.parametrize(("every", "said"), [(7, True), (1000, False)])
def test_a_loss_scaler_that_skips_steps(
    training: list[WatchedTraining], every: int, said: bool
) -> None:
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    for step in range(180):
        x = torch.randn(32, 6)
        optimizer.zero_grad()
        scaler.scale(functional.cross_entropy(model(x), x[:, :3].argmax(1))).backward()
        if step % every == every - 1:
            assert model.weight.grad is not None
            model.weight.grad[0, 0] = math.inf
        scaler.step(optimizer)
        scaler.update()
    verdict = found(training).get("precision")
    assert (verdict is not None) is said
    if verdict is not None:
        assert verdict.severity == "warning"
        assert "skipped" in verdict.what


def test_the_ratio_is_that_of_the_optimizer_after_its_step() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(8, 4))
    optimizer = torch.optim.Adam([weight], betas=(0.9, 0.99))
    moments = Moments([("weight", weight)])
    ratio = 0.0
    for step in range(61):
        weight.grad = torch.randn(8, 4) * (10 if step == 60 else 1)
        moments.look(step, optimizer)
        optimizer.step()
        if step == 60:
            v = optimizer.state[weight]["exp_avg_sq"] / (1 - 0.99**61)
            ratio = float((weight.grad.square() / v).mean().sqrt())
    assert ratio > 2.3
    assert moments.before(65, 61, [], optimizer) == (pytest.approx(ratio, rel=1e-5), 5)
    assert moments.before(65, 61, [60], optimizer)[0] < 2  # where the loss itself jumped
    assert moments.before(80, 61, [], optimizer) == (0.0, 0)


class Drift(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 8))

    def forward(self, pull: float) -> Tensor:
        noise = torch.randn(8, 8)
        return (
            1 + 0.01 * torch.rand(()) + pull * (noise * (self.weight - self.weight.detach())).sum()
        )


@pytest.mark.parametrize(("ahead", "said"), [(4, True), (0, False)])
def test_gradients_that_grow_before_the_loss_jumps(
    training: list[WatchedTraining], ahead: int, said: bool
) -> None:
    model = Drift()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    jumps = {200, 260, 320}
    for step in range(340):
        grown = any(0 <= jump - step <= ahead for jump in jumps)
        loss = model(100.0 if grown else 0.01)
        if step in jumps:
            loss = loss + 50
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    verdict = found(training).get("stale_second_moment")
    assert (verdict is not None) is said
    if verdict is not None:
        assert verdict.severity == "warning"
        assert verdict.evidence["rms"] >= 2.3
