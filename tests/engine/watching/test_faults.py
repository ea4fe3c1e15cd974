"""Faults of the wiring are found in trainings that have them, and not in those beside them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from instrumented import instrumented
from torch import Tensor, nn
from torch.nn import functional

from caveats.verdicts import Verdict
from caveats.watching.spikes import Spikes


class Net(nn.Module):
    def __init__(self, listed: bool = False) -> None:
        super().__init__()
        self.first = nn.Linear(12, 16)
        middle = [nn.Linear(16, 16), nn.Linear(16, 16)]
        self.middle = middle if listed else nn.ModuleList(middle)
        self.last = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.first(x))
        for layer in self.middle:
            x = functional.relu(layer(x))
        return self.last(x)


def watched(
    make: Callable[[], tuple[nn.Module, torch.optim.Optimizer]],
    *,
    zero: bool = True,
    clip: bool = False,
    loss: Callable[[Tensor, Tensor], Tensor] = functional.cross_entropy,
    steps: int = 60,
) -> dict[str, Verdict]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        with instrumented(every=1) as instruments:
            model, optimizer = make()
            for _ in range(steps):
                x = torch.randn(64, 12)
                if zero:
                    optimizer.zero_grad(set_to_none=False)
                loss(model(x), x[:, :4].argmax(1)).backward()
                if clip:
                    nn.utils.clip_grad_norm_(model.parameters(), 0.1)
                optimizer.step()
    assert instruments.problem == ""
    (training,) = instruments.trainings
    assert training.problem == ""
    return {verdict.caveat: verdict for verdict in training.judge.verdicts}


def whole(**options: bool) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = Net(**options)
    return model, torch.optim.SGD(model.parameters(), lr=0.05)


def test_a_sound_training_has_no_verdict_of_its_wiring() -> None:
    found = watched(whole)
    assert "nothing_learns" not in found
    assert "loss_spike" not in found


@pytest.mark.parametrize("clip", [False, True])
def test_gradients_that_are_never_set_to_zero(clip: bool) -> None:
    assert "nothing_learns" not in watched(whole, clip=clip)
    found = watched(whole, zero=False, clip=clip)
    assert found["nothing_learns"].severity == "critical"
    assert "never set back to zero" in found["nothing_learns"].what


def test_layers_in_a_plain_list() -> None:
    found = watched(lambda: whole(listed=True))
    assert found["nothing_learns"].severity == "warning"
    assert "nn.ModuleList" in found["nothing_learns"].what
    assert "of a Linear" in found["nothing_learns"].what


def test_a_layer_that_the_optimizer_was_not_given() -> None:
    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        model = Net()
        own = [*model.first.parameters(), *model.middle.parameters()]
        return model, torch.optim.SGD(own, lr=0.05)

    found = watched(make)
    assert found["nothing_learns"].severity == "warning"
    assert "last.weight, last.bias" in found["nothing_learns"].what


def test_an_optimizer_of_another_model() -> None:
    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        model, other = Net(), Net()
        model.other = [other]  # a copy that was moved, say: it lives, and is not used
        return model, torch.optim.SGD(other.parameters(), lr=0.05)

    found = watched(make)
    assert found["nothing_learns"].severity == "critical"
    assert "none of them is part of the loss" in found["nothing_learns"].what


def test_gradients_that_are_not_numbers_are_another_fault() -> None:
    def broken(output: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(output, y) * float("nan")

    found = watched(whole, loss=broken)
    assert "nothing_learns" not in found
    assert found["exploding_gradient"].severity == "critical"


def test_a_frozen_layer_is_no_fault() -> None:
    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        model = Net()
        model.first.requires_grad_(False)
        return model, torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)

    assert "nothing_learns" not in watched(make)


@pytest.mark.parametrize("seed", range(4))
def test_spikes_are_found_and_noise_is_not(seed: int) -> None:
    torch.manual_seed(seed)
    spikes = Spikes()
    noise = torch.randn(2000).tolist()
    losses = [2.0 * 0.999**i * 2.718 ** (0.1 * noise[i]) for i in range(2000)]
    assert [i for i, x in enumerate(losses) if spikes.add(x) is not None] == []
    spikes = Spikes()
    losses[700] *= 4
    losses[1500] *= 4
    assert [i for i, x in enumerate(losses) if spikes.add(x) is not None] == [700, 1500]


def test_a_loss_that_stays_high_is_one_spike_and_then_the_new_level() -> None:
    torch.manual_seed(0)
    noise = torch.randn(2000).tolist()
    levels = [2.0 * (4.0 if 700 <= i < 1200 else 1.0) for i in range(2000)]
    levels[1000] *= 4
    losses = [level * 2.718 ** (0.1 * n) for level, n in zip(levels, noise, strict=True)]
    spikes = Spikes()
    assert [i for i, x in enumerate(losses) if spikes.add(x) is not None] == [700, 1000]


def straight() -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Sequential(nn.Linear(12, 16), nn.Linear(16, 16), nn.Linear(16, 4))
    return model, torch.optim.Adam(model.parameters(), lr=0.01)


def test_layers_without_an_activation_between_them() -> None:
    found = watched(straight)["underfitting"]
    assert found.severity == "note"  # the classes of these rows can be told by a linear map
    assert found.what.startswith("no activation stands between its layers")
    assert "underfitting" not in watched(whole)


def test_embeddings_have_no_activation_on_purpose() -> None:
    class Factors(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.people, self.films = nn.Embedding(20, 8), nn.Embedding(30, 8)

        def forward(self, x: Tensor) -> Tensor:
            at = x[:, 0].abs().mul(7).long()
            return (self.people(at % 20) * self.films(at % 30))[:, :4]

    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        model = Factors()
        return model, torch.optim.Adam(model.parameters(), lr=0.01)

    assert "underfitting" not in watched(make)


def test_two_networks_that_train_each_other_set_their_gradients_to_zero_in_turn() -> None:
    """The generator's backward pass comes before the discriminator's gradients are set to zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        with instrumented(every=1) as instruments:
            makes = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
            tells = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
            adams = [torch.optim.Adam(m.parameters(), lr=1e-3) for m in (makes, tells)]
            bce, one = functional.binary_cross_entropy_with_logits, torch.ones(32, 1)
            for _ in range(60):
                fake = makes(torch.randn(32, 4))
                adams[1].zero_grad()
                loss = bce(tells(torch.randn(32, 2)), one) + bce(tells(fake.detach()), 0 * one)
                loss.backward()
                adams[1].step()
                adams[0].zero_grad()
                bce(tells(fake), one).backward()
                adams[0].step()
    for training in instruments.trainings:
        assert "nothing_learns" not in {v.caveat for v in training.judge.verdicts}
