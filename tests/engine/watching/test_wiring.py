"""Parameters that nothing trains are found in trainings of several networks and optimizers, with
their cause, and not in trainings that leave parameters alone on purpose."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from instrumented import instrumented
from torch import Tensor, nn
from torch.nn import functional

from caveats.verdicts import Verdict
from caveats.watching.instruments import Instruments

Step = Callable[[Tensor, Tensor], None]


def watched(make: Callable[[], Step], steps: int = 60) -> dict[str, Verdict]:
    """The verdict "nothing learns" of each model that has one, by the model's name."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        with instrumented(every=1) as instruments:
            step = make()
            for _ in range(steps):
                x = torch.randn(32, 12)
                step(x, x[:, :4].argmax(1))
    assert instruments.problem == ""
    found = {}
    for training in instruments.trainings:
        assert training.problem == ""
        for verdict in training.judge.verdicts:
            if verdict.caveat == "nothing_learns":
                found[training.model.name] = verdict
    return found


class Two(nn.Module):
    """``between`` stands between its two parts."""

    def __init__(self, between: Callable[[Tensor], Tensor] = torch.relu) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(12, 24), nn.Tanh(), nn.Linear(24, 16))
        self.head = nn.Linear(16, 4)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.between(self.encoder(x)))


def loop(
    model: Callable[[Tensor], Tensor],
    steps: list[torch.optim.Optimizer],
    others: tuple[torch.optim.Optimizer, ...] = (),
) -> Step:
    """A step of each optimizer; of the ``others`` only the gradients are set to zero."""

    def step(x: Tensor, y: Tensor) -> None:
        for optimizer in (*steps, *others):
            optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        for optimizer in steps:
            optimizer.step()

    return step


def sgd(*modules: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD([p for m in modules for p in m.parameters()], lr=0.05)


@pytest.mark.parametrize("forgotten", ["encoder", "head"])
def test_a_second_optimizer_of_one_network_that_never_steps(forgotten: str) -> None:
    def make() -> Step:
        model = Two()
        parts = {"encoder": sgd(model.encoder), "head": sgd(model.head)}
        other = parts.pop(forgotten)
        return loop(model, list(parts.values()), (other,))

    (verdict,) = watched(make).values()
    assert verdict.severity == "warning"
    layers = "encoder.0, encoder.2" if forgotten == "encoder" else "head"
    whose, count = ("their", 4) if forgotten == "encoder" else ("its", 2)
    assert verdict.what == (
        f"{layers} got gradients, but {whose} optimizer (SGD, {count} parameters) never steps"
    )
    assert next(remedy.reason for remedy in verdict.next).startswith("optimizer.step()")


def test_a_network_beside_whose_optimizer_never_steps() -> None:
    def make() -> Step:
        model = Two()
        encoder, head = model.encoder, nn.Linear(16, 4)
        return loop(lambda x: head(torch.relu(encoder(x))), [sgd(head)], (sgd(encoder),))

    (verdict,) = watched(make).values()
    assert "never steps" in verdict.what
    assert "0, " in verdict.what


def test_an_optimizer_that_steps_later_is_taken_back() -> None:
    def make() -> Step:
        model, made = Two(), [0]
        first, second = sgd(model.encoder), sgd(model.head)

        def step(x: Tensor, y: Tensor) -> None:
            made[0] += 1
            loop(model, [first] if made[0] < 50 else [first, second], (second,))(x, y)

        return step

    assert "never steps" in next(iter(watched(make, 49).values())).what
    assert watched(make, 60) == {}


def test_nothing_steps_at_all() -> None:
    def make() -> Step:
        model = Two()
        return loop(model, [], (sgd(model),))

    (verdict,) = watched(make).values()
    assert verdict.severity == "critical"
    assert "(SGD) never steps" in verdict.what


def test_the_optimizer_of_the_other_network_twice() -> None:
    """A generator in no optimizer, because the discriminator was given to both."""

    def make() -> Step:
        makes, tells = nn.Linear(12, 8), nn.Linear(8, 1)
        pair = [sgd(tells), sgd(tells)]

        def step(x: Tensor, y: Tensor) -> None:
            for optimizer in pair:
                optimizer.zero_grad()
                tells(makes(x)).square().mean().backward()
                optimizer.step()

        return step

    (verdict,) = watched(make).values()
    assert "(2 parameters) gets gradients, but is in no optimizer" in verdict.what
    assert "two optimizers hold the same 2 parameters instead" in verdict.what


def test_a_head_that_was_replaced_after_a_second_optimizer_was_made() -> None:
    def make() -> Step:
        model = Two()
        step = loop(model, [sgd(model)])
        for _ in range(30):
            x = torch.randn(32, 12)
            step(x, x[:, :4].argmax(1))
        optimizer = sgd(model)
        model.head = nn.Linear(16, 4)
        return loop(model, [optimizer])

    (verdict,) = watched(make, 90).values()
    assert verdict.severity == "warning"
    assert "head.weight, head.bias get gradients, but are in no optimizer" in verdict.what


def without_gradient(x: Tensor) -> Tensor:
    return x.data


@pytest.mark.parametrize("between", [Tensor.detach, without_gradient])
def test_layers_that_are_cut_off(between: Callable[[Tensor], Tensor]) -> None:
    def make() -> Step:
        model = Two(between)
        return loop(model, [sgd(model)])

    (verdict,) = watched(make).values()
    assert verdict.severity == "warning"
    assert verdict.what.startswith("encoder.0, encoder.2 took part in the pass")
    assert ".detach()" in verdict.next[0].reason
    assert not any("zero_grad" in remedy.reason for remedy in verdict.next)


def wiped(set_to_none: bool) -> Callable[[], Step]:
    def make() -> Step:
        model = Two()
        optimizer = sgd(model)

        def step(x: Tensor, y: Tensor) -> None:
            functional.cross_entropy(model(x), y).backward()
            optimizer.zero_grad(set_to_none)
            optimizer.step()

        return step

    return make


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_that_are_set_to_zero_before_the_step(set_to_none: bool) -> None:
    (verdict,) = watched(wiped(set_to_none)).values()
    assert verdict.severity == "critical"
    assert verdict.what == (
        "the gradients are set to zero between backward() and step(): no step has one"
    )
    assert [remedy.reason for remedy in verdict.next] == [
        "optimizer.zero_grad() before backward(), not after it."
    ]


def test_layers_whose_gradients_are_removed_are_not_cut_off() -> None:
    """As a script does that holds layers still at first."""

    def make() -> Step:
        model = Two()
        optimizer = sgd(model)

        def step(x: Tensor, y: Tensor) -> None:
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            model.head.zero_grad()
            optimizer.step()

        return step

    (verdict,) = watched(make).values()
    assert verdict.severity == "note"
    assert verdict.what == (
        "the gradients of head are set to zero between backward() and step(): no step has one"
    )


def test_a_loss_that_is_constant_has_gradients_of_zero_and_none_is_removed() -> None:
    def make() -> Step:
        model = Two()
        return loop(lambda x: 0 * model(x), [sgd(model)])

    (verdict,) = watched(make).values()
    assert "set to zero" not in verdict.what


def test_only_the_padding_is_looked_up() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(30, 8, padding_idx=0)
            self.out = nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.words(torch.zeros(len(x), 5, dtype=torch.long)).mean(1))

    def make() -> Step:
        model = Words()
        return loop(model, [torch.optim.Adam(model.parameters())])

    (verdict,) = watched(make).values()
    assert verdict.what.startswith("words: only its padding was looked up")
    assert verdict.severity != "note"


