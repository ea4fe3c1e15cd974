"""How much faster a stack trains than its networks one after another, and whether its memory is as
predicted.

``python -m benchmarks.stacks [--alone N] [--rounds N]``. Both sides train to the end and measure at
the automatic cadence. One after another is timed on N networks (default 4), half of them before the
stack and half after it, and multiplied. The ratio that counts is that of the smallest times of all
rounds, by the time of the processor. Other work on the machine makes either side slower, by up to
three times and for minutes: the ratios of single rounds, told with their range and by the clock
too, say more about that work than about the program.

What measuring costs is told as `benchmarks.probing` tells it of a single run: in the steady state
of the automatic cadence (a record in 250 steps, the deep measures of one in 4,000 and the sharpness
of one in 8,000), and apart from that over the first thousand steps, which have forty records. Times
of the parts are the smallest of several.

The memory of a stack is the growth of a fresh process's peak resident size.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from caveats.config import RunConfig
from caveats.measuring.cadence import DEEP, GAP, READINGS, Every
from caveats.run import Run
from caveats.stacks import Stack, train
from caveats.stacks.memory import needed

GOALS = {"200 of 10×10, 300 steps": 10.0, "8 of 64×3, 300 steps": 3.0}
SHARE = 0.05  # of the time, for measuring
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


def alone(configs: list[RunConfig]) -> None:
    for config in configs:
        run = Run(config)
        while not run.finished:
            run.advance()


def stacked(configs: list[RunConfig]) -> None:
    assert len(list(train(configs))) == len(configs)


def taken(work: Callable[[list[RunConfig]], None], configs: list[RunConfig]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work(configs)
    return time.perf_counter() - clock, time.process_time() - processor


class Round(NamedTuple):
    """Seconds by the clock and of the processor: of the singles before and after the stack, for as
    many networks as it has, and of the stack."""

    before: tuple[float, float]
    after: tuple[float, float]
    together: tuple[float, float]

    def ratio(self, clock: int) -> float:
        return (self.before[clock] + self.after[clock]) / 2 / self.together[clock]


def one_round(configs: list[RunConfig], singles: int) -> Round:
    half = singles // 2
    before = taken(alone, configs[:half])
    together = taken(stacked, configs)
    after = taken(alone, configs[half : 2 * half])
    times = len(configs) / half
    return Round(
        (times * before[0], times * before[1]), (times * after[0], times * after[1]), together
    )


def undisturbed(rounds: list[Round]) -> float:
    """How much longer one after another takes than the stack, by the smallest times."""
    singles = min(time[1] for own in rounds for time in (own.before, own.after))
    return singles / min(own.together[1] for own in rounds)


class Costs(Every):
    """A record at every step that `wanted` names, deep or with a reading."""

    def __init__(self) -> None:
        super().__init__(10**9)
        self.wanted = ""

    def due(self, step: int, planned: int) -> bool:
        return bool(self.wanted)

    def deep(self, step: int) -> bool:
        return self.wanted == "deep"

    def reads(self, step: int) -> bool:
        return self.wanted == "reading"


def steady_share(configs: list[RunConfig], rounds: int) -> float:
    """The part of the processor's time that measuring takes in the steady state."""
    cadence = Costs()
    stack = Stack(configs, every=cadence)
    times: dict[str, list[float]] = {"": [], "record": [], "deep": [], "reading": []}
    for _ in range(rounds):
        for wanted, found in times.items():
            cadence.wanted = wanted
            began = time.process_time()
            for _ in range(5):
                stack.advance()
            found.append((time.process_time() - began) / 5)
    step, record, deep, reading = (min(found) for found in times.values())
    measuring = (record - step) / GAP + (deep - record) / DEEP[1] + (reading - record) / READINGS[1]
    return measuring / (step + measuring)


def share_at_first(configs: list[RunConfig]) -> float:
    """The same over a whole run, from a stack with only two records."""
    found = []
    for every in (10**9, None):
        began = time.process_time()
        stack = Stack(configs, every=every)
        while not stack.finished:
            stack.advance()
        found.append(time.process_time() - began)
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
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for (name, goal), (widths, members) in zip(
        GOALS.items(), (([10] * 10, 200), ([64] * 3, 8)), strict=True
    ):
        configs = networks(widths, members)
        alone(configs[:1])  # libraries
        rounds = [one_round(configs, options.alone) for _ in range(options.rounds)]
        found = undisturbed(rounds)
        met = "met" if found >= goal else "missed"
        print(f"{name}: {found:.1f} times one after another (goal {goal:g}: {met})")
        for clock, words in enumerate(("clock", "processor")):
            each = [own.ratio(clock) for own in rounds]
            middle = statistics.median(each)
            print(f"  rounds by the {words}: {middle:.1f}, {min(each):.1f} to {max(each):.1f}")
    for widths, members in (([10] * 10, 64), ([10] * 10, 200), ([64] * 3, 8)):
        share = steady_share(networks(widths, members, 10**6), 4 * options.rounds)
        met = "met" if share <= SHARE else "missed"
        print(
            f"measuring {members} of {widths[0]}×{len(widths)}: {share:.1%} of the time "
            f"(goal {SHARE:.0%}: {met})"
        )
    share = share_at_first(networks([10] * 10, 64, 1000))
    print(f"measuring the first 1,000 steps of 64 of 10×10: {share:.0%} of the time")
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
