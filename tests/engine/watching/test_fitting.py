"""Whether a loss fits its outputs is read off its graph: faults in many styles are found, and sound
losses that look alike are no faults."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from instrumented import instrumented
from torch import Tensor, nn
from torch.nn import functional as fn
from torch.utils.checkpoint import checkpoint

from caveats.facts import LossFacts
from caveats.verdicts import Verdict
from caveats.watching.births import birth
from caveats.watching.fitting import Fits, fits
from caveats.watching.shown import constant_loss, target_of

N, K = 32, 4


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Case:
    """One minibatch: ``z`` (N, K) outputs of a layer, ``y`` (N,) classes, ``t`` (N, K)
    probabilities, ``b`` (N, K) zeros and ones, ``r`` (N,) numbers."""

    def __init__(self) -> None:
        self.z = nn.Linear(6, K)(torch.randn(N, 6))
        self.y = torch.arange(N) % K
        self.t = torch.softmax(torch.randn(N, K), 1)
        self.b = (torch.rand(N, K) < 0.3).float()
        self.r = torch.randn(N)


def seen(loss: Callable[[Case], Tensor]) -> list[LossFacts]:
    return [fit.facts for fit in fits(loss(Case()))]


ACTIVATED = [
    (lambda c: fn.cross_entropy(c.z.softmax(1), c.y), "cross_entropy", "softmax"),
    (lambda c: nn.CrossEntropyLoss()(nn.Softmax(dim=-1)(c.z), c.y), "cross_entropy", "softmax"),
    (lambda c: fn.cross_entropy(c.z.softmax(1), c.t), "cross_entropy", "softmax"),
    (
        lambda c: fn.cross_entropy(c.z.softmax(1), c.y, label_smoothing=0.1),
        "cross_entropy",
        "softmax",
    ),
    (
        lambda c: fn.nll_loss(fn.log_softmax(c.z.softmax(1), 1), c.y),
        "cross_entropy",
        "softmax",
    ),
    (lambda c: fn.cross_entropy(c.z.sigmoid(), c.y) / 4, "cross_entropy", "sigmoid"),
    (
        lambda c: fn.binary_cross_entropy_with_logits(c.z[:, 0].sigmoid(), c.b[:, 0]),
        "bce_with_logits",
        "sigmoid",
    ),
    (
        lambda c: fn.binary_cross_entropy_with_logits(
            c.z.sigmoid().view(-1), c.b.view(-1), pos_weight=torch.tensor(3.0)
        ),
        "bce_with_logits",
        "sigmoid",
    ),
    (lambda c: fn.nll_loss(c.z.softmax(1), c.y), "nll", "softmax"),
    (lambda c: fn.kl_div(c.z.softmax(1), c.t, reduction="batchmean"), "kl_div", "softmax"),
    (lambda c: 9 * fn.kl_div(c.z.softmax(1), c.t.log(), log_target=True), "kl_div", "softmax"),
    (lambda c: fn.mse_loss(c.z[:, 0].relu(), c.r), "mse", "relu"),
    (lambda c: (c.r - c.z[:, :1].sigmoid().squeeze(1)).abs().mean(), "l1", "sigmoid"),
    (lambda c: fn.binary_cross_entropy(c.z[:, :1].softmax(1), c.b[:, :1]), "bce", "softmax_of_one"),
]


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize(("loss", "function", "activation"), ACTIVATED)
def test_the_activation_before_a_loss(
    loss: Callable[[Case], Tensor], function: str, activation: str
) -> None:
    known = {(facts.function, facts.activation) for facts in seen(loss)}
    assert known == {(function, activation)}


@pytest.mark.parametrize(
    ("activation", "lowest"), [(torch.sigmoid, (1.0, 0.0)), (torch.tanh, (1.0, -1.0))]
)
def test_below_what_share_of_a_constants_loss_no_output_goes(
    activation: Callable[[Tensor], Tensor], lowest: tuple[float, float]
) -> None:
    """The lowest loss is that of the right class at the highest and all others at the lowest."""
    high, low = lowest
    (facts,) = seen(lambda c: fn.cross_entropy(activation(c.z), c.y))
    best = torch.full((1, K), low)
    best[0, 0] = high
    lowest_loss = fn.cross_entropy(best, torch.zeros(1, dtype=torch.int64)).item()
    assert facts.unreached == pytest.approx(lowest_loss / math.log(K))


def test_a_loss_of_zeros_and_ones_behind_a_sigmoid_stays_above_that_of_a_constant() -> None:
    case = Case()
    y = case.b
    (fit,) = fits(fn.binary_cross_entropy_with_logits(case.z.sigmoid(), y))
    best = fn.binary_cross_entropy_with_logits(y, y)  # 1 for ones, 0 for zeros
    share = y.mean(0)
    constant = fn.binary_cross_entropy(share.expand_as(y), y)
    assert fit.facts.unreached == pytest.approx((best / constant).item(), rel=1e-4)


@pytest.mark.parametrize("by_hand", [False, True])
def test_numbers_that_a_relu_never_gives(by_hand: bool) -> None:
    case = Case()
    p, r = case.z[:, 0].relu(), case.r
    (fit,) = fits(((p - r) ** 2).mean() if by_hand else fn.mse_loss(p, r))
    assert fit.facts.unreached == pytest.approx(
        (r.clamp(max=0).square().mean() / r.var(correction=0)).item(), rel=1e-4
    )


@pytest.mark.parametrize(
    ("loss", "mass"),
    [
        (lambda c: fn.nll_loss(c.z, c.y), None),
        (lambda c: fn.nll_loss(c.z.log_softmax(0), c.y), None),
        (lambda c: fn.nll_loss(c.z - c.z.logsumexp(1, keepdim=True), c.y), 1.0),
        (lambda c: fn.kl_div(c.z.log_softmax(1), c.t, reduction="batchmean"), 1.0),
    ],
)
def test_whether_they_are_logarithms_of_probabilities(
    loss: Callable[[Case], Tensor], mass: float | None
) -> None:
    (facts,) = seen(loss)
    assert facts.mass == pytest.approx(1.0) if mass else abs(facts.mass - 1) > 0.25


BROADCAST = [
    lambda c: fn.mse_loss(c.z[:, :1], c.r),
    lambda c: fn.l1_loss(c.z[:, :1], c.r),
    lambda c: fn.huber_loss(c.z[:, 0], c.r[:, None]),
    lambda c: ((c.z[:, :1] - c.r) ** 2).mean(),
    lambda c: (c.r - c.z[:, :1]).square().sum() / N,
    lambda c: torch.mean(torch.abs(c.z[:, 0] - c.r.view(-1, 1))),
]


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("loss", BROADCAST)
def test_each_prediction_meets_each_target(loss: Callable[[Case], Tensor]) -> None:
    (facts,) = seen(loss)
    assert {facts.outputs, facts.targets} == {(N, 1), (N,)}


NOT_BROADCAST = [
    lambda c: fn.mse_loss(c.z, c.t),
    lambda c: fn.mse_loss(c.z[:, :1], c.r[:, None]),
    lambda c: ((c.z - c.r[:, None]) ** 2).mean(),  # an ensemble, or quantiles
    lambda c: (c.z[:, 0][:, None] - c.r[None]).abs().mean(),  # all pairs on purpose
    lambda c: (c.z[:, :1] - c.r).abs().mean() - (c.z[:, :1] - c.z[:, 0]).abs().mean(),  # energies
    lambda c: ((c.z[:, :1] - torch.randn(N, N)) ** 2).mean(),  # a table of targets
]


@pytest.mark.parametrize("loss", NOT_BROADCAST)
def test_shapes_that_are_meant_so(loss: Callable[[Case], Tensor]) -> None:
    assert all(facts.outputs == () for facts in seen(loss))


NEGATED = [
    lambda c: -fn.cross_entropy(c.z, c.y),
    lambda c: -fn.mse_loss(c.z, c.t) / 4,
    lambda c: (-1) * fn.nll_loss(c.z.log_softmax(1), c.y),
    lambda c: 1 - fn.binary_cross_entropy_with_logits(c.z, c.b),
    lambda c: c.z.log_softmax(1)[torch.arange(N), c.y].mean(),
    lambda c: (c.t * c.z.log_softmax(1)).sum(1).mean(),
    lambda c: -((c.z[:, 0] - c.r) ** 2).mean(),
]
UPRIGHT = [
    lambda c: fn.cross_entropy(c.z, c.y),
    lambda c: -c.z.log_softmax(1).gather(1, c.y[:, None]).mean(),
    lambda c: -(c.t * c.z.log_softmax(1)).sum(1).mean(),
    lambda c: -(c.r * c.z.log_softmax(1)[torch.arange(N), c.y]).mean(),  # a policy gradient
    lambda c: fn.cross_entropy(c.z, c.y) * -20.0,  # a reward
    lambda c: (fn.cross_entropy(c.z, c.y, reduction="none") * c.r).mean(),
    lambda c: (c.z.softmax(1) * c.z.log_softmax(1)).sum(1).mean(),  # minus an entropy
    lambda c: -c.z.mean(),  # a critic
    lambda c: (c.z[:, 0] - c.r).mean(),
]


@pytest.mark.parametrize("loss", NEGATED)
def test_a_minus_sign_before_a_loss(loss: Callable[[Case], Tensor]) -> None:
    (facts,) = seen(loss)
    assert facts.negated
    assert facts.alone


@pytest.mark.parametrize("loss", UPRIGHT)
def test_what_may_run_below_0(loss: Callable[[Case], Tensor]) -> None:
    assert not any(facts.negated for facts in seen(loss))


def test_an_input_that_is_to_deceive_a_network_goes_up_its_loss_on_purpose() -> None:
    c = Case()
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, K)).requires_grad_(False)
    push = nn.Linear(6, 6)
    (fit,) = fits(-fn.cross_entropy(net(push(torch.randn(N, 6))), c.y))
    assert not fit.facts.negated


def test_labels_of_what_a_row_is_not() -> None:
    def loss(net: nn.Module, x: Tensor) -> Tensor:
        return fn.nll_loss((1 - net(x).softmax(1) + 1e-6).log(), (classes(x) + 1) % K)

    assert "loss_misfit" not in verdicts(loss, steps=6)


def test_a_bonus_is_not_the_whole_loss() -> None:
    found = seen(lambda c: fn.mse_loss(c.z, c.t) - 0.1 * fn.cross_entropy(c.z, c.y))
    assert not any(facts.alone for facts in found)


# Whole trainings.


def verdicts(
    loss: Callable[[nn.Module, Tensor], Tensor],
    *,
    model: nn.Module | None = None,
    steps: int = 21,
    optimizer: Callable[[Any], torch.optim.Optimizer] = lambda p: torch.optim.Adam(p, lr=0.01),
) -> dict[str, Verdict]:
    with instrumented(every=5) as instruments:
        net = model or nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, K))
        steps_of = optimizer(net.parameters())
        for _ in range(steps):
            steps_of.zero_grad()
            loss(net, torch.randn(N, 6)).backward()
            steps_of.step()
    assert instruments.problem == ""
    (training,) = instruments.trainings
    assert training.problem == ""
    return {verdict.caveat: verdict for verdict in training.judge.verdicts}


def classes(x: Tensor) -> Tensor:
    return x[:, :K].argmax(1)


def test_softmax_twice_is_named_with_its_remedy() -> None:
    said = verdicts(lambda net, x: fn.cross_entropy(net(x).softmax(1), classes(x)))["loss_misfit"]
    assert said.severity == "warning"
    assert said.what.startswith("the outputs pass softmax and then cross entropy, which applies")
    assert "give it the outputs before softmax" in said.what
    assert "loss_misfit" not in verdicts(lambda net, x: fn.cross_entropy(net(x), classes(x)))


def test_a_broadcast_is_named_with_its_remedy() -> None:
    said = verdicts(lambda net, x: ((net(x)[:, :1] - x[:, 0]) ** 2).mean())["broadcast_loss"]
    assert said.severity in ("warning", "critical")
    assert "predictions of shape (32, 1) and targets of shape (32,)" in said.what
    assert "squeeze(1)" in said.what


@pytest.mark.parametrize("maximize", [False, True])
def test_a_loss_of_the_wrong_sign(maximize: bool) -> None:
    sign = 1 if maximize else -1

    def adam(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=0.05, maximize=maximize)

    found = verdicts(
        lambda net, x: sign * fn.cross_entropy(net(x), classes(x)), optimizer=adam, steps=41
    )
    assert found["wrong_sign"].severity == "critical"
    others = [v for v in found.values() if v.caveat != "wrong_sign"]
    assert all(v.severity == "note" for v in others)
    # A minus sign and maximize=True together are right.
    back = verdicts(
        lambda net, x: -sign * fn.cross_entropy(net(x), classes(x)), optimizer=adam, steps=11
    )
    assert "wrong_sign" not in back


def test_a_generator_that_makes_the_others_loss_large_is_no_fault() -> None:
    """The game of two networks as it was first written: the generator goes up the loss."""
    with instrumented(every=5) as instruments:
        makes = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        tells = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
        adams = [torch.optim.Adam(m.parameters(), lr=1e-3) for m in (makes, tells)]
        bce, one = fn.binary_cross_entropy_with_logits, torch.ones(N, 1)
        for _ in range(11):
            fake = makes(torch.randn(N, 4))
            adams[1].zero_grad()
            (bce(tells(torch.randn(N, 2)), one) + bce(tells(fake.detach()), 0 * one)).backward()
            adams[1].step()
            adams[0].zero_grad()
            (-bce(tells(fake), 0 * one)).backward()
            adams[0].step()
    assert len(instruments.trainings) == 2
    for training in instruments.trainings:
        assert "wrong_sign" not in {v.caveat for v in training.judge.verdicts}


SOUND = [
    lambda net, x: (
        9
        * fn.kl_div(
            fn.log_softmax(net(x) / 3, 1), fn.softmax(x[:, :K] / 3, 1), reduction="batchmean"
        )
        + fn.cross_entropy(net(x), classes(x))
    ),
    lambda net, x: fn.cross_entropy(net(x), classes(x), label_smoothing=0.1),
    lambda net, x: fn.cross_entropy(net(x).log_softmax(1), classes(x)),
    lambda net, x: fn.binary_cross_entropy(net(x).sigmoid(), (x[:, :K] > 0).float()),
    lambda net, x: fn.mse_loss(net(x).sigmoid(), x[:, :K].sigmoid()),
    lambda net, x: fn.l1_loss(fn.softplus(net(x)), x[:, :K].abs()),
    lambda net, x: fn.mse_loss(net(x).tanh(), x[:, :K].clamp(-1, 1)),
    lambda net, x: fn.cross_entropy(10 * net(x).tanh(), classes(x)),
    lambda net, x: fn.nll_loss((net(x).softmax(1) * 0.9 + 0.1 / K).log(), classes(x)),
    lambda net, x: (
        (1 - fn.softmax(net(x), 1).gather(1, classes(x)[:, None])[:, 0]).square()
        * fn.cross_entropy(net(x), classes(x), reduction="none")
    ).mean(),  # a focal loss
    lambda net, x: fn.binary_cross_entropy(net(x).softmax(1), fn.one_hot(classes(x), K).float()),
    lambda net, x: fn.cross_entropy(
        fn.normalize(net(x), dim=1) @ fn.normalize(net(x + 0.1), dim=1).T / 0.2, torch.arange(N)
    ),
    lambda net, x: -torch.distributions.Categorical(logits=net(x)).log_prob(classes(x)).mean(),
    lambda net, x: fn.gaussian_nll_loss(net(x)[:, 0], x[:, 0], net(x)[:, 1].exp()),
    lambda net, x: fn.cosine_embedding_loss(net(x), x[:, :K], torch.ones(N)),
]


@pytest.mark.parametrize("loss", SOUND)
def test_sound_losses_are_not_called_faults(loss: Callable[[nn.Module, Tensor], Tensor]) -> None:
    found = verdicts(loss, steps=6)
    assert not {"loss_misfit", "broadcast_loss", "wrong_sign"} & found.keys()


def test_softmax_inside_an_attention_is_no_output() -> None:
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(3, 8) for _ in range(3))
            self.last = nn.Linear(8, K)

        def forward(self, x: Tensor) -> Tensor:
            x = x.unflatten(1, (2, 3))
            looks = torch.softmax(self.q(x) @ self.k(x).mT, -1)
            out: Tensor = self.last((looks @ self.v(x)).mean(1))
            return out

    found = verdicts(lambda net, x: fn.cross_entropy(net(x), classes(x)), model=Attends(), steps=6)
    assert "loss_misfit" not in found


@pytest.mark.parametrize("temperature", [0.1, 1.0, 100.0])
def test_cosines_over_a_temperature(temperature: float) -> None:
    """The lowest loss is that of one row at cosine 1 and all others at -1."""
    a, b = (fn.normalize(nn.Linear(6, K)(torch.randn(N, 6)), dim=1) for _ in range(2))
    (fit,) = fits(fn.cross_entropy(a @ b.T / temperature, torch.arange(N)))
    best = torch.full((1, N), -1 / temperature)
    best[0, 0] = 1 / temperature
    lowest = fn.cross_entropy(best, torch.zeros(1, dtype=torch.int64)).item()
    assert fit.facts.activation == "cosine"
    assert fit.facts.unreached == pytest.approx(lowest / math.log(N), rel=1e-3, abs=1e-6)


def test_products_of_rows_of_any_length_are_not_cosines() -> None:
    assert [f.activation for f in seen(lambda c: fn.cross_entropy(c.z / 100, c.y))] == [""]


def steps_of(loss: Callable[[Case, int], Sequence[Tensor]], steps: int = 6) -> LossFacts:
    """What several steps show together, each of some losses."""
    together = Fits()
    for step in range(steps):
        case = Case()
        found = [fit for each in loss(case, step) for fit in fits(each)]
        together.add(found, {1}, False)
    (facts,) = together.facts
    return facts


def test_minibatches_of_one_class_are_counted() -> None:
    def in_order(c: Case, step: int) -> list[Tensor]:
        return [fn.cross_entropy(c.z, torch.full((N,), step // 2))]

    facts = steps_of(in_order)
    assert (facts.single, facts.classes) == (1.0, 3)
    shuffled = steps_of(lambda c, step: [fn.cross_entropy(c.z, c.y)])
    assert (shuffled.single, shuffled.classes) == (0.0, 0)


@pytest.mark.parametrize(("divided", "passes"), [(1, 4), (4, 1)])
def test_backward_passes_that_are_added_up(divided: int, passes: int) -> None:
    facts = steps_of(lambda c, step: [fn.cross_entropy(c.z, c.y) / divided for _ in range(4)])
    assert facts.passes == passes


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_part_that_is_computed_again_for_backward_is_not_computed_for_us(by_hand: bool) -> None:
    calls = 0

    def net(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return fn.relu(layer(x))

    layer = nn.Linear(6, K)
    z = checkpoint(net, torch.randn(N, 6), use_reentrant=False)
    loss = ((z - torch.randn(N, K)) ** 2).mean() if by_hand else fn.cross_entropy(z, Case().y)
    found = fits(loss)
    constant_loss(loss)
    target_of(loss)
    birth(loss)
    assert calls == 1
    assert by_hand or found[0].facts.activation == "relu"
    loss.backward()
    assert calls == 2
