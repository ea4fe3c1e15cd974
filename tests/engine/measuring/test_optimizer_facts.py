"""What `optimizer_facts` reads from an optimizer, compared with its arguments."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from caveats.errors import ConfigError
from caveats.measuring.optimizing import optimizer_facts


def weights() -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(2, 2))]


@pytest.mark.parametrize(
    ("make", "kind", "momentum"),
    [
        (lambda p: torch.optim.SGD(p, lr=0.1), "sgd", 0.0),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8), "momentum", 0.8),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True), "nesterov", 0.8),
    ],
)
def test_sgd_is_called_by_its_momentum(make, kind: str, momentum: float) -> None:
    facts = optimizer_facts(make(weights()))
    assert (facts.kind, facts.momentum, facts.adaptive) == (kind, momentum, False)
    assert facts.betas is None
    assert math.isnan(facts.clip_norm)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "Adadelta", "NAdam", "Adamax"])
def test_adaptive_optimizers_are_known_before_their_first_step(name: str) -> None:
    facts = optimizer_facts(getattr(torch.optim, name)(weights(), lr=0.01))
    assert facts.adaptive
    assert facts.kind == name.lower()


def test_the_settings_of_adamw() -> None:
    optimizer = torch.optim.AdamW(
        weights(), lr=torch.tensor(0.25), betas=(0.8, 0.95), eps=1e-5, weight_decay=0.1
    )
    facts = optimizer_facts(optimizer)
    assert (facts.lr, facts.betas, facts.eps, facts.weight_decay) == (0.25, (0.8, 0.95), 1e-5, 0.1)


def test_a_schedule_does_not_change_the_rate_that_is_told() -> None:
    optimizer = torch.optim.SGD(weights(), lr=0.4)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.1)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.04)
    assert optimizer_facts(optimizer).lr == 0.4


def test_of_several_groups_the_one_with_the_largest_rate_speaks() -> None:
    groups = [
        {"params": weights(), "lr": 0.1, "momentum": 0.5},
        {"params": weights(), "lr": 0.3, "momentum": 0.9},
    ]
    facts = optimizer_facts(torch.optim.SGD(groups, lr=1.0))
    assert (facts.lr, facts.momentum) == (0.3, 0.9)


class Homemade(torch.optim.Optimizer):
    """An unknown optimizer, which does or does not keep the squares of gradients."""

    def __init__(self, params: list[nn.Parameter], kept: str) -> None:
        super().__init__(params, {"lr": 0.1})
        self.kept = kept

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter][self.kept] = torch.zeros_like(parameter)


@pytest.mark.parametrize(("kept", "adaptive"), [("exp_avg_sq", True), ("momentum_buffer", False)])
def test_an_unknown_optimizer_shows_by_its_state_whether_it_adapts(
    kept: str, adaptive: bool
) -> None:
    optimizer = Homemade(weights(), kept)
    assert not optimizer_facts(optimizer).adaptive
    optimizer.step()
    assert optimizer_facts(optimizer).adaptive is adaptive
    assert optimizer_facts(optimizer).kind == "homemade"


def test_adafactor_has_no_eps_to_start_with() -> None:
    assert optimizer_facts(torch.optim.Adafactor(weights(), lr=0.01)).adaptive


def test_adagrad_whose_steps_shrink_is_not_called_adaptive() -> None:
    optimizer = torch.optim.Adagrad(weights(), lr=0.01)
    optimizer.param_groups[0]["params"][0].grad = torch.ones(2, 2)
    optimizer.step()
    assert not optimizer_facts(optimizer).adaptive


@pytest.mark.parametrize(
    "group", [{"lr": None}, {"lr": "x"}, {"lr": 0.1, "betas": ()}, {"lr": 0.1, "eps": "x"}, {}]
)
def test_groups_of_another_library_are_one_sentence(group: dict[str, Any]) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    optimizer.param_groups[:] = [group]
    with pytest.raises(ConfigError, match="the SGD shows no optimizer's facts"):
        optimizer_facts(optimizer)


def test_options_that_are_switched_off_by_none_are_zero() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    optimizer.param_groups[0].update(momentum=None, weight_decay=None)
    facts = optimizer_facts(optimizer)
    assert (facts.kind, facts.momentum, facts.weight_decay) == ("sgd", 0.0, 0.0)
