"""A loss that is not finite is told by the function at its pole that made it so, and by nothing
where the whole training ran away."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from instrumented import instrumented
from torch import Tensor, nn

from caveats.watching.births import SLOPE, birth

X = torch.tensor([0.0, 1.0, 40.0], requires_grad=True)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda x: -torch.log(1 - torch.sigmoid(x)).mean(), "a logarithm of 0 or less, 1 times"),
        (lambda x: (x * torch.log(x)).sum(), "a logarithm of 0 or less, 1 times in 3"),
        (lambda x: (x / (x - x)).mean(), "a division by 0, 3 times in 3 numbers"),
        (lambda x: (1 / x).sum(), "a division by 0, 1 times"),
        (lambda x: (x - 5).sqrt().mean(), "a root of a number below 0, 2 times"),
        (lambda x: (3 * x).exp().log().mean(), "an exponential too large for its type, 1 times"),
        (lambda x: (x * float("nan")).mean(), ""),
    ],
)
def test_the_function_at_its_pole(loss: Callable[[Tensor], Tensor], said: str) -> None:
    made = loss(X)
    assert not made.isfinite()
    assert birth(made).startswith(said)
    assert bool(birth(made)) == bool(said)


def found(loss: Callable[[Tensor, Tensor], Tensor], lr: float) -> dict[str, str]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        with instrumented(every=5) as instruments:
            model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
            optimizer = torch.optim.Adam(model.parameters(), lr=lr)
            for _ in range(40):
                x = 8 * torch.randn(32, 4)
                optimizer.zero_grad()
                loss(model(x)[:, 0], (x[:, 0] > 0).float()).backward()
                optimizer.step()
    (training,) = instruments.trainings
    return {v.caveat: v.severity for v in training.judge.verdicts}


def by_hand(z: Tensor, y: Tensor) -> Tensor:
    p = torch.sigmoid(z)
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()


def test_a_logarithm_of_0_is_the_headline_and_no_step_is_blamed() -> None:
    said = found(by_hand, lr=0.1)
    assert said["undefined_number"] == "critical"
    assert said["exploding_gradient"] == "note"
    assert "step_too_large" not in said


def test_a_training_that_runs_away_has_no_such_number() -> None:
    said = found(lambda z, y: ((z - y) ** 2).square().mean(), lr=1e9)
    assert "undefined_number" not in said
    assert said["exploding_gradient"] == "critical"


def test_weights_that_are_no_numbers_are_not_put_down_to_what_meets_them() -> None:
    """The gradient of a root at 0 is infinite: the loss is sound, the weights of the next step are
    not, and of their products no root is below 0."""
    weight = nn.Parameter(torch.tensor([float("nan"), 1.0]))
    assert birth((weight * 3).sqrt().sum()).startswith(SLOPE)
    assert "a square root, at 0" in birth((weight * 3).sqrt().sum())
    assert "a power below 1" in birth((weight * 3).pow(0.5).sum())
    assert birth((weight * 3).pow(2).sum()) == ""


def test_two_equal_rows_under_a_root() -> None:
    """d/dx √x is infinite at 0: autograd says so, and the loss of the step after is NaN."""
    rows = torch.zeros(3, requires_grad=True)
    distance = rows.square().sum().sqrt()
    assert distance == 0
    assert bool(torch.autograd.grad(distance, rows)[0].isnan().all())

    said = found(lambda z, y: ((z - z.detach()) ** 2).sqrt().mean() + (z - y).abs().mean(), lr=0.01)
    assert said["undefined_number"] == "critical"
    assert said["exploding_gradient"] == "note"
