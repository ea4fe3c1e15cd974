"""The optimizers on stacked weights: the formulas of torch.optim, with numbers of each member.

Every rule changes ``p`` (E, ...) in place, given its gradient ``g`` and its ``state`` tensors of
the same shape. ``h`` gives the numbers of each member, shaped to fit p.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from caveats.training.optimizers import OPTIMIZERS
from caveats.training.section import OptimizerConfig

__all__ = ["RULES", "Updates"]

State = list[Tensor]
ADAGRAD_EPS = 1e-10  # torch's defaults, which no setting changes
ADADELTA_EPS = 1e-6
NADAM_DECAY = 4e-3


class Numbers:
    """The numbers of all members as tensors that fit a parameter of ``ndim`` dimensions."""

    def __init__(self, columns: Mapping[str, Tensor], ndim: int, device: torch.device) -> None:
        self._columns = {
            name: column.to(device, torch.float32).reshape(-1, *(1,) * (ndim - 1))
            for name, column in columns.items()
        }
        self._zero = {name for name, column in columns.items() if not column.any()}

    def __getattr__(self, name: str) -> Tensor:
        return self._columns[name]

    def none(self, name: str) -> bool:
        """Whether the number is 0 for every member."""
        return name in self._zero


def decayed(p: Tensor, g: Tensor, h: Numbers) -> Tensor:
    return g if h.none("weight_decay") else torch.addcmul(g, p, h.weight_decay)


def sgd(p: Tensor, g: Tensor, state: State, h: Numbers) -> None:
    p.addcmul_(decayed(p, g, h), h.lr, value=-1)


def momentum(p: Tensor, g: Tensor, state: State, h: Numbers) -> None:
    (buffer,) = state
    buffer.mul_(h.momentum).add_(decayed(p, g, h))
    p.addcmul_(buffer, h.lr, value=-1)


def nesterov(p: Tensor, g: Tensor, state: State, h: Numbers) -> None:
    (buffer,) = state
    g = decayed(p, g, h)
    buffer.mul_(h.momentum).add_(g)
    p.addcmul_(torch.addcmul(g, buffer, h.momentum), h.lr, value=-1)


def rmsprop(p: Tensor, g: Tensor, state: State, h: Numbers) -> None:
    square, buffer = state
    g = decayed(p, g, h)
    square.mul_(h.alpha).addcmul_(g * h.one_minus_alpha, g)
    buffer.mul_(h.momentum).add_(g / square.sqrt().add_(h.eps))
    p.addcmul_(buffer, h.lr, value=-1)


def adagrad(p: Tensor, g: Tensor, state: State, h: Numbers) -> None:
    (total,) = state
    g = decayed(p, g, h)
    total.addcmul_(g, g)
    p.addcmul_(g / total.sqrt().add_(ADAGRAD_EPS), h.decayed_lr, value=-1)


def adadelta(p: Tensor, g: Tensor, state: State, h: Numbers) -> None:
    square, moved = state
    g = decayed(p, g, h)
    square.mul_(h.rho).addcmul_(g * h.one_minus_rho, g)
    delta = (moved + ADADELTA_EPS).sqrt_().div_((square + ADADELTA_EPS).sqrt_()).mul_(g)
    moved.mul_(h.rho).addcmul_(delta * h.one_minus_rho, delta)
    p.addcmul_(delta, h.lr, value=-1)


def moments(g: Tensor, state: State, h: Numbers) -> tuple[Tensor, Tensor]:
    mean, square = state
    mean.lerp_(g, h.one_minus_beta1)
    square.mul_(h.beta2).addcmul_(g * h.one_minus_beta2, g)
    return mean, square


def adam(p: Tensor, g: Tensor, state: State, h: Numbers) -> None:
    mean, square = moments(decayed(p, g, h), state, h)
    p.addcmul_(mean / square.sqrt().div_(h.root_bias2).add_(h.eps), h.corrected_lr, value=-1)


def adamw(p: Tensor, g: Tensor, state: State, h: Numbers) -> None:
    p.mul_(1 - h.lr * h.weight_decay)
    mean, square = moments(g, state, h)
    p.addcmul_(mean / square.sqrt().div_(h.root_bias2).add_(h.eps), h.corrected_lr, value=-1)


def nadam(p: Tensor, g: Tensor, state: State, h: Numbers) -> None:
    g = decayed(p, g, h)
    mean, square = moments(g, state, h)
    size = square.sqrt().div_(h.root_bias2).add_(h.eps)
    p.addcmul_(g / size, h.gradient_lr, value=-1)
    p.addcmul_(mean / size, h.mean_lr, value=-1)


def radam(p: Tensor, g: Tensor, state: State, h: Numbers) -> None:
    mean, square = moments(decayed(p, g, h), state, h)
    adaptive = h.root_bias2 / square.sqrt().add_(h.eps) * h.rectified
    p.addcmul_(mean * torch.where(h.rectified > 0, adaptive, 1.0), h.corrected_lr, value=-1)


def adamax(p: Tensor, g: Tensor, state: State, h: Numbers) -> None:
    mean, largest = state
    g = decayed(p, g, h)
    mean.lerp_(g, h.one_minus_beta1)
    torch.maximum(largest.mul_(h.beta2), g.abs() + h.eps, out=largest)
    p.addcmul_(mean / largest, h.corrected_lr, value=-1)


class Rule(NamedTuple):
    """The names that torch gives the state of a parameter, the one that holds squares (for the
    sharpness), and the update itself."""

    names: tuple[str, ...]
    square: str | None
    update: Callable[[Tensor, Tensor, State, Numbers], None]


MOMENTS = "exp_avg", "exp_avg_sq"
RULES: dict[str, Rule] = {
    "sgd": Rule((), None, sgd),
    "momentum": Rule(("momentum_buffer",), None, momentum),
    "nesterov": Rule(("momentum_buffer",), None, nesterov),
    "rmsprop": Rule(("square_avg", "momentum_buffer"), "square_avg", rmsprop),
    "adagrad": Rule(("sum",), None, adagrad),
    "adadelta": Rule(("square_avg", "acc_delta"), None, adadelta),
    "adam": Rule(MOMENTS, "exp_avg_sq", adam),
    "adamw": Rule(MOMENTS, "exp_avg_sq", adamw),
    "nadam": Rule(MOMENTS, "exp_avg_sq", nadam),
    "radam": Rule(MOMENTS, "exp_avg_sq", radam),
    "adamax": Rule(("exp_avg", "exp_inf"), None, adamax),
}


class Updates:
    """One optimizer's steps on the parameters of a stack, each (E, ...).

    Raises:
        KeyError: for an optimizer that is not in `RULES`.
    """

    def __init__(self, configs: Sequence[OptimizerConfig], parameters: Sequence[Tensor]) -> None:
        self.name = configs[0].name
        self.rule = RULES[self.name]
        self.made = 0
        self._options = {name: column(configs, name) for name in own_numbers(self.name)}
        self._clip = torch.tensor([c.clip_norm for c in configs], dtype=torch.float64)
        self._product = torch.ones(len(configs), dtype=torch.float64)  # of NAdam
        self.states = [
            [torch.zeros_like(p, requires_grad=False) for _ in self.rule.names] for p in parameters
        ]
        self._ready: tuple[Tensor, dict[int, Numbers]] | None = None

    @torch.no_grad()
    def step(self, parameters: Sequence[Tensor], gradients: Sequence[Tensor], lr: Tensor) -> None:
        """Change ``parameters`` in place; ``lr`` is (E,) float64."""
        gradients = self._clipped(gradients)
        self.made += 1
        numbers = self._numbers(lr, parameters[0].device)
        for p, g, state in zip(parameters, gradients, self.states, strict=True):
            self.rule.update(p, g, state, numbers[p.ndim])

    def keep(self, members: Tensor) -> None:
        """Go on with these members only."""
        host = members.cpu()
        self._options = {name: own[host] for name, own in self._options.items()}
        self._clip, self._product = self._clip[host], self._product[host]
        self.states = [[s[members] for s in state] for state in self.states]
        self._ready = None

    @torch.no_grad()
    def take(self, place: int, state: Mapping[str, Any]) -> None:
        """Give every member the state that one torch optimizer keeps for the parameter at
        ``place``."""
        for own, name in zip(self.states[place], self.rule.names, strict=True):
            if state.get(name) is not None:
                own.copy_(state[name].expand_as(own))
        self.made = int(state.get("step", self.made))
        if "mu_product" in state:
            self._product = torch.full_like(self._product, float(state["mu_product"]))

    def squares(self, start: int, stop: int) -> list[Tensor] | None:
        """The squared gradients that the update divides by, bias-corrected, plus what is added to
        their root: D of D H D for each parameter (`caveats.measuring.sharpness`), for the members
        from ``start`` to ``stop``. None for a rule that does not divide so."""
        if self.rule.square is None or not self.made:
            return None
        found = []
        for state in self.states:
            square = state[self.rule.names.index(self.rule.square)][start:stop]
            shape = (-1, *(1,) * (square.ndim - 1))
            eps = self._options["eps"][start:stop].reshape(shape).to(square)
            if "beta2" in self._options:
                corrected = 1 - self._options["beta2"][start:stop] ** self.made
                square = square / corrected.reshape(shape).to(square)
            found.append((square.sqrt() + eps).rsqrt())
        return found

    def _clipped(self, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        if not self._clip.any():
            return gradients
        norms = [torch.linalg.vector_norm(g.reshape(len(g), -1), dim=1) for g in gradients]
        total = torch.linalg.vector_norm(torch.stack(norms), dim=0)  # (E,)
        clip = self._clip.to(total)
        share = torch.where(clip > 0, (clip / (total + 1e-6)).clamp(max=1.0), 1.0)
        return [g * share.reshape(-1, *(1,) * (g.ndim - 1)) for g in gradients]

    def _numbers(self, lr: Tensor, device: torch.device) -> dict[int, Numbers]:
        constant = self.name in ("sgd", "momentum", "nesterov", "rmsprop", "adadelta")
        if constant and self._ready is not None and self._ready[0] is lr:
            return self._ready[1]
        columns = {**self._options, **self._derived(lr), "lr": lr}
        numbers = {ndim: Numbers(columns, ndim, device) for ndim in (1, 2, 3)}
        self._ready = lr, numbers
        return numbers

    def _derived(self, lr: Tensor) -> dict[str, Tensor]:
        """The numbers that follow from the options and the number of steps."""
        o, t = self._options, self.made
        found: dict[str, Tensor] = {}
        for name in ("alpha", "rho", "beta1", "beta2"):
            if name in o:
                found[f"one_minus_{name}"] = 1 - o[name]
        if "lr_decay" in o:
            found["decayed_lr"] = lr / (1 + (t - 1) * o["lr_decay"])
        if "beta1" in o:
            found["corrected_lr"] = lr / (1 - o["beta1"] ** t)
            found["root_bias2"] = (1 - o["beta2"] ** t).sqrt()
        if self.name == "nadam":
            now, after = (o["beta1"] * (1 - 0.5 * 0.96 ** (at * NADAM_DECAY)) for at in (t, t + 1))
            self._product = self._product * now
            found["gradient_lr"] = lr * (1 - now) / (1 - self._product)
            found["mean_lr"] = lr * after / (1 - self._product * after)
        if self.name == "radam":
            found["rectified"] = rectified(o["beta2"], t)
        return found


def rectified(beta2: Tensor, t: int) -> Tensor:
    """RAdam's factor (Liu et al. 2020, algorithm 2); 0 while the divisor cannot be trusted."""
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * t * beta2**t / (1 - beta2**t)
    above = (length - 4) * (length - 2) * longest
    below = (longest - 4) * (longest - 2) * length
    return torch.where(length > 5, (above / below).clamp(min=0).sqrt(), 0.0)


def own_numbers(name: str) -> list[str]:
    """The numbers of an optimizer's options; a pair of betas is two numbers."""
    names = [option.name for option in OPTIMIZERS[name].options]
    return [part for n in names for part in (("beta1", "beta2") if n == "betas" else (n,))]


def column(configs: Sequence[OptimizerConfig], name: str) -> Tensor:
    """One number of each config, (E,) float64."""
    place = {"beta1": 0, "beta2": 1}.get(name)
    values: list[Any] = [c.options["betas" if place is not None else name] for c in configs]
    numbers = [float(v if place is None else v[place]) for v in values]
    assert all(map(math.isfinite, numbers))
    return torch.tensor(numbers, dtype=torch.float64)
