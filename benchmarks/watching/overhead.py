"""What watching costs: the same training alone and watched, in turns, in one process, beside
wandb.watch (offline), TensorBoard's histograms and torchmortem, each at its customary settings.

Processor time of this process is compared. What wandb writes in a process of its own does not
count. A watcher that is not installed, or that breaks the training, has no number.
"""

from __future__ import annotations

import atexit
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from itertools import pairwise
from typing import TypeAlias

import torch
from benchmarks.watching.zoo import GPT, ResNet
from torch import nn
from torch.nn import functional

from caveats.watching.instruments import Instruments

__all__ = ["overhead_table"]

SECONDS = 1.5  # of processor time in each turn
FIRST = 11  # steps before the timed ones
TURNS = 3
EVERY = 100  # steps between two histograms of TensorBoard

LossOf: TypeAlias = Callable[[nn.Module], torch.Tensor]
Make: TypeAlias = Callable[[], tuple[nn.Module, LossOf]]
After: TypeAlias = Callable[[float], object]
Watcher: TypeAlias = Callable[[nn.Module, torch.optim.Optimizer], AbstractContextManager[After]]


def mlp() -> tuple[nn.Module, LossOf]:
    """About 1 ms a step on one core."""
    x, y = torch.randn(128, 64), torch.randint(0, 10, (128,))
    sizes = [64, 128, 128, 128, 10]
    layers = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1]), lambda model: functional.cross_entropy(model(x), y)


def resnet() -> tuple[nn.Module, LossOf]:
    x, y = torch.randn(16, 1, 32, 32), torch.randint(0, 10, (16,))
    return ResNet(), lambda model: functional.cross_entropy(model(x), y)


def gpt() -> tuple[nn.Module, LossOf]:
    x, y = torch.randint(0, 16, (16, 16)), torch.randint(0, 16, (16 * 16,))
    model = GPT(width=64, layers=6)
    return model, lambda model: functional.cross_entropy(model(x).flatten(0, 1), y)


# The watchers: each is put around a training, and gives a function that is called after each step.


def ignore(loss: float) -> None:
    return None


def alone(model: nn.Module, optimizer: torch.optim.Optimizer) -> AbstractContextManager[After]:
    return nullcontext(ignore)


@contextmanager
def caveats(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[After]:
    instruments = Instruments()
    instruments.install()
    try:
        yield ignore
    finally:
        instruments.remove()


@contextmanager
def wandb_offline(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[After]:
    """Gradients' histograms every 1,000 steps, its default, and the loss of each step."""
    import wandb

    with tempfile.TemporaryDirectory() as place:
        settings = wandb.Settings(mode="offline", silent=True)
        run = wandb.init(project="overhead", dir=place, settings=settings)
        run.watch(model)
        try:
            yield lambda loss: run.log({"loss": loss})
        finally:
            run.unwatch(model)
            run.finish()


@contextmanager
def tensorboard(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[After]:
    """Histograms of weights and gradients every 100 steps, and the loss of each step."""
    from torch.utils.tensorboard import SummaryWriter

    with tempfile.TemporaryDirectory() as place, SummaryWriter(place) as writer:
        steps = iter(range(10**9))

        def after(loss: float) -> None:
            step = next(steps)
            writer.add_scalar("loss", loss, step)
            if step % EVERY == 0:
                for name, parameter in model.named_parameters():
                    writer.add_histogram(name, parameter, step)
                    if parameter.grad is not None:
                        writer.add_histogram(f"{name}.grad", parameter.grad, step)

        yield after


@contextmanager
def torchmortem(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[After]:
    from torchmortem import Autopsy

    autopsy = Autopsy(model, optimizer=optimizer)
    autopsy.attach()
    atexit.unregister(autopsy._atexit_handler)
    try:
        yield lambda loss: autopsy.step(loss=loss)
    finally:
        for collector in autopsy._collectors:  # its report is no part of the training
            collector.detach()


RIVALS: dict[str, tuple[str, Watcher]] = {
    "wandb.watch offline": ("wandb", wandb_offline),
    "TensorBoard histograms": ("tensorboard", tensorboard),
    "torchmortem": ("torchmortem", torchmortem),
}


def seconds_a_step(make: Make, watcher: Watcher, seconds: float) -> tuple[float, float]:
    """Processor time of a step, and that of the first ten steps together: those are all sampled,
    and the budget begins after them."""
    torch.manual_seed(0)
    model, loss_of = make()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    with watcher(model, optimizer) as after:

        def step() -> None:
            optimizer.zero_grad()
            loss = loss_of(model)
            loss.backward()
            optimizer.step()
            after(float(loss.detach()))

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
    names = " | ".join(RIVALS)
    lines = [
        f"| network | ms a step alone | caveats over alone | first ten steps, s more | {names} |",
        "|---|---|---|---|" + "---|" * len(RIVALS),
    ]
    for make in (mlp, resnet, gpt):
        costs: dict[str, list[float]] = {name: [] for name in ("caveats", *RIVALS)}
        more, plains = [], []
        for _ in range(TURNS):
            plain, begin = seconds_a_step(make, alone, seconds)
            watched, begin_watched = seconds_a_step(make, caveats, seconds)
            costs["caveats"].append(watched / plain)
            more.append(begin_watched - begin)
            plains.append(plain)
            for name, (package, watcher) in RIVALS.items():
                if find_spec(package) is not None:
                    cost = broken_or(lambda w=watcher: seconds_a_step(make, w, seconds)[0])  # noqa: B023
                    costs[name].append(cost / plain)
        lines.append(
            f"| {make.__name__} | {1e3 * statistics.median(plains):.2f} "
            f"| {told(costs['caveats'])} | {statistics.median(more):.2f} "
            f"| {' | '.join(told(costs[name]) for name in RIVALS)} |"
        )
    return "\n".join(lines)


def broken_or(measure: Callable[[], float]) -> float:
    """What ``measure`` finds; NaN where the watcher breaks the training."""
    try:
        return measure()
    except RuntimeError:
        return float("nan")


def told(ratios: list[float]) -> str:
    if not ratios:
        return "not installed"
    if any(ratio != ratio for ratio in ratios):
        return "breaks the training"
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
