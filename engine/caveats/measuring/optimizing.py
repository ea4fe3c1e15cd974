"""Reads the facts of an optimizer from its ``param_groups`` and its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from caveats.errors import ConfigError, sentence
from caveats.facts import OptimizerFacts

__all__ = ["optimizer_facts"]

# Optimizers that divide each gradient by its own recent size, by the name of their class or of a
# parent class. Adagrad is not one: it divides by all gradients so far, so small gradients slow it.
# For optimizers of other libraries, the state of each parameter after the first step tells.
ADAPTIVE = frozenset(
    {
        "adadelta", "adafactor", "adam", "adamax", "lion", "muon", "nadam", "radam",
        "rmsprop", "rprop", "sparseadam",
    }
)  # fmt: skip
SIZES = {"exp_avg_sq", "square_avg", "exp_inf", "row_var", "col_var", "exp_avg_sq_row"}


def optimizer_facts(optimizer: torch.optim.Optimizer) -> OptimizerFacts:
    """The present facts of any torch optimizer. If its groups differ, those of the group with the
    largest learning rate. ``clip_norm`` is NaN, because an optimizer does not show clipping.

    Raises:
        ConfigError: if its groups do not hold what torch's optimizers keep there.
    """
    try:
        return facts_of(optimizer)
    except Exception as error:  # another library's groups may hold anything
        raise ConfigError(
            f"the {type(optimizer).__name__} shows no optimizer's facts: {sentence(error)}"
        ) from error


def facts_of(optimizer: torch.optim.Optimizer) -> OptimizerFacts:
    group = max(optimizer.param_groups, key=rate)
    momentum = float(group.get("momentum") or 0.0)
    betas = group.get("betas")
    return OptimizerFacts(
        kind=kind(optimizer, momentum, bool(group.get("nesterov"))),
        lr=rate(group),
        adaptive=by_class(optimizer) or keeps_sizes(optimizer),
        momentum=momentum,
        betas=None if betas is None else (float(betas[0]), float(betas[1])),
        eps=epsilon(group.get("eps", 0.0)),
        weight_decay=float(group.get("weight_decay") or 0.0),
    )


def rate(group: Mapping[str, Any]) -> float:
    """The learning rate (a number or a tensor) before any schedule."""
    return float(group.get("initial_lr", group["lr"]))


def kind(optimizer: torch.optim.Optimizer, momentum: float, nesterov: bool) -> str:
    if isinstance(optimizer, torch.optim.SGD) and momentum:
        return "nesterov" if nesterov else "momentum"
    return type(optimizer).__name__.lower()


def by_class(optimizer: torch.optim.Optimizer) -> bool:
    return any(base.__name__.lower() in ADAPTIVE for base in type(optimizer).__mro__)


def keeps_sizes(optimizer: torch.optim.Optimizer) -> bool:
    return any(
        isinstance(state, Mapping) and not SIZES.isdisjoint(state)
        for state in optimizer.state.values()
    )


def epsilon(eps: Any) -> float:
    """The eps of the division; Adafactor has two, of which this is the first."""
    first = eps[0] if isinstance(eps, (list, tuple)) else eps
    return float(first.detach() if isinstance(first, Tensor) else first or 0.0)
