"""Whether the program survives what people, files and machines do to it.

`python -m benchmarks.reliability` runs the whole campaign (hours): 100,000 random keys, pastes,
sizes, mouse events and signals on every screen in a real terminal, over ten seeds; 100,000 changed
run folders, sweeps, configs, scripts, csv, npz and recordings; each command ten times on disks that
are full, read-only or broken; a line of 10 KB/s; 10 million steps of one run. ``--scale 0.01`` runs
a hundredth of it. Ends with 1 if there was any fault.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from benchmarks.reliability_suite.disks import troubled
from benchmarks.reliability_suite.keyboard import ANSWER, play
from benchmarks.reliability_suite.kinds import KINDS
from benchmarks.reliability_suite.mutations import try_files
from benchmarks.reliability_suite.openings import furnish
from benchmarks.reliability_suite.slow_line import over_a_slow_line
from benchmarks.reliability_suite.soak import soak

EVENTS, SEEDS = 100_000, 10
FILES = 100_000
STEPS = 10_000_000
ROUNDS = 10  # of each command on each disk
LINES = 40  # windows opened over a slow line, at each size
PARTS = ("keys", "files", "disks", "lines", "soak")
GROWTH = 1.25  # of the memory between a tenth of the soak and its end
LOG = 1.0  # MB of the lab's log


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="the share of the campaign to run")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part")
    parser.add_argument("--seed", type=int, default=0, help="of the first seed")
    given = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup all programs would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faults: Counter[str] = Counter()
    for part in given.part or PARTS:
        start = time.monotonic()
        faults += PLAYED[part](given.scale, given.seed)
        print(f"{part}: {time.monotonic() - start:,.0f} s", flush=True)
    for fault, times in faults.most_common():
        print(f"FAULT {times:>6,} × {fault}")
    print(f"{faults.total():,} faults")
    return int(bool(faults))


def keys(scale: float, first: int) -> Counter[str]:
    """Random events in a real terminal."""
    faults: Counter[str] = Counter()
    answers: list[float] = []
    screens: Counter[str] = Counter()
    events = openings = 0
    with tempfile.TemporaryDirectory() as furnished:
        furnish(Path(furnished))
        for seed in range(first, first + SEEDS):
            session = play(max(1, round(scale * EVENTS / SEEDS)), seed, Path(furnished))
            events += session.events
            openings += session.openings
            answers += session.answers
            screens += session.screens
            faults += session.faults
            said = dict(session.faults) or "no fault"
            print(f"  seed {seed}: {said}", file=sys.stderr, flush=True)
    p95, worst = np.quantile(answers, [0.95, 1.0]) if answers else (np.nan, np.nan)
    print(
        f"keys: {events:,} events, {openings:,} openings, {SEEDS} seeds; "
        f"answers p95 {p95:.2f} s, worst {worst:.2f} s of {len(answers):,}"
    )
    for name, number in screens.most_common():
        print(f"  {number:>7,} events: {name}")
    return faults


def files(scale: float, first: int) -> Counter[str]:
    """Changed files for every reader."""
    faults: Counter[str] = Counter()
    for name, kind in KINDS.items():
        outcome = try_files(kind, max(1, round(scale * FILES / len(KINDS))), first)
        print(
            f"files: {name}: {outcome.tried:,} tried, {outcome.read:,} read, "
            f"{outcome.refused:,} refused in a sentence, {outcome.faults.total():,} faults",
            flush=True,
        )
        faults += Counter({f"{name}: {fault}": n for fault, n in outcome.faults.items()})
    return faults


def disks(scale: float, first: int) -> Counter[str]:
    """Each command on disks that are full, read-only or broken."""
    faults: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    for trouble, name, found in troubled(max(1, round(scale * ROUNDS)), first):
        tried[trouble] += 1
        faults += Counter({f"{trouble}: {name}: {fault}": n for fault, n in found.items()})
    print(f"disks: {dict(tried) or 'no C compiler: nothing was tried'}")
    return faults


def lines(scale: float, first: int) -> Counter[str]:
    """The lab over a slow line."""
    faults: Counter[str] = Counter()
    for columns, rows in ((80, 24), (120, 40)):
        seen = over_a_slow_line(columns, rows, max(4, round(scale * LINES)))
        faults += Counter(f"slow line: {fault}" for fault in seen.faults)
        for what, taken in (("a window", seen.windows), ("a move", seen.moves)):
            p95 = float(np.quantile(taken, 0.95)) if taken else np.nan
            print(f"lines: {columns}×{rows}: {what} p95 {p95:.2f} s of {len(taken)}")
            faults["slow line: no answer within 2 s"] += int(p95 > ANSWER)
        print(f"lines: {columns}×{rows}: {seen.rate:,.0f} bytes a second while training")
    return +faults


def soaked(scale: float, first: int) -> Counter[str]:
    """One long run."""
    seen = soak(max(100, round(scale * STEPS)))
    print(
        f"soak: {seen.steps:,} steps in {seen.seconds:,.0f} s; memory {seen.memory[0]:.0f} → "
        f"{seen.memory[1]:.0f} MB, files {seen.files[0]} → {seen.files[1]}, folder "
        f"{seen.folder:.1f} MB, {seen.records:,} records, log of the lab {seen.log:.2f} MB"
    )
    faults: Counter[str] = Counter()
    if seen.memory[1] > GROWTH * seen.memory[0]:
        faults["soak: memory grows"] += 1
    if seen.files[1] > seen.files[0]:
        faults["soak: files stay open"] += 1
    if seen.log > LOG:
        faults["soak: the lab's log grows"] += 1
    return faults


PLAYED = {"keys": keys, "files": files, "disks": disks, "lines": lines, "soak": soaked}


if __name__ == "__main__":
    sys.exit(main())
