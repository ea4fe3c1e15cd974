"""Steps that clipping or a schedule makes too small are found in trainings that have them, and the
advice fits the optimizer and the layers; usual clipping and usual schedules are silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from instrumented import instrumented
from torch import nn
from torch.nn import functional, utils
from torch.nn.utils import clip_grad_norm_

from caveats.verdicts import Verdict
from caveats.watching.training import WatchedTraining

Act = Callable[[nn.Module], Any]


def trained(
    optimizer: Callable[[nn.Module], torch.optim.Optimizer],
    *,
    clip: Act = lambda model: None,
    schedule: Callable[[torch.optim.Optimizer], Any] | None = None,
    normalize: bool = False,
    steps: int = 120,
) -> WatchedTraining:
    """Learn which of four numbers is the largest."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        with instrumented(every=1) as instruments:
            model = nn.Sequential(
                nn.Linear(12, 32), *([nn.LayerNorm(32)] if normalize else []), nn.ReLU(),
                nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4),
            )  # fmt: skip
            made = optimizer(model)
            rates = schedule(made) if schedule else None
            for _ in range(steps):
                x = torch.randn(64, 12)
                made.zero_grad()
                functional.cross_entropy(model(x), x[:, :4].argmax(1)).backward()
                clip(model)
                made.step()
                if rates is not None:
                    rates.step()
    assert instruments.problem == ""
    (training,) = instruments.trainings
    assert training.problem == ""
    return training


def found(training: WatchedTraining, name: str = "step_too_small") -> Verdict | None:
    return next((v for v in training.judge.verdicts if v.caveat == name), None)


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def precomputed(model: nn.Module) -> None:
    own = list(model.parameters())
    norm = utils.get_total_norm([p.grad for p in own if p.grad is not None])
    utils.clip_grads_with_norm_(own, 1e-4, norm)


@pytest.mark.parametrize(
    "clip",
    [
        lambda model: utils.clip_grad_norm_(model.parameters(), 1e-4),
        lambda model: clip_grad_norm_(list(model.parameters()), max_norm=1e-4),  # imported before
        precomputed,
    ],
    ids=["of torch", "imported before", "in two calls"],
)
def test_clipping_that_leaves_next_to_nothing(clip: Act) -> None:
    training = trained(sgd, clip=clip)
    assert training.history is not None
    facts = training.history.facts.optimizer
    assert facts is not None
    assert facts.clip_norm == 1e-4
    assert 0 < facts.clip_keeps < 1e-2
    verdict = found(training)
    assert verdict is not None
    assert verdict.severity != "note"
    assert "; clipping leaves 0.0" in verdict.what
    assert "A larger bound than 0.0001 in clip_grad_norm_" in verdict.next[0].reason


def test_the_share_that_clipping_leaves_is_that_of_the_lengths() -> None:
    lengths: list[float] = []

    def clip(model: nn.Module) -> None:
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        lengths.append(float(torch.cat([g.reshape(-1) for g in grads]).norm()))
        utils.clip_grad_norm_(model.parameters(), 0.01)

    training = trained(sgd, clip=clip, steps=9)
    assert training.history is not None
    facts = training.history.facts.optimizer
    assert facts is not None
    median = sorted(0.01 / length for length in lengths)[4]
    assert facts.clip_keeps == pytest.approx(median, rel=0.06)  # kept to two digits


@pytest.mark.parametrize("optimizer", [sgd, adam])
def test_usual_clipping_is_silent(optimizer: Callable[[nn.Module], torch.optim.Optimizer]) -> None:
    training = trained(optimizer, clip=lambda model: utils.clip_grad_norm_(model.parameters(), 1.0))
    verdict = found(training)
    assert verdict is None or verdict.severity == "note"
    assert utils.clip_grad._clip_grads_with_norm_.__module__ == "torch.nn.utils.clip_grad"


