"""What measuring costs a training run, as ratios to a bare PyTorch loop timed in the same run.

``python -m benchmarks.probing [--rounds N] [--json]``. Two networks: 8×64 on the digits in batches
of 128, and 784-256×3-10 in batches of 256. One torch thread. Every round times each way for one
slice in turn, so that a machine that slows down slows all of them. For each way it reports the
median over rounds, and the quartiles, of its time divided by the bare loop's time in the same
round. Time is CPU time of the process: with one thread, the clock of an idle machine would say the
same.

- bare:     the loop that a user would write, the loss read each step
- auto:     `caveats.run.Run.advance` at the automatic cadence, in its steady state: a record in 250
            steps, the deep measures of one in 4,000 and the reading of one in 8,000 added in shares
- loop:     the same with no record due: what the loop itself and its listening add
- listened: hooks and the count of silent units in every training pass
- probed:   a full probe pass over 512 rows after every step
- pass:     the probe pass alone, against forward and backward of the same 512 rows
- deep:     what the deep measures of one record cost, in bare steps
- reading:  a reading of the sharpness, in bare steps
- held out: the loss on 256 rows held out, in bare steps; every record measures it

The first thousand steps are reported separately, as a run of that length: in them the automatic
cadence makes about forty records, so that a short run has a curve too, and a reading at the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from caveats.config import RunConfig
from caveats.data import Dataset, load
from caveats.measuring.cadence import DEEP, GAP, READINGS, Every
from caveats.measuring.firing import Firing
from caveats.measuring.readings import Readings
from caveats.measuring.scores import HELD_OUT_ROWS, HeldOut
from caveats.models.mlp import activations
from caveats.run import Run

NEVER = 10**9
PLANNED = 100_000
NETWORKS: dict[str, dict[str, Any]] = {
    "8x64, batch 128": {
        "network": {"widths": [64] * 8},
        "optimizer": {"lr": 0.05},
        "training": {"batch_size": 128, "steps": PLANNED},
    },
    "784-256x3-10, batch 256": {
        "network": {"widths": [256] * 3},
        "optimizer": {"lr": 0.05},
        "training": {"batch_size": 256, "steps": PLANNED},
    },
}
SECONDS = {"bare": 0.5}  # of one slice
TARGETS = {"auto": 1.05, "listened": 1.25}


class Steady(Every):
    """The `Automatic` cadence after the first steps, without the rare costly measures."""

    def __init__(self) -> None:
        super().__init__(GAP)

    def deep(self, step: int) -> bool:
        return False

    def reads(self, step: int) -> bool:
        return False


def dataset(name: str) -> Dataset:
    """The digits, or standard normal inputs with the shape of MNIST's and 10 random classes."""
    if name.startswith("8x64"):
        return load({"name": "digits"})
    draw = np.random.Generator(np.random.PCG64(0))
    x = draw.standard_normal((8192, 784), np.float32)
    return Dataset("normal", x, draw.integers(0, 10, 8192), 10)


