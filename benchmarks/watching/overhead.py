"""What watching costs: the same training alone and watched, each in a process of its own
(`benchmarks.watching.turn`), beside wandb.watch (offline), TensorBoard's histograms, torchmortem
and TraceML, each at its customary settings. The processes take turns of a tenth of a second or a
step, so that whatever else the machine does hits all of them alike.

A watcher that is not installed, or that breaks the training, has no number.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from benchmarks.watching.turn import READY, WATCHERS

__all__ = ["TITLES", "TURNS", "overhead_table", "start_table"]

# The network, the steps of a training, and those of a round.
LENGTHS = (("mlp", 1000, 50), ("mlp", 4000, 50), ("resnet18", 30, 1), ("gpt", 30, 1))
TURNS = 3
TITLES = {
    "caveats": "caveats", "wandb": "wandb.watch offline", "tensorboard": "TensorBoard histograms",
    "torchmortem": "torchmortem", "traceml": "TraceML",
}  # fmt: skip
SCRIPT = """
import torch
from torch import nn
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.Adam(model.parameters())
for step in range({steps}):
    x = torch.randn(64, 64)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), x[:, :10].argmax(1)).backward()
    optimizer.step()
"""
WATCH = ["-c", "from caveats_tui.cli import main; main()", "watch", "--no-screen", "--out"]

Found = dict[str, float]
Pair = tuple[Found, Found | None]  # alone and watched; None where the watcher breaks the training


def overhead_table(watchers: Sequence[str] = tuple(TITLES), turns: int = TURNS) -> str:
    """Three networks, each alone and beside each of the ``watchers``: the median ratio of the
    processor time of a step to that alone, and its range over the ``turns``."""
    names = list(watchers)
    lines = [
        "| network | steps | ms a step alone | MB alone "
        f"| {' | '.join(f'{TITLES[n]}: time' for n in names)} "
        f"| {' | '.join(f'{TITLES[n]}: memory' for n in names)} "
        "| caveats: first ten steps, s more |",
        "|---|---|---|---|" + "---|" * (2 * len(names) + 1),
    ]
    there = [name for name in names if find_spec(WATCHERS[name][0]) is not None]
    for network, steps, some in LENGTHS:
        found: dict[str, list[Pair]] = {name: [] for name in names}
        for _ in range(turns):
            for name in there:
                found[name].append(in_turns(network, name, steps, some))
        alone = [plain for pairs in found.values() for plain, _ in pairs]
        times = [told(found[name], "ms") for name in names]
        sizes = [told(found[name], "memory") for name in names]
        more = [
            ours["first"] - plain["first"]
            for plain, ours in found.get("caveats", ())
            if ours is not None
        ]
        lines.append(
            f"| {network} | {steps} | {middle(alone, 'ms'):.2f} | {middle(alone, 'memory'):.0f} "
            f"| {' | '.join(times)} | {' | '.join(sizes)} "
            f"| {f'{statistics.median(more):.2f}' if more else '–'} |"
        )
    return "\n".join(lines)


def in_turns(network: str, watcher: str, steps: int, some: int) -> Pair:
    """What `benchmarks.watching.turn` found alone and for a ``watcher``: both make ``some`` steps
    in turns until each has made ``steps``. There are two at a time, because threads that write
    every second do so while they wait, too."""
    argv = [sys.executable, "-m", "benchmarks.watching.turn", network]
    alone, watched = Training([*argv, "alone"]), Training([*argv, watcher])
    for number in range(steps // some):
        for training in (alone, watched) if number % 2 else (watched, alone):
            training.make(some)
    plain, found = alone.end(), watched.end()
    assert plain is not None
    print(network, steps, watcher, plain, found, file=sys.stderr, flush=True)
    return plain, found


class Training:
    """A process that trains when it is told to; ready for its first round when it is made."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._wait()

    def make(self, steps: int) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # it has broken, and `end` says so
            self._process.stdin.write(f"{steps}\n")
        self._wait()

    def end(self) -> Found | None:
        rest, _ = self._process.communicate()
        if self._process.returncode != 0:
            return None
        found: Found = json.loads(rest.splitlines()[-1])
        return found

    def _wait(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == READY:
                return


def middle(turns: Sequence[Found], what: str) -> float:
    return statistics.median(turn[what] for turn in turns)


def told(pairs: Sequence[Pair], what: str) -> str:
    """The ratios of a watched training to the one alone beside it: median, and range."""
    if not pairs:
        return "not installed"
    ratios = [watched[what] / plain[what] for plain, watched in pairs if watched is not None]
    if len(ratios) < len(pairs):
        return "breaks the training"
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def start_table(turns: int = TURNS) -> str:
    """How long a script of 20 steps takes alone and under `caveats-tui watch --no-screen`, of
    which what is more is start and close: seconds on the clock, and of processor time."""
    took: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as place:
        script = Path(place) / "train.py"
        script.write_text(SCRIPT.format(steps=20))
        for turn in range(turns):
            took["alone"].append(timed([sys.executable, str(script)]))
            out = str(Path(place) / f"run{turn}")
            took["watched"].append(
                timed([sys.executable, *WATCH, out, "--", sys.executable, str(script)])
            )
    lines = ["| 20 steps | s on the clock | s of processor time |", "|---|---|---|"]
    middles = {}
    for name, turns_of in took.items():
        clock, processor = (statistics.median(part) for part in zip(*turns_of, strict=True))
        middles[name] = clock, processor
        lines.append(f"| {name} | {clock:.2f} | {processor:.2f} |")
    more = [b - a for a, b in zip(middles["alone"], middles["watched"], strict=True)]
    lines.append(f"| more | {more[0]:.2f} | {more[1]:.2f} |")
    return "\n".join(lines)


def timed(argv: list[str]) -> tuple[float, float]:
    before, begin = os.times(), time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True)
    clock, after = time.perf_counter() - begin, os.times()
    spent = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return clock, spent
