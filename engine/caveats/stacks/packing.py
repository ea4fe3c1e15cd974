"""Trains any number of any configs: packs those of one shape into stacks, and the rest alone."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from caveats.config import RunConfig
from caveats.data import Dataset
from caveats.history import History
from caveats.measuring.cadence import Cadence
from caveats.measuring.divergence import Divergence
from caveats.run import Run
from caveats.stacks.batches import StackedData
from caveats.stacks.losses import losses_of
from caveats.stacks.member_facts import rows_to_see
from caveats.stacks.memory import device_for, most_members
from caveats.stacks.network import draw
from caveats.stacks.shape import Shape, datasets, grouped, shape_of, unstackable
from caveats.stacks.stack import Stack

__all__ = ["Calibration", "Trained", "calibrated", "train"]

SIZES = (16, 64, 256)  # that are tried on a CPU
LARGEST = {"cpu": 512, "cuda": 16384}
TRIES = 4
NEARLY = 1.25


@dataclass(frozen=True, slots=True)
class Trained:
    """One config of a batch, when its training is over: ``index`` is its place in the batch."""

    index: int
    history: History
    divergence: Divergence | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How to train on this machine: torch's ``threads``, and the members of one stack."""

    threads: int
    size: int


def train(
    configs: Sequence[RunConfig],
    every: int | Cadence | None = None,
    size: int | None = None,
    watch: Callable[[Stack | Run], None] | None = None,
) -> Iterator[Trained]:
    """Train all ``configs`` to their ends, and yield each when its stack is done.

    ``size`` is the largest stack; without it, threads and size are chosen by a short calibration.
    ``watch`` is called after every step of a stack.

    Raises:
        ConfigError: as `Stack`; also if a single network does not fit in memory.
    """
    data = datasets(configs)
    for group in grouped(configs):
        if unstackable(configs[group[0]]):
            yield from alone(group[0], configs[group[0]], data[group[0]], every, watch)
            continue
        own, sets = [configs[i] for i in group], [data[i] for i in group]
        if size is None:
            found = calibrated(own, sets)
            torch.set_num_threads(found.threads)
            most = found.size
        else:
            most = size
        for first in range(0, len(group), most):
            part = slice(first, first + most)
            stack = Stack(own[part], sets[part], every)
            while not stack.finished:
                stack.advance()
                if watch is not None:
                    watch(stack)
            for index, history, divergence in zip(
                group[part], stack.histories, stack.divergences, strict=True
            ):
                yield Trained(index, history, divergence)


def alone(
    index: int,
    config: RunConfig,
    dataset: Dataset,
    every: int | Cadence | None,
    watch: Callable[[Stack | Run], None] | None,
) -> Iterator[Trained]:
    run = Run(config, dataset, every)
    while not run.finished:
        run.advance()
        if watch is not None:
            watch(run)
    yield Trained(index, run.history, run.divergence)


def calibrated(configs: Sequence[RunConfig], data: Sequence[Dataset]) -> Calibration:
    """Time a few steps of stacks of several sizes, then one size with one thread and with all, and
    choose. It takes well below a second and does not touch the generators.

    Single timings are off by a quarter or more. What is not timed, records and the host's own work,
    is cheaper the more members share it: so the largest stack that is nearly as fast as the fastest
    is chosen, and more threads only where they clearly help.
    """
    shape = shape_of(configs[0], data[0])
    device = device_for(shape, len(configs))
    most = min(len(configs), most_members(shape, device), LARGEST.get(device.type, 512))
    threads = torch.get_num_threads()
    if device.type != "cpu":
        return Calibration(threads, most)
    cores = threads if "OMP_NUM_THREADS" in os.environ else os.cpu_count() or 1
    sizes = sorted({min(size, most) for size in SIZES})
    if len(sizes) == cores == 1:
        return Calibration(1, sizes[0])  # there is nothing to choose
    step = step_of(shape, configs[0], data[0], sizes[-1], device)
    try:
        torch.set_num_threads(1)
        # In the processor's time: other programs that interrupt a step do not count.
        spent = fastest(step, sizes, time.process_time)
        size = largest_good({own: seconds / own for own, seconds in spent.items()})
        alone = fastest(step, [size], time.perf_counter)[size]
        torch.set_num_threads(cores)
        together = fastest(step, [size], time.perf_counter)[size] if cores > 1 else alone
    finally:
        torch.set_num_threads(threads)
    return Calibration(cores if together * NEARLY < alone else 1, size)


def fastest(
    step: Callable[[int], None], sizes: Sequence[int], clock: Callable[[], float]
) -> dict[int, float]:
    """The least time that a step of each size takes. The sizes are tried in turn, so that a slow
    moment does not hit one of them alone."""
    found = dict.fromkeys(sizes, math.inf)
    for _ in range(TRIES):
        for size in sizes:
            began = clock()
            step(size)
            found[size] = min(found[size], clock() - began)
    return found


def largest_good(seconds: Mapping[int, float]) -> int:
    """The largest size that is nearly as fast for each member as the fastest."""
    enough = NEARLY * min(seconds.values())
    return max(size for size, spent in seconds.items() if spent <= enough)


def step_of(
    shape: Shape, config: RunConfig, dataset: Dataset, members: int, device: torch.device
) -> Callable[[int], None]:
    """The costly part of a step, for some members of a throw-away stack of equal networks."""
    one = draw([config.network], [config.training.seed], shape.features, shape.outputs,
               rows_to_see([dataset]), device)  # fmt: skip
    whole = one.chosen(torch.zeros(members, dtype=torch.int64, device=device))
    losses = losses_of(shape.loss)
    batch = torch.arange(shape.batch_size or shape.rows, device=device)
    sample = StackedData([dataset] * members, device).rows_at(batch)

    def step(members: int) -> None:
        part = whole.narrowed(0, members)
        x, y = sample.all_rows(slice(0, members))
        torch.autograd.grad(
            losses(part.forward(x.contiguous()), y).sum(), part.parameters(), allow_unused=True
        )

    return step
