"""What watching costs: the same training alone and watched, in turns, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import torch
from benchmarks.watching.zoo import GPT, ResNet
from torch import nn
from torch.nn import functional

from caveats.watching.instruments import Instruments

__all__ = ["overhead_table"]

SECONDS = 6.0  # of processor time in each turn
FIRST = 11  # steps before the timed ones
TURNS = 3


Make: TypeAlias = Callable[[], tuple[nn.Module, Callable[[nn.Module], torch.Tensor]]]


def mlp() -> tuple[nn.Module, Callable[[nn.Module], torch.Tensor]]:
    """About 1 ms a step on one core."""
    x, y = torch.randn(128, 64), torch.randint(0, 10, (128,))
    sizes = [64, 128, 128, 128, 10]
    layers = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1]), lambda model: functional.cross_entropy(model(x), y)


def resnet() -> tuple[nn.Module, Callable[[nn.Module], torch.Tensor]]:
    x, y = torch.randn(16, 1, 32, 32), torch.randint(0, 10, (16,))
    return ResNet(), lambda model: functional.cross_entropy(model(x), y)


def gpt() -> tuple[nn.Module, Callable[[nn.Module], torch.Tensor]]:
    x, y = torch.randint(0, 16, (16, 16)), torch.randint(0, 16, (16 * 16,))
    model = GPT(width=64, layers=6)
    return model, lambda model: functional.cross_entropy(model(x).flatten(0, 1), y)


def seconds_a_step(make: Make, seconds: float) -> tuple[float, float]:
    """Processor time of a step, and that of the first ten steps together: those are all sampled,
    and the budget begins after them."""
    torch.manual_seed(0)
    model, loss_of = make()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()

    step()
    begin = time.process_time()
    for _ in range(FIRST):
        step()
    first = time.process_time() - begin
    steps, begin = 0, time.process_time()
    while time.process_time() - begin < seconds:
        step()
        steps += 1
    return (time.process_time() - begin) / steps, first


def overhead_table(seconds: float = SECONDS) -> str:
    lines = [
        "| network | ms a step alone | watched over alone | first ten steps, s more | records |",
        "|---|---|---|---|---|",
    ]
    for make in (mlp, resnet, gpt):
        ratios, more, alone, records = [], [], [], 0
        for _ in range(TURNS):
            plain, begin = seconds_a_step(make, seconds)
            instruments = Instruments()
            instruments.install()
            watched, begin_watched = seconds_a_step(make, seconds)
            instruments.remove()
            history = instruments.trainings[0].history
            records = 0 if history is None else len(history)
            ratios.append(watched / plain)
            more.append(begin_watched - begin)
            alone.append(plain)
        lines.append(
            f"| {make.__name__} | {1e3 * statistics.median(alone):.2f} "
            f"| {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) "
            f"| {statistics.median(more):.2f} | {records} |"
        )
    return "\n".join(lines)