def frozen() -> Step:
    model = Two()
    model.encoder.requires_grad_(False)
    return loop(model, [sgd(model)])


def trained_before() -> Step:
    """A backbone that was trained, and of which only the head is fitted now, without gradients."""
    model = Two()
    with torch.no_grad():
        for p in model.encoder.parameters():
            p.add_(torch.randn_like(p))
    model.between = Tensor.detach
    return loop(model, [sgd(model)])


def target_network() -> Step:
    model = nn.ModuleDict({"online": Two(), "target": Two()})

    def both(x: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = model["target"](x)
        return model["online"](x) + 0.1 * wanted

    return loop(both, [sgd(model)])


def teacher() -> Step:
    model = Two()
    average = copy.deepcopy(model)
    fit = loop(lambda x: model(x) + 0.1 * average(x).detach(), [sgd(model)])

    def step(x: Tensor, y: Tensor) -> None:
        fit(x, y)
        with torch.no_grad():
            for a, p in zip(average.parameters(), model.parameters(), strict=True):
                a.lerp_(p, 0.1)

    return step


def turns() -> Step:
    """Two optimizers of one network, each with its own loss, the second every fifth time."""
    model, made = Two(), [0]
    first, second = sgd(model.encoder), sgd(model.head)

    def step(x: Tensor, y: Tensor) -> None:
        made[0] += 1
        loop(model, [first])(x, y)
        if made[0] % 5 == 0:
            loop(model, [second])(x, y)

    return step


def both() -> Step:
    model = Two()
    return loop(model, [sgd(model.encoder), sgd(model.head)])


def accumulated() -> Step:
    model, made = Two(), [0]
    optimizer = sgd(model)

    def step(x: Tensor, y: Tensor) -> None:
        made[0] += 1
        functional.cross_entropy(model(x), y).backward()
        if made[0] % 50 == 0:
            optimizer.step()
            optimizer.zero_grad()

    return step


def perceptual() -> Step:
    """A trained network, in no optimizer, through which a loss goes."""
    model, judge = Two(), nn.Linear(4, 4)
    with torch.no_grad():
        judge.weight.copy_(2 * torch.randn(4, 4))
        judge.bias.copy_(torch.randn(4))
    return loop(lambda x: judge(model(x)), [sgd(model)])


def one_after_the_other() -> Step:
    model, made = Two(), [0]
    first, second = sgd(model), torch.optim.Adam(model.parameters(), 1e-3)

    def step(x: Tensor, y: Tensor) -> None:
        made[0] += 1
        loop(model, [first] if made[0] < 40 else [second])(x, y)

    return step


@pytest.mark.parametrize(
    "make",
    [
        frozen, trained_before, target_network, teacher, turns, both, accumulated, perceptual,
        one_after_the_other,
    ],
)  # fmt: skip
def test_parameters_that_are_left_alone_on_purpose(make: Callable[[], Step]) -> None:
    found = watched(make, 100)
    assert {name: v.what for name, v in found.items() if v.severity != "note"} == {}


def test_steps_of_a_second_optimizer_are_no_zero() -> None:
    """The update of a layer is that of its own optimizer, whichever is followed."""
    torch.manual_seed(0)
    with instrumented(every=1) as instruments:
        model = Two()
        step = loop(model, [sgd(model.encoder), sgd(model.head)])
        for _ in range(12):
            x = torch.randn(32, 12)
            step(x, x[:, :4].argmax(1))
    (training,) = instruments.trainings
    assert training.history is not None
    assert training.history.layers == ("encoder.0", "encoder.2", "head")
    ratios = training.history.snapshot().layers("update_ratio")[1:11]
    assert (ratios > 0).all()


def test_a_step_is_not_blamed_for_what_is_left_out_of_training() -> None:
    """The slow loss is an effect of the wiring: only that is more than a note."""
    torch.manual_seed(0)
    with instrumented(every=1) as instruments:
        model = Two(Tensor.detach)
        step = loop(model, [torch.optim.SGD(model.parameters(), lr=1e-5)])
        for _ in range(60):
            x = torch.randn(32, 12)
            step(x, x[:, :4].argmax(1))
    (training,) = instruments.trainings
    severities = {v.caveat: v.severity for v in training.judge.verdicts}
    assert severities["nothing_learns"] != "note"
    assert severities.get("step_too_small", "note") == "note"


@pytest.mark.parametrize("apart", [True, False])
def test_targets_are_those_of_the_last_network(apart: bool) -> None:
    """A tanh at the end of an encoder limits no output; behind the head it does."""
    torch.manual_seed(0)
    with instrumented(every=1) as instruments:
        encoder = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh())
        end = [] if apart else [nn.Tanh()]
        head = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1), *end)
        pair = [sgd(encoder), sgd(head)]
        for _ in range(60):
            x = torch.randn(64, 12)
            for optimizer in pair:
                optimizer.zero_grad()
            functional.mse_loss(head(encoder(x)), x[:, :1]).backward()
            for optimizer in pair:
                optimizer.step()
    assert instruments.problem == ""
    limits = {"unscaled_data", "loss_misfit"}
    flagged = [bool(limits & t.judge.first_flagged.keys()) for t in instruments.trainings]
    assert flagged == [False, not apart]


@pytest.mark.parametrize("every", [1, 7])
def test_a_second_optimizer_takes_over_with_the_loss_of_its_own_step(every: int) -> None:
    """Its first 20 steps are not followed: their losses belong to no record. Its level is no
    spike, and no record has the mean of both levels."""
    torch.manual_seed(0)
    instruments = Instruments(every=every)
    instruments.install()
    losses: list[float] = []
    try:
        model = Two()
        optimizers = [sgd(model)]
        for k in range(110):
            if k == 70:
                optimizers.append(torch.optim.SGD(model.head.parameters(), lr=0.01))
            optimizer = optimizers[-1]
            x = torch.randn(32, 12)
            loss = functional.cross_entropy(model(x), x[:, :4].argmax(1)) + 20 * (k >= 70)
            model.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    finally:
        instruments.remove()
    (training,) = instruments.trainings
    assert instruments.problem == training.problem == ""
    assert training.history is not None
    snapshot = training.history.snapshot()
    assert [event.text for event in snapshot.events if event.kind == "spike"] == []
    told = snapshot.scalar("loss")
    assert np.all((told < 2) | (told > 20))
    if every == 1:
        assert told.tolist() == pytest.approx(losses[:70] + losses[90:])
