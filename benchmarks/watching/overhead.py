"""What watching costs: the same training alone and watched, in turns, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from benchmarks.watching.zoo import GPT, ResNet
from torch import nn
from torch.nn import functional

from caveats.watching.instruments import Instruments

__all__ = ["overhead_table"]

SECONDS = 6.0  # of each turn
TURNS = 3


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
    model = GPT(width=128, layers=6)
    return model, lambda model: functional.cross_entropy(model(x).flatten(0, 1), y)


def speed(make: Callable[[], tuple[nn.Module, Callable[[nn.Module], torch.Tensor]]]) -> float:
    """Steps a second."""
    torch.manual_seed(0)
    model, loss_of = make()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    steps, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < SECONDS:
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()
        steps += 1
    return steps / SECONDS


def overhead_table() -> str:
    lines = [
        "| network | steps/s alone | steps/s watched | time a step, watched over alone |",
        "|---|---|---|---|",
    ]
    for make in (mlp, resnet, gpt):
        alone, watched = [], []
        for _ in range(TURNS):
            alone.append(speed(make))
            instruments = Instruments()
            instruments.install()
            watched.append(speed(make))
            instruments.remove()
        ratios = [a / w for a, w in zip(alone, watched, strict=True)]
        lines.append(
            f"| {make.__name__} | {statistics.median(alone):.0f} "
            f"| {statistics.median(watched):.0f} "
            f"| {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) |"
        )
    return "\n".join(lines)
