"""What a watched training shows of its data agrees with numpy on the same data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from instrumented import instrumented
from torch import Tensor, nn
from torch.nn import functional

import caveats
from caveats.facts import DataFacts, RunFacts
from caveats.history import History
from caveats.verdicts import judge
from caveats.watching.data import Targets, spread
from caveats.watching.numbers import quartiles
from caveats.watching.shown import constant_loss, target_of
from caveats.watching.training import WatchedTraining


class LastStep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.rnn(x)[0][:, -1])
        return out


def watched(
    model: nn.Module,
    draw: Callable[[], Tensor],
    *,
    steps: int = 12,
    lr: float = 0.01,
    backwards: int = 1,
) -> WatchedTraining:
    with instrumented(every=1) as instruments:
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        for _ in range(steps):
            optimizer.zero_grad()
            for _ in range(backwards):
                x = draw()
                functional.cross_entropy(model(x), torch.arange(len(x)) % 3).backward()
            optimizer.step()
    assert instruments.problem == ""
    (training,) = instruments.trainings
    assert training.problem == ""
    return training


def facts(training: WatchedTraining) -> RunFacts:
    assert training.history is not None
    return training.history.facts


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_columns_of_a_linear_layer() -> None:
    x = torch.randn(64, 6) * torch.tensor([1, 2, 3, 4, 5, 80.0]) + 7
    data = facts(watched(nn.Linear(6, 3), lambda: x)).data
    deviations = x.numpy().std(0, ddof=1)
    assert data.input_size == pytest.approx(float(np.sqrt((x.numpy() ** 2).mean())), rel=0.05)
    assert data.input_spread == pytest.approx(deviations.max() / np.median(deviations), rel=0.05)


def test_channels_of_a_convolution() -> None:
    x = torch.randn(8, 3, 5, 5) * torch.tensor([1, 2, 30.0])[:, None, None]
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))
    data = facts(watched(model, lambda: x)).data
    deviations = x.numpy().transpose(0, 2, 3, 1).reshape(-1, 3).std(0, ddof=1)
    assert data.input_spread == pytest.approx(deviations.max() / np.median(deviations), rel=0.05)


def test_a_sequence_that_one_function_runs_over() -> None:
    x = 50 * torch.randn(32, 5, 4)
    training = watched(LastStep(), lambda: x)
    size = facts(training).data.input_size
    assert size == pytest.approx(float(x.square().mean().sqrt()), rel=0.05)
    assert training.history is not None
    assert training.history.layers[0] == "rnn"
    assert facts(training).layers[0].kind == "recurrent"
    assert training.unobserved == {}


def test_a_packed_sequence_that_enters_the_network() -> None:
    class Packed(LastStep):
        def forward(self, x: nn.utils.rnn.PackedSequence) -> Tensor:
            return self.head(self.rnn(x)[1][0][-1])

    def draw() -> nn.utils.rnn.PackedSequence:
        rows = [20 * torch.randn(length, 4) for length in [5] * 20 + [3] * 12]
        return nn.utils.rnn.pack_sequence(rows)

    model = Packed()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with caveats.watch(model, optimizer, every=1) as seen:
        for _ in range(12):
            optimizer.zero_grad()
            functional.cross_entropy(model(draw()), torch.arange(32) % 3).backward()
            optimizer.step()
    assert seen.unobserved == {}
    assert seen.history.facts.data.input_size == pytest.approx(20, rel=0.1)
    assert np.isfinite(seen.history.snapshot().layers("delta_rms")[:-1]).all()


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_a_projected_lstm_is_not_taken_apart() -> None:
    model = LastStep()
    model.rnn = nn.LSTM(4, 12, proj_size=8, batch_first=True)
    training = watched(model, lambda: torch.randn(32, 5, 4))
    assert training.history is not None
    events = training.history.snapshot().events
    (said,) = [event.text for event in events if event.kind == "unobserved"]
    assert said.startswith("rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.weight_hr_l0: ")
    assert "lstm, which is not taken apart" in said


def test_indices_and_ones_have_no_scale() -> None:
    table = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 3))
    assert math.isnan(facts(watched(table, lambda: torch.randint(0, 5, (32, 2)))).data.input_size)
    ones = functional.one_hot(torch.arange(32) % 30, 30).float()
    assert math.isnan(facts(watched(nn.Linear(30, 3), lambda: ones)).data.input_size)


def test_one_broken_minibatch_changes_nothing() -> None:
    scales = iter([1.0] * 8 + [1e4] + [1.0] * 3)
    data = facts(watched(nn.Linear(6, 3), lambda: next(scales) * torch.randn(64, 6), lr=1e-6)).data
    assert data.input_size == pytest.approx(1, abs=0.1)


def test_the_loss_of_a_constant_for_classes() -> None:
    assert facts(watched(nn.Linear(6, 3), lambda: torch.randn(64, 6))).baseline == pytest.approx(
        math.log(3), rel=0.02
    )
    twice = watched(nn.Linear(6, 3), lambda: torch.randn(64, 6), backwards=2)
    assert facts(twice).baseline == pytest.approx(2 * math.log(3), rel=0.02)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_of_a_constant(reduction: str) -> None:
    output = torch.zeros(40, 5, requires_grad=True)
    y = torch.randint(0, 5, (40,))
    y[:7] = -100  # ignored
    even = functional.cross_entropy(output, y, reduction=reduction)
    assert constant_loss(even) == pytest.approx(even.item(), rel=1e-5)
    target = torch.randn(40, 5) * 3 + 9
    best = (output * 0 + target.mean(0)).requires_grad_()
    squared = functional.mse_loss(best, target, reduction=reduction)
    assert constant_loss(squared) == pytest.approx(squared.item(), rel=1e-4)


def best_constant(loss: Any, target: Tensor) -> float:
    """The loss of the best of many constants, each column on its own."""
    tried = torch.linspace(-12, 12, 2401)
    return float(
        np.mean(
            [min(loss(c.expand(len(column)), column).item() for c in tried) for column in target.T]
        )
    )


@pytest.mark.parametrize(
    ("loss", "target", "near"),
    [
        (
            functional.binary_cross_entropy_with_logits,
            lambda: (torch.rand(40, 3) < 0.2).float(),
            1e-3,
        ),
        (functional.smooth_l1_loss, lambda: torch.randn(40, 3) * 3 + 2, 0.03),
        (functional.huber_loss, lambda: torch.randn(40, 3) * 3 + 2, 0.03),
    ],
)
def test_the_loss_of_the_best_constant_is_found(loss: Any, target: Any, near: float) -> None:
    y = target()
    output = torch.zeros(40, 3, requires_grad=True)
    assert constant_loss(loss(output, y)) == pytest.approx(best_constant(loss, y), rel=near)


def test_the_scale_of_the_targets_is_seen_where_they_are_numbers() -> None:
    y = torch.randn(40, 2) * torch.tensor([1.0, 5.0]) + torch.tensor([0.0, 100.0])
    scale = target_of(functional.mse_loss(torch.zeros(40, 2, requires_grad=True), y))
    assert scale is not None
    wanted = (y[:, 1].mean(), y[:, 1].std(correction=0), y.min(), y.max())
    assert scale == pytest.approx([float(v) for v in wanted], rel=1e-5)
    logits = torch.zeros(40, 5, requires_grad=True)
    assert target_of(functional.cross_entropy(logits, torch.arange(40) % 5)) is None


def test_other_losses_do_not_show_it() -> None:
    output = torch.zeros(40, 5, requires_grad=True)
    y = torch.randint(0, 5, (40,))
    y5 = functional.one_hot(y, 5).float()
    for loss in (
        functional.binary_cross_entropy_with_logits(output, y5, pos_weight=torch.rand(5)),
        functional.cross_entropy(output, y, weight=torch.rand(5)),
        functional.cross_entropy(output, y) + output.square().sum(),
        output.sum(),
    ):
        assert math.isnan(constant_loss(loss))
    assert math.isnan(constant_loss(None))


@pytest.mark.parametrize(("factor", "said"), [(1.0, False), (1000.0, True)])
def test_a_network_that_large_inputs_saturate(factor: float, said: bool) -> None:
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
    model.append(nn.Linear(32, 3))
    x = torch.randn(63, 6)
    x[:, :3] += 2 * functional.one_hot(torch.arange(63) % 3)
    training = watched(model, lambda: factor * x + (factor > 1) * 3000, steps=120, lr=0.3)
    assert ("unscaled_data" in training.judge.first_flagged) == said


def test_a_run_of_unknown_length_is_judged_by_what_it_learned_in_200_steps() -> None:
    def said(size: float, end: float, steps: int) -> bool:
        facts = RunFacts(baseline=1.0, data=DataFacts(input_size=size))
        history = History(("layer",), facts=facts)
        for step in range(0, steps, 10):
            loss = 1 - (1 - end) * step / steps
            history.append(step, {"loss": loss}, {"weight_norm": [1.0]}, ())
        return any(v.caveat == "unscaled_data" and v.severity != "note" for v in judge(history))

    assert said(100, 0.8, 300)
    assert not said(100, 0.5, 300)  # it learns all the same
    assert not said(100, 0.8, 150)  # too early to tell
    assert not said(1, 0.8, 300)


P = nn.Linear(3, 5)
Y = torch.arange(40) % 5
Z = torch.randn(40, 5)


def test_targets_that_are_all_the_same_have_no_spread() -> None:
    """As those of a least-squares GAN."""
    loss = ((P(torch.randn(40, 3)) - 1) ** 2).mean()
    scale = target_of(loss)
    assert scale is not None
    assert scale[0] == pytest.approx(1)
    assert scale[1] == 0


@pytest.mark.parametrize(
    ("own", "by_hand"),
    [
        (functional.mse_loss, lambda p, y: ((p - y) ** 2).mean()),
        (functional.mse_loss, lambda p, y: ((y - p) * (y - p)).sum() / y.numel()),
        (functional.mse_loss, lambda p, y: (p - y).square().mean(1).mean()),
        (functional.mse_loss, lambda p, y: functional.mse_loss(p, y, reduction="none").mean()),
        (functional.l1_loss, lambda p, y: (p - y).abs().mean()),
    ],
)
def test_a_difference_that_the_script_squares_itself(own: Any, by_hand: Any) -> None:
    y = torch.randn(40, 5) * 3 + 9
    best = y.median(0).values if own is functional.l1_loss else y.mean(0)
    wanted = own(best.expand_as(y), y).item()
    loss = by_hand(P(torch.randn(40, 3)), y)
    assert constant_loss(loss) == pytest.approx(wanted, rel=1e-4)
    scale = target_of(loss)
    assert scale is not None
    assert scale[2:] == pytest.approx((y.min().item(), y.max().item()), rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: -z.log_softmax(1)[torch.arange(40), Y].mean(),
        lambda z: -z.log_softmax(-1).gather(1, Y[:, None]).sum() / 40,
        lambda z: -(functional.one_hot(Y, 5).float() * z.log_softmax(1)).sum(1).mean(),
        lambda z: functional.cross_entropy(z, Y) * 0.25 * 4,
        lambda z: functional.cross_entropy(z, Y, reduction="none").mean(),
        lambda z: functional.nll_loss(z.softmax(1).log(), Y),
    ],
)
def test_log_probabilities_that_the_script_picks_itself(loss: Any) -> None:
    assert constant_loss(loss(P(torch.randn(40, 3)))) == pytest.approx(math.log(5), rel=1e-5)


def test_sums_of_losses_have_the_sum_of_their_constants() -> None:
    z, y = P(torch.randn(40, 3)), torch.randn(40, 5)
    both = functional.cross_entropy(z, Y) + 2 * functional.mse_loss(z, y)
    wanted = math.log(5) + 2 * y.var(0, correction=0).mean().item()
    assert constant_loss(both) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: -functional.cross_entropy(z, Y),
        lambda z: (functional.cross_entropy(z, Y, reduction="none") * torch.randn(40)).mean(),
        lambda z: -(torch.rand(40) * z.log_softmax(1)[torch.arange(40), Y]).mean(),
        lambda z: -(torch.full((40, 5), 0.2) * z.log_softmax(1)).sum(1).mean(),  # a soft teacher
        lambda z: functional.binary_cross_entropy(z.sigmoid(), torch.rand(40, 5) / 2),
        lambda z: ((z - torch.randn(40, 5)) ** 2 * torch.rand(40, 1)).mean(),
        lambda z: (z[:, :1] - torch.randn(40)).square().mean(),  # shapes broadcast
        lambda z: functional.cross_entropy(z, Y) + z.square().mean(),
        lambda z: functional.nll_loss((1 - z.softmax(1)).log(), Y),  # of another probability
        lambda z: functional.mse_loss(z[:20], Z[:20]) + functional.mse_loss(z[20:], Z[20:]),
    ],
)
def test_no_constant_is_guessed(loss: Any) -> None:
    assert math.isnan(constant_loss(loss(P(torch.randn(40, 3)))))


def test_a_constants_loss_that_changes_all_the_time_is_no_yardstick() -> None:
    def seen(rewards: list[float]) -> float:
        targets = Targets()
        for reward in rewards:
            targets.add(reward * math.log(2), None)
        return targets.constant

    assert seen([1.0] * 8) == pytest.approx(math.log(2), rel=0.02)
    assert seen([1.0, 1.1, 0.9, 1.2, 60.0]) == pytest.approx(1.1 * math.log(2), rel=0.02)
    assert math.isnan(seen([1.0, 20.0, 3.0, 80.0, 7.0, 40.0]))


def test_what_another_network_gives_is_no_data() -> None:
    """A head whose features come from an encoder of its own: their mean is no fault of the data."""
    encoder, head = nn.Sequential(nn.Linear(6, 12), nn.ReLU()), nn.Linear(12, 3)
    with instrumented(every=1) as instruments:
        optimizers = [torch.optim.SGD(m.parameters(), lr=0.01) for m in (encoder, head)]
        for _ in range(12):
            x = torch.rand(32, 6)
            for optimizer in optimizers:
                optimizer.zero_grad()
            functional.cross_entropy(head(encoder(x) + 9), torch.arange(32) % 3).backward()
            for optimizer in optimizers:
                optimizer.step()
    facts = [t.history.facts.data for t in instruments.trainings if t.history is not None]
    assert [f.from_network for f in facts] == [False, True]
    assert facts[0].input_size == pytest.approx(3**-0.5, rel=0.1)  # √E[u²] of u from 0 to 1
    assert math.isnan(facts[1].input_size)


def test_coordinates_of_an_equation_are_data_though_they_have_a_gradient() -> None:
    model, t = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3)), torch.rand(32, 1)
    training = watched(
        model, lambda: torch.cat([t.clone().requires_grad_(), t.clone().requires_grad_()], 1)
    )
    assert training.history is not None
    assert not training.history.facts.data.from_network


def test_a_constant_that_moves_with_the_targets_stays_unknown() -> None:
    """Values that grow while a policy gets better: when they come to rest, no first one counts."""
    targets = Targets()
    for step in range(40):
        targets.add(min(1.0, 0.1 + 0.05 * step), None)
    assert math.isnan(targets.constant)
    steady = Targets()
    for step in range(40):
        steady.add(1.0 + 0.1 * (-1) ** step, None)
    assert 0.9 <= steady.constant <= 1.1


@pytest.mark.parametrize("count", range(1, 12))
def test_quartiles_are_those_of_numpy(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    assert quartiles(values.tolist()) == pytest.approx(np.quantile(values, (0.25, 0.5, 0.75)))
    same = [math.log(10)] * count
    assert quartiles(same)[2] - quartiles(same)[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("columns", [1, 2, 5, 6])
def test_the_spread_of_columns_is_that_of_numpy(columns: int) -> None:
    torch.manual_seed(columns)
    rows = torch.randn(64, columns) * torch.arange(1, columns + 1)
    rows[:, :1] *= columns <= 2  # a column that does not vary does not count
    deviations = rows.double().std(0).numpy()
    vary = deviations[deviations > 0]
    assert spread(rows) == pytest.approx(vary.max() / np.median(vary))
