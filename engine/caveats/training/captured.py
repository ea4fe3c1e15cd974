"""One training step as a recording that is played again: on a GPU a CUDA graph.

A step of a small network is some hundred kernels of a few microseconds each, and starting them from
Python takes most of the time. A CUDA graph starts all of them at once. The recording holds the
forward pass, the backward pass, the clipping and, for torch's SGD, the update; other optimizers
count their steps on the host, so their update stays outside.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "RecordedStep", "Recorder", "cuda_graph", "differs", "why_not_recorded",
]  # fmt: skip

# Takes a function without arguments and its device, and returns another that does the same again.
Recorder = Callable[[Callable[[], None], torch.device], Callable[[], None]]


def cuda_graph(function: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Record ``function`` as a CUDA graph, which does not run it; raises RuntimeError where it
    cannot be recorded. Other threads may use the device in the meantime."""
    graph = torch.cuda.CUDAGraph()
    with (
        torch.cuda.device(device),
        torch.cuda.graph(graph, capture_error_mode="thread_local"),
    ):
        function()
    replay: Callable[[], None] = graph.replay
    return replay


def why_not_recorded(device: torch.device, dropout: float) -> str:
    """Why a network's steps are not recorded; "" if they are."""
    if device.type != "cuda":
        return f"there are no CUDA graphs on {device.type}"
    return "dropout draws from a generator of its own at each step" if dropout else ""


class RecordedStep:
    """Makes steps of ``network`` from batches of the shapes of ``x`` and ``y``.

    The optimizer must have made a step before, so that its state exists: a recording uses tensors
    where they are, so nothing may be replaced while it is in use. ``clip_norm`` 0 means none.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Callable[[Tensor, Tensor], Tensor],
        optimizer: Any,
        clip_norm: float,
        steady: bool,
        x: Tensor,
        y: Tensor,
        record: Recorder,
    ) -> None:
        self._x, self._y = x.clone(), y.clone()
        self._optimizer = optimizer
        # A rate that follows a schedule is a new number at each step.
        self._updates = steady and isinstance(optimizer, torch.optim.SGD)
        parameters = self._parameters = list(network.parameters())
        self._gradients: list[Tensor | None] = []
        self._loss = torch.empty(0)

        def step() -> None:
            loss = objective(network(self._x), self._y)
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
            self._gradients = self._laid_out(found)
            self._loss = loss.detach()
            self._give_gradients()
            if clip_norm:
                nn.utils.clip_grad_norm_(parameters, clip_norm)
            if self._updates:
                optimizer.step()

        self._play = record(step, x.device)

    def fits(self, x: Tensor, y: Tensor) -> bool:
        """Whether a batch has the shapes of the recording."""
        return x.shape == self._x.shape and y.shape == self._y.shape

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Make one step on this batch; returns its loss, a scalar still on the device."""
        self._x.copy_(x)
        self._y.copy_(y)
        self._play()
        if not self._updates:
            self._give_gradients()  # a step that was not recorded has put others in their place
            self._optimizer.step()
        return self._loss.clone()

    def _give_gradients(self) -> None:
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient

    def _laid_out(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Gradients in the order of numbers in memory that ``backward`` gives them, so that sums
        over them have the same bits."""
        return [
            g if g is None or g.stride() == p.stride() else torch.empty_like(p).copy_(g)
            for p, g in zip(self._parameters, gradients, strict=True)
        ]


@torch.no_grad()
def differs(network: nn.Module, optimizer: Any, plain: Callable[[], Tensor],
            recorded: Callable[[], Tensor]) -> float:  # fmt: skip
    """Make one step ``recorded`` and, from the same state, the same step ``plain``, which stays;
    returns the largest relative difference of a tensor between the two."""
    tensors = [*network.state_dict().values(), *states_of(optimizer)]
    before = [tensor.clone() for tensor in tensors]
    numbers = numbers_of(optimizer)
    try:
        with torch.enable_grad():
            first = recorded()
        found = [first, *(tensor.clone() for tensor in tensors)]
    finally:
        for tensor, old in zip(tensors, before, strict=True):
            tensor.copy_(old)
        put_numbers(optimizer, numbers)
    with torch.enable_grad():
        second = plain()
    worst = 0.0
    for a, b in zip(found, [second, *tensors], strict=True):
        size = max(float(b.double().norm()), 1e-30)
        off = float((a.double() - b.double()).norm()) / size
        worst = max(worst, math.inf if math.isnan(off) else off)
    return worst


def states_of(optimizer: Any) -> list[Tensor]:
    return [
        value for kept in optimizer.state.values() for value in kept.values()
        if isinstance(value, Tensor)
    ]  # fmt: skip


def numbers_of(optimizer: Any) -> list[dict[str, Any]]:
    """What an optimizer keeps of each parameter other than tensors."""
    return [
        copy.deepcopy({k: v for k, v in kept.items() if not isinstance(v, Tensor)})
        for kept in optimizer.state.values()
    ]


def put_numbers(optimizer: Any, numbers: Sequence[dict[str, Any]]) -> None:
    for kept, own in zip(optimizer.state.values(), numbers, strict=True):
        kept.update(own)
