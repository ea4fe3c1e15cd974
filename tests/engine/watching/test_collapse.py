"""Outputs that become the same for every row are named where the loss compares outputs with each
other alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from instrumented import instrumented
from torch import Tensor, nn
from torch.nn import functional as fn

from caveats.verdicts import Verdict
from caveats.watching.collapse import Collapse, apart, compares

N = 16


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_how_far_rows_are_apart() -> None:
    right, up = torch.tensor([3.0, 0, 0, 0]), torch.tensor([0, 5.0, 0, 0])
    rows = torch.stack([right, up] * 4)
    found = apart([rows])
    assert found is not None
    # The mean direction is (1/2, 1/2, 0, 0), of length √½; the mean row (1.5, 2.5, 0, 0).
    assert found[0] == pytest.approx(math.sqrt(0.5))
    assert found[1] == pytest.approx(math.hypot(1.5, 2.5))
    assert apart([right.expand(8, 4)]) == pytest.approx((0, 0), abs=1e-3)
    assert apart([rows[:4], rows[4:]]) == pytest.approx(found)
    assert apart([rows[:4]]) is None
    assert apart([torch.full((8, 4), math.nan)]) is None


Loss = Callable[[Tensor, Tensor], Tensor]
EACH_OTHER: dict[str, Loss] = {
    "cosine": lambda a, b: -fn.cosine_similarity(a, b).mean(),
    "cosine, one side kept": lambda a, b: -fn.cosine_similarity(a, b.detach()).mean(),
    "by hand": lambda a, b: (2 - 2 * (fn.normalize(a) * fn.normalize(b)).sum(1)).mean(),
    "mse": lambda a, b: fn.mse_loss(a, b),
    "mse of directions": lambda a, b: fn.mse_loss(fn.normalize(a), fn.normalize(b).detach()),
    "squares": lambda a, b: (a - b).pow(2).sum(1).mean(),
    "pairs": lambda a, b: fn.cross_entropy(fn.normalize(a) @ fn.normalize(b).T, torch.arange(N)),
    "distances": lambda a, b: torch.cdist(a, b).diagonal().mean(),
}
Y, R = torch.arange(N) % 8, torch.randn(N, 8, generator=torch.Generator().manual_seed(2))
DATA: dict[str, Loss] = {
    "classes": lambda a, b: fn.cross_entropy(a, Y),
    "numbers": lambda a, b: fn.mse_loss(a, R),
    "numbers by hand": lambda a, b: ((a - R).abs() ** 1.5).mean(),
    "weighted": lambda a, b: (a * R).sum(1).mean(),
    "likelihood": lambda a, b: ((R - a) ** 2 / b.exp() + b).mean(),
    "policy": lambda a, b: -(a.log_softmax(1).gather(1, Y[:, None]) * R[:, :1]).mean(),
    "entropy": lambda a, b: (a.softmax(1) * a.log_softmax(1)).sum(1).mean(),
    "rates": lambda a, b: (a.exp() - R.abs() * a).mean(),
}


@pytest.mark.parametrize("name", [*EACH_OTHER, *DATA])
def test_which_losses_compare_outputs_with_each_other(name: str) -> None:
    a, b = nn.Linear(4, 8)(torch.randn(N, 4)), nn.Linear(4, 8)(torch.randn(N, 4))
    loss = {**EACH_OTHER, **DATA}[name]
    assert compares(loss(a, b)) == (name in EACH_OTHER)


def test_a_dip_that_comes_back_is_no_collapse() -> None:
    collapse, wide = Collapse(), torch.randn(N, 8)
    shares = {10: 1.0, 40: 0.01, 110: 0.01, 300: 0.01, 350: 0.05}
    said = {
        step: bool(list(collapse.sample(step, [("z", 1 + share * wide)])))
        for step, share in shares.items()
    }
    # Found at 110; at 350 the rows part again, and it is taken back.
    assert said == {10: False, 40: False, 110: True, 300: False, 350: True}


def siamese(stopped: bool, steps: int = 320) -> dict[str, Verdict]:
    network = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    with instrumented(every=10) as instruments:
        for _ in range(steps):
            x = torch.randn(64, 8)
            a, b = (network(x + 0.3 * torch.randn_like(x)) for _ in "ab")
            a, b = fn.normalize(a), fn.normalize(b)
            agree = (a * b).sum(1).mean()
            loss = fn.cross_entropy(a @ b.T / 0.2, torch.arange(64)) if stopped else 2 - 2 * agree
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {verdict.caveat: verdict for verdict in instruments.trainings[0].judge.verdicts}


def test_pairs_that_only_have_to_agree_collapse() -> None:
    found = siamese(stopped=False)["collapse"]
    assert found.severity == "warning"
    assert "point in one direction" in found.what
    assert "collapse" not in siamese(stopped=True)
