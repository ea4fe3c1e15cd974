"""What keeping a run costs: its share of the CPU time, the size of a long log and the time to open
it, the CPU time of following it. `python benchmarks/keeping.py`.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from caveats.config import RunConfig
from caveats.history import History
from caveats.measures import LAYER_MEASURES, SCALARS
from caveats.run import Run
from caveats.runs.lines import record_line
from caveats.runs.log import LOG, Log
from caveats.runs.manifest import Manifest
from caveats.runs.reader import Reader
from caveats.runs.writer import Writer

LAYERS, WIDTH = 20, 64
STEPS = 3000
RECORDS = 40_000  # 1,000,000 steps of 10 ms, four records a second
CONFIG = RunConfig.from_dict(
    {"network": {"widths": [WIDTH] * LAYERS}, "training": {"steps": STEPS, "device": "cpu"}}
)


class Timed(Writer):
    """A writer that adds up the CPU time of its thread and of copying states."""

    spent = 0.0

    def _take(self) -> None:
        start = time.thread_time()
        super()._take()
        self.spent += time.thread_time() - start

    def _write(self, closing: bool) -> None:
        start = time.thread_time()
        super()._write(closing)
        if not closing:
            self.spent += time.thread_time() - start


def share(folder: Path) -> float:
    """The share of a training's CPU time that keeping it took, without its start and its end."""
    run = Run(CONFIG)
    writer = Timed(run, folder, state="running")
    writer.spent, start = 0.0, time.process_time()
    while not run.finished:
        run.advance()
        writer.between_steps()
    found = writer.spent / (time.process_time() - start)
    writer.close()
    writer.join()
    return found


def long_log(folder: Path) -> None:
    """Write a log of `RECORDS` records that drift as real ones do; in one of ten, states change."""
    draw = np.random.default_rng(0)
    names = (*(f"layer {i + 1}" for i in range(LAYERS)), "output")
    states = tuple(np.zeros(WIDTH, np.uint8) for _ in names)
    log, before = Log(folder), None
    for record in range(RECORDS):
        if record % 10 == 0:
            states = tuple(draw.integers(0, 4, WIDTH).astype(np.uint8) for _ in names)
        history = History(names, capacity=8)
        columns = np.exp(draw.normal(size=(len(LAYER_MEASURES), len(names))))
        scalars = dict(zip(SCALARS, draw.random(len(SCALARS)), strict=True))
        history.append(
            record * 25, scalars, dict(zip(LAYER_MEASURES, columns, strict=True)), states
        )
        snapshot = history.snapshot()
        log.append(record_line(snapshot, 0, before).encode())
        before = snapshot.states[0]
    units = (WIDTH,) * len(names)
    manifest = Manifest(CONFIG, names, units)
    replace(manifest, standing=replace(manifest.standing, state="finished")).write(folder)


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        shares = [share(Path(place) / f"run{number}") for number in range(3)]
        print(f"keeping: {statistics.median(shares):.4f} of the CPU time of training")

        folder = Path(place) / "long"
        folder.mkdir()
        long_log(folder)
        size = (folder / LOG).stat().st_size
        print(f"1,000,000 steps of {LAYERS} layers: {size / 1e6:.1f} MB")
        opened = []
        for _ in range(5):
            start = time.process_time()
            reader = Reader(folder)
            opened.append(time.process_time() - start)
        print(
            f"opening: {statistics.median(opened):.2f} s of CPU time, "
            f"{len(reader.history)} records from step {reader.history.snapshot().steps[1]:,}"
        )

        data = (folder / LOG).read_bytes().splitlines(keepends=True)
        start = time.process_time()
        for look in range(40):  # ten seconds of four looks a second, a record each
            if look % 8 == 0:
                reader.manifest.write(folder)
            with (folder / LOG).open("ab") as log:
                log.write(data[-1])
            reader.refresh()
        print(f"following: {(time.process_time() - start) / 10:.4f} of a core")


if __name__ == "__main__":
    main()