def bare_loop(run: Run) -> Callable[[], None]:
    """The same network, data and optimizer, as a user would write it."""
    x, y = run.trainer.x, run.trainer.y
    size = run.config.training.batch_size
    model = Run(run.config, run.dataset, NEVER).trainer.network
    optimizer = torch.optim.SGD(model.parameters(), lr=run.config.optimizer.lr)
    loss_function = nn.CrossEntropyLoss()
    order, at = torch.randperm(len(x)), 0

    def step() -> None:
        nonlocal order, at
        if at + size > len(x):
            order, at = torch.randperm(len(x)), 0
        rows = order[at : at + size]
        at += size
        loss = loss_function(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def ways(config: RunConfig, data: Dataset) -> dict[str, Callable[[], None]]:
    auto = Run(config, data, every=Steady())
    loop, listened, probed = (Run(config, data, every=NEVER) for _ in range(3))
    readings = Readings(probed.probe)
    firing = Firing(listened.units, listened.trainer.device)

    def step_listened() -> None:
        with firing.listening(activations(listened.trainer.network)):
            listened.trainer.train_step().item()

    def step_probed() -> None:
        probed.probe.remember()
        probed.trainer.train_step().item()
        probed.probe.measure()

    objective, network = probed.trainer.loss_function, probed.trainer.network
    held_out = HeldOut(
        network,
        objective,
        objective.predicted,
        probed.trainer.x[:HELD_OUT_ROWS],
        probed.trainer.y[:HELD_OUT_ROWS],
    )
    parameters = list(probed.trainer.network.parameters())

    def forward_backward() -> None:
        probe = probed.probe
        torch.autograd.grad(probe.loss_function(probe.network(probe.x), probe.y), parameters)

    return {
        "bare": bare_loop(auto),
        "auto": auto.advance,
        "loop": loop.advance,
        "listened": step_listened,
        "probed": step_probed,
        "pass": lambda: (probed.probe.measure(), None)[1],
        "deep": lambda: (probed.probe.measure(deep=True), None)[1],
        "reading": lambda: (readings.take(probed.trainer.optimizer), None)[1],
        "held out": lambda: (held_out.measure(), None)[1],
        "512 rows": forward_backward,
    }


def timed(step: Callable[[], None], steps: int) -> float:
    start = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - start) / steps


def compare(config: RunConfig, data: Dataset, rounds: int) -> dict[str, list[float]]:
    """Seconds a step of each way, one number a round."""
    steps = ways(config, data)
    slices = {
        name: max(5, round(SECONDS.get(name, 0.2) / timed(step, 10)))
        for name, step in steps.items()
    }
    slices["auto"] = 2 * GAP
    found: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(rounds):
        order = list(steps) if round_ % 2 else list(reversed(steps))
        for name in order:
            found[name].append(timed(steps[name], slices[name]))
    return found


def first_steps(config: RunConfig, data: Dataset, steps: int = 1000, rounds: int = 3) -> float:
    """The time of the first ``steps`` of a run at the automatic cadence over that of as many bare
    steps."""
    ratios = []
    for _ in range(rounds):
        run = Run(config.changed({"training.steps": steps}), data)
        bare = bare_loop(run)
        took, bare_took = 0.0, 0.0
        for _ in range(steps // 50):
            took += timed(run.advance, 50)
            bare_took += timed(bare, 50)
        ratios.append(took / bare_took)
    return statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    report: dict[str, dict[str, float]] = {}
    for name, tree in NETWORKS.items():
        config = RunConfig.from_dict(tree)
        data = dataset(name)
        found = compare(config, data, options.rounds)
        rows = report[name] = {"bare_ms": 1e3 * statistics.median(found["bare"])}
        rows["pass_ms"] = 1e3 * statistics.median(found["pass"])
        rest = zip(*(found[way] for way in ("deep", "pass", "reading")), strict=True)
        shares = [(deep - one) / DEEP[1] + reading / READINGS[1] for deep, one, reading in rest]
        found["auto"] = [a + b for a, b in zip(found["auto"], shares, strict=True)]
        for way in ("auto", "loop", "listened", "probed", "pass", "deep", "reading", "held out"):
            base = found["512 rows" if way == "pass" else "bare"]
            ratios = [a / b for a, b in zip(found[way], base, strict=True)]
            low, rows[way], high = statistics.quantiles(ratios, n=4)
            if not options.json:
                target = f"  (target {TARGETS[way]})" if way in TARGETS else ""
                print(f"{name:24} {way:9} {rows[way]:.3f}  [{low:.3f}, {high:.3f}]{target}")
        rows["first_1000"] = first_steps(config, data)
        if not options.json:
            print(f"{name:24} the first 1,000 steps {rows['first_1000']:.3f}")
            print(
                f"{name:24} a bare step {rows['bare_ms']:.2f} ms, a pass {rows['pass_ms']:.2f} ms"
            )
    if options.json:
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
