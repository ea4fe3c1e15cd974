"""Trains any number of any configs: packs those of one shape into stacks, and the rest alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from caveats.config import RunConfig
from caveats.data import Dataset
from caveats.history import History
from caveats.measuring.cadence import Cadence
from caveats.measuring.divergence import Divergence
from caveats.run import Run
from caveats.stacks.batches import StackedData
from caveats.stacks.memory import most_members
from caveats.stacks.network import draw
from caveats.stacks.shape import Shape, datasets, grouped, shape_of, unstackable
from caveats.stacks.stack import Stack, losses_of, rows_to_see
from caveats.training.trainer import pick_device

__all__ = ["Calibration", "Trained", "calibrated", "train"]

SIZES = (16, 64, 256)  # that are tried on a CPU
LARGEST = {"cpu": 512, "cuda": 16384}
TRIES = 3


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
    """Time a few steps of stacks of several sizes, with one thread and with all, and choose the
    fastest for each member. It takes well below a second and does not touch the generators."""
    shape = shape_of(configs[0], data[0])
    device = pick_device(shape.device)
    most = min(len(configs), most_members(shape, device), LARGEST.get(device.type, 512))
    threads = torch.get_num_threads()
    if device.type != "cpu":
        return Calibration(threads, most)
    cores = threads if "OMP_NUM_THREADS" in os.environ else os.cpu_count() or 1
    sizes = sorted({min(size, most) for size in SIZES})
    if len(sizes) == cores == 1:
        return Calibration(1, sizes[0])  # there is nothing to choose
    timings: dict[Calibration, float] = {}
    step = step_of(shape, configs[: sizes[-1]], data[: sizes[-1]], device)
    try:
        for used in sorted({1, cores}):
            torch.set_num_threads(used)
            for size in sizes:
                timings[Calibration(used, size)] = least_time(step, size) / size
    finally:
        torch.set_num_threads(threads)
    return min(timings, key=timings.__getitem__)


def step_of(
    shape: Shape, configs: Sequence[RunConfig], data: Sequence[Dataset], device: torch.device
) -> Callable[[int], None]:
    """The costly part of a step, for the first members of a throw-away stack."""
    seeds = [config.training.seed for config in configs]
    rows = rows_to_see(data)
    networks = [config.network for config in configs]
    whole = draw(networks, seeds, shape.features, shape.outputs, rows, device)
    stacked, losses = StackedData(data, device), losses_of(shape.loss)
    batch = torch.arange(shape.batch_size or shape.rows, device=device)
    sample = stacked.rows_at(batch)

    def step(members: int) -> None:
        part = whole.narrowed(0, members)
        x, y = sample.all_rows(slice(0, members))
        torch.autograd.grad(
            losses(part.forward(x.contiguous()), y).sum(), part.parameters(), allow_unused=True
        )

    return step


def least_time(step: Callable[[int], None], members: int) -> float:
    found = []
    for _ in range(TRIES):
        began = time.perf_counter()
        step(members)
        found.append(time.perf_counter() - began)
    return min(found)
