"""python -m benchmarks.watching.turn NETWORK WATCHER: one training in a process of its own, alone
or beside a program that watches it. It makes as many steps as each line of its input says, so that
several such processes can take turns, and prints what it took as JSON after the last line.

"ms" is the processor time of a step, of all threads of this process, also while it waits for its
turn; what a watcher does in other processes does not count. "first" is that of the first ten steps
together, in seconds; "memory" the largest resident size of the process in MB.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

__all__ = ["FIRST", "NETWORKS", "READY", "WATCHERS", "turn"]

FIRST = (
    11  # steps before the timed ones: watching samples each of them, and its budget begins after
)
EVERY = 100  # steps between two histograms of TensorBoard
READY = "ready for the next round"  # a line of the output

LossOf: TypeAlias = Callable[[nn.Module], Tensor]
After: TypeAlias = Callable[[float], object]
Step: TypeAlias = Callable[[], AbstractContextManager[Any]]
Watching: TypeAlias = tuple[After, Step]


def mlp() -> tuple[nn.Module, LossOf]:
    """64-128-128-128-10, 128 rows."""
    x, y = torch.randn(128, 64), torch.randint(0, 10, (128,))
    sizes = [64, 128, 128, 128, 10]
    layers = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1]), lambda model: F.cross_entropy(model(x), y)


class Block(nn.Module):
    """The basic block of He et al. 2016."""

    def __init__(self, fed: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(fed, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.down: nn.Module = nn.Identity()
        if stride != 1 or fed != width:
            self.down = nn.Sequential(
                nn.Conv2d(fed, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        z = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(z)) + self.down(x), inplace=True)


class ResNet18(nn.Module):
    """11.2 million weights."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
        self.blocks = nn.Sequential(*(Block(a, b, 1 + (a < b)) for a, b in pairwise(widths)))
        self.fc = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        return self.fc(self.blocks(x).mean((2, 3)))


def resnet18() -> tuple[nn.Module, LossOf]:
    """Of 3 channels and 64×64, 8 rows."""
    x, y = torch.randn(8, 3, 64, 64), torch.randint(0, 10, (8,))
    return ResNet18(), lambda model: F.cross_entropy(model(x), y)


class Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln1, self.ln2, self.heads = nn.LayerNorm(width), nn.LayerNorm(width), heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.ln1(x)).unflatten(-1, (3, self.heads, -1)).transpose(1, 3).unbind(2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.proj(F.gelu(self.fc(self.ln2(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary: int, length: int, width: int, layers: int) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.h = nn.ModuleList(Layer(width, 8) for _ in range(layers))
        self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.wte(x) + self.wpe(torch.arange(x.shape[1]))
        for layer in self.h:
            x = layer(x)
        return self.head(self.ln(x))


def gpt() -> tuple[nn.Module, LossOf]:
    """Six layers of width 256, 4 rows of 64 tokens out of 256."""
    x, y = torch.randint(0, 256, (4, 64)), torch.randint(0, 256, (4 * 64,))
    model = GPT(256, 64, 256, 6)
    return model, lambda model: F.cross_entropy(model(x).flatten(0, 1), y)


NETWORKS = {"mlp": mlp, "resnet18": resnet18, "gpt": gpt}


# The watchers: each is put around a training, and gives a function that is called after each step,
# and one that makes a block around each step.


def ignore(loss: float) -> None:
    return None


@contextmanager
def alone(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[Watching]:
    yield ignore, nullcontext


@contextmanager
def caveats(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[Watching]:
    """All that `caveats-tui watch` does in the process: the instruments, and the thread that writes
    the folder of the run."""
    from caveats.watching.budget import BUDGET
    from caveats.watching.folder import environment
    from caveats.watching.process import start

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        run = Path(place) / "run"
        run.mkdir()
        notes = Path(place) / "notes.jsonl"
        os.environ.update(environment(run, notes, sys.argv, None, BUDGET, os.environ))
        start()
        yield ignore, nullcontext


@contextmanager
def wandb(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[Watching]:
    """Offline; histograms of gradients every 1,000 steps, its default, and the loss of each."""
    import wandb

    with tempfile.TemporaryDirectory() as place:
        settings = wandb.Settings(mode="offline", silent=True)
        run = wandb.init(project="overhead", dir=place, settings=settings)
        run.watch(model)
        try:
            yield lambda loss: run.log({"loss": loss}), nullcontext
        finally:
            run.unwatch(model)
            run.finish()


@contextmanager
def tensorboard(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[Watching]:
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

        yield after, nullcontext


@contextmanager
def torchmortem(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[Watching]:
    from torchmortem import Autopsy

    autopsy = Autopsy(model, optimizer=optimizer)
    autopsy.attach()
    atexit.unregister(autopsy._atexit_handler)
    try:
        yield lambda loss: autopsy.step(loss=loss), nullcontext
    finally:
        for collector in autopsy._collectors:  # its report is no part of the training
            collector.detach()


@contextmanager
def traceml(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[Watching]:
    """Its block around each step, all automatic timers, and its aggregator in a process beside."""
    import traceml_ai

    with tempfile.TemporaryDirectory() as place, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        taken.close()
        env = {
            **os.environ, "TRACEML_UI_MODE": "summary", "TRACEML_AGGREGATOR_HOST": "127.0.0.1",
            "TRACEML_AGGREGATOR_PORT": str(port), "TRACEML_SESSION_ID": "overhead",
            "TRACEML_LOGS_DIR": place, "TRACEML_RUN_NONCE": "overhead",
        }  # fmt: skip
        os.environ.update({k: v for k, v in env.items() if k.startswith("TRACEML_")})
        beside = subprocess.Popen(
            [sys.executable, "-m", "traceml_ai.aggregator.aggregator_main"],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            traceml_ai.init(on_missing_aggregator="raise", connect_timeout_sec=120.0)
            yield ignore, lambda: traceml_ai.trace_step(model)
        finally:
            beside.kill()  # its report is no part of the training
            beside.wait()


Watcher: TypeAlias = Callable[[nn.Module, torch.optim.Optimizer], AbstractContextManager[Watching]]
WATCHERS: dict[str, tuple[str, Watcher]] = {  # the package that each needs
    "alone": ("torch", alone),
    "caveats": ("caveats", caveats),
    "wandb": ("wandb", wandb),
    "tensorboard": ("tensorboard", tensorboard),
    "torchmortem": ("torchmortem", torchmortem),
    "traceml": ("traceml_ai", traceml),
}


def rounds() -> Iterator[int]:
    """The steps to make, when they are to be made. Clocks that are made of `time.perf_counter` from
    now on stand still meanwhile."""
    clock, waited = time.perf_counter, 0.0
    time.perf_counter = lambda: clock() - waited
    while True:
        print(f"\n{READY}", flush=True)
        begin = clock()
        line = sys.stdin.readline().strip()
        waited += clock() - begin
        if not line:
            return
        yield int(line)


def turn(network: str, watcher: str, each: Iterator[int]) -> dict[str, float]:
    """Train so many steps in ``each`` round, after the first ten."""
    torch.manual_seed(0)
    model, loss_of = NETWORKS[network]()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    with WATCHERS[watcher][1](model, optimizer) as (after, around):

        def step() -> None:
            with around():
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
        begin, steps = time.process_time(), 0
        for some in each:
            for _ in range(some):
                step()
            steps += some
        ms = 1e3 * (time.process_time() - begin) / steps
    return {"ms": ms, "first": first, "memory": largest_size()}


def largest_size() -> float:
    """In MB. Not `getrusage`, which also counts the process that started this one."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def main() -> None:
    torch.set_num_threads(1)
    network, watcher = sys.argv[1:]
    found = turn(network, watcher, rounds())
    print("\n" + json.dumps(found), flush=True)
    os._exit(0)  # what a watcher says at the end is no part of the training


if __name__ == "__main__":
    main()