def test_adam_does_not_mind_short_gradients() -> None:
    training = trained(adam, clip=lambda model: utils.clip_grad_norm_(model.parameters(), 1e-4))
    assert found(training) is None


def test_a_schedule_that_is_stepped_too_often() -> None:
    training = trained(
        adam, schedule=lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.85), steps=160
    )
    verdict = found(training)
    assert verdict is not None
    assert verdict.severity != "note"
    assert "the schedule has taken the learning rate from 0.001 to " in verdict.what
    reasons = [remedy.reason for remedy in verdict.next]
    assert "once an epoch" in reasons[0]
    assert not any("Adam" in reason for reason in reasons)


def cosine(optimizer: torch.optim.Optimizer) -> Any:
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 160)


def warm_up_and_down(optimizer: torch.optim.Optimizer) -> Any:
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 20, max(0.0, (160 - step) / 140))
    )


def tenths(optimizer: torch.optim.Optimizer) -> Any:
    return torch.optim.lr_scheduler.MultiStepLR(optimizer, [60, 100, 130])


@pytest.mark.parametrize("schedule", [cosine, warm_up_and_down, tenths])
def test_usual_schedules_are_silent(schedule: Callable[[torch.optim.Optimizer], Any]) -> None:
    training = trained(adam, schedule=schedule, steps=160)
    assert "step_too_small" not in training.judge.first_flagged


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_the_advice_fits_the_optimizer_and_the_layers(
    kind: type[torch.optim.Optimizer], normalize: bool
) -> None:
    training = trained(
        lambda model: kind(model.parameters(), lr=1e-6),
        normalize=normalize,  # type: ignore[call-arg]
    )
    verdict = found(training)
    assert verdict is not None
    reasons = " ".join(remedy.reason for remedy in verdict.next)
    assert "A learning rate ten times as large" in reasons
    assert ("torch.optim.Adam" in reasons) == (kind is torch.optim.SGD)
    assert ("normalization" in reasons) == (not normalize)


def transformer(lr: float, steps: int = 110) -> WatchedTraining:
    """A small encoder that learns to turn a sequence around."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        with instrumented(every=2) as instruments:
            layer = nn.TransformerEncoderLayer(24, 2, 48, dropout=0.0, batch_first=True)
            model = nn.Sequential(
                nn.Embedding(10, 24), nn.TransformerEncoder(layer, 2), nn.Linear(24, 10)
            )
            made = torch.optim.AdamW(model.parameters(), lr=lr)
            for _ in range(steps):
                x = torch.randint(0, 10, (24, 6))
                made.zero_grad()
                functional.cross_entropy(model(x).transpose(1, 2), x.flip(1)).backward()
                made.step()
    (training,) = instruments.trainings
    assert training.problem == ""
    return training


def test_a_rate_a_hundred_times_too_large_is_told_soon_where_the_length_is_not_known() -> None:
    assert transformer(0.3).judge.first_flagged["step_too_large"] < 100
    assert "step_too_large" not in transformer(3e-3).judge.first_flagged


@pytest.mark.parametrize("gain", [1.0, 4.0])
def test_a_gradient_that_grows_at_each_step_back_in_time(gain: float) -> None:
    """A recurrence whose matrix makes vectors longer: what flows back has no direction left."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        with instrumented(every=5) as instruments:
            rnn = nn.RNN(1, 32, batch_first=True)
            model = nn.ModuleDict({"rnn": rnn, "out": nn.Linear(32, 1)})
            nn.init.orthogonal_(rnn.weight_hh_l0, gain=gain)
            made = torch.optim.Adam(model.parameters(), lr=1e-3)
            for _ in range(140):
                x = torch.randn(32, 24, 1)
                made.zero_grad()
                out = model["out"](rnn(x)[0][:, -1])
                functional.mse_loss(out, 3 * x.mean(1)).backward()
                made.step()
    (training,) = instruments.trainings
    verdict = found(training, "memory_through_time")
    assert (verdict is not None and verdict.severity != "note") == (gain == 4.0)
