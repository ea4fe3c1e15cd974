"""How much faster a stack trains than its networks one after another, and whether its memory is as
predicted.

``python -m benchmarks.stacks [--alone N]``. Both sides train to the end and measure at the
automatic cadence. One after another is timed on N networks (default 4) and multiplied. The memory
of a stack is the growth of a fresh process's peak resident size.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from pathlib import Path

import torch

from caveats.config import RunConfig
from caveats.run import Run
from caveats.stacks import Stack, train
from caveats.stacks.memory import needed

GOALS = {"200 of 10×10, 300 steps": 10.0, "8 of 64×3, 300 steps": 3.0}
ERROR = 0.2  # of the predicted memory


def networks(
    widths: list[int], members: int, steps: int = 300, lr: float = 0.05
) -> list[RunConfig]:
    base = RunConfig.from_dict(
        {
            "network": {"widths": widths},
            "optimizer": {"lr": lr},
            "training": {"steps": steps, "device": "cpu"},
        }
    )
    return [base.changed({"training.seed": seed}) for seed in range(members)]


def seconds_alone(configs: list[RunConfig]) -> float:
    began = time.perf_counter()
    for config in configs:
        run = Run(config)
        while not run.finished:
            run.advance()
    return time.perf_counter() - began


def seconds_stacked(configs: list[RunConfig]) -> float:
    began = time.perf_counter()
    assert len(list(train(configs))) == len(configs)
    return time.perf_counter() - began


def share_of_measuring(configs: list[RunConfig]) -> float:
    """The part of a stack's time that its records take, from a stack with only two records."""
    found = []
    for every in (10**9, None):
        began = time.perf_counter()
        stack = Stack(configs, every=every)
        while not stack.finished:
            stack.advance()
        found.append(time.perf_counter() - began)
    return 1 - found[0] / found[1]


def peak() -> int:
    """The largest resident size of this process so far, in bytes (Linux). Not ru_maxrss, which a
    new process takes over from the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def grown(widths: list[int], members: int) -> tuple[int, int]:
    """Bytes predicted, and bytes by which this process grew."""
    torch.set_num_threads(1)
    warm = Stack(networks(widths, 2, 3))  # libraries and their buffers
    warm.advance()
    before = peak()
    stack = Stack(networks(widths, members, 3))
    while not stack.finished:
        stack.advance()
    return needed(stack.shape, members), peak() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--alone", type=int, default=4)
    options = parser.parse_args()
    for (name, goal), (widths, members) in zip(
        GOALS.items(), (([10] * 10, 200), ([64] * 3, 8)), strict=True
    ):
        configs = networks(widths, members)
        seconds_alone(configs[:1])  # libraries
        first = seconds_alone(configs[: options.alone])
        stacked = seconds_stacked(configs)
        # Before and after, because the machine's speed may drift.
        one = (first + seconds_alone(configs[: options.alone])) / (2 * options.alone)
        ratio = one * members / stacked
        met = "met" if ratio >= goal else "missed"
        print(f"{name}: {ratio:.1f} times one after another (goal {goal:g}: {met})")
        print(f"  one alone {one:.2f} s, the stack {stacked:.2f} s")
    share = share_of_measuring(networks([10] * 10, 64, 1000))
    print(f"measuring 64 of 10×10 over 1,000 steps: {share:.0%} of the time")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for widths, members in (([10] * 10, 2000), ([64] * 3, 200), ([256] * 2, 50)):
            predicted, found = pool.apply(grown, (widths, members))
            off = found / predicted - 1
            met = "within" if abs(off) <= ERROR else "beyond"
            print(
                f"{members} of {widths[0]}×{len(widths)}: {found / 1e6:.0f} MB, predicted "
                f"{predicted / 1e6:.0f}: {off:+.0%}, {met} ±{ERROR:.0%}"
            )


if __name__ == "__main__":
    main()
