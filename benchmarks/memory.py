"""Whether the memory of a long run stays constant: resident size from step 10,000 to 200,000.

``python -m benchmarks.memory [--steps N]``. A small run (moons, 2×16) at the automatic cadence and
the same with a record every 20 steps, which fills and thins the history many times.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from caveats.config import RunConfig
from caveats.run import Run

START = 10_000
LIMIT = 5.0  # MB either way


def resident() -> float:
    """MB of this process in memory now (Linux)."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def watched(every: int | None, steps: int) -> list[tuple[int, float, int]]:
    """(step, MB, records) at the start and after each twentieth of the run."""
    config = RunConfig.from_dict(
        {
            "data": {"name": "moons"},
            "network": {"widths": [16, 16]},
            "training": {"steps": steps + 1},
        }
    )
    run = Run(config, every=every)
    seen = []
    while run.step < steps:
        run.advance()
        if run.step >= START and (run.step - START) % max(1, (steps - START) // 19) == 0:
            seen.append((run.step, resident(), len(run.history)))
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=200_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name, every in (("auto", None), ("every 20 steps", 20)):
        seen = watched(every, options.steps)
        first = seen[0][1]
        furthest = max((mb - first for _, mb, _ in seen), key=abs)
        for step, mb, records in (seen[0], seen[len(seen) // 2], seen[-1]):
            print(f"{name:15} step {step:>7,}  {mb:7.1f} MB  {records:>5,} records")
        verdict = "within" if abs(furthest) <= LIMIT else "beyond"
        print(f"{name:15} furthest from the start {furthest:+.1f} MB: {verdict} ±{LIMIT:g} MB")


if __name__ == "__main__":
    main()
