"""One long run under a follower: memory, open files and the size of its folder must not grow with
the number of steps."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from caveats.config import RunConfig
from caveats.run import Run
from caveats.runs.reader import Reader
from caveats.runs.writer import Writer

__all__ = ["Soak", "soak"]

CONFIG = {"data.name": "moons", "data.n": 100, "network.widths": [8], "training.batch_size": 16}


@dataclass(frozen=True, slots=True)
class Soak:
    """Megabytes of resident memory and open files a tenth into the run and at its end; megabytes of
    the folder at its end, and the records that a reader finds."""

    steps: int
    seconds: float
    memory: tuple[float, float]
    files: tuple[int, int]
    folder: float
    records: int


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))


def soak(steps: int) -> Soak:
    """Train ``steps`` steps, kept on disk and read again now and then."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        run = Run(RunConfig().changed({**CONFIG, "training.steps": steps}))
        writer = Writer(run, folder, state="running")
        early = resident(), handles()
        reader = Reader(folder)
        while not run.finished:
            run.advance()
            writer.between_steps()
            if run.step % max(1, steps // 200) == 0:
                reader.refresh()
            if run.step == max(1, steps // 10):
                early = resident(), handles()
        writer.tell("finished")
        writer.close()
        writer.join()
        late = resident(), handles()
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        records = len(Reader(folder).history)
        return Soak(
            run.step, time.monotonic() - start, (early[0], late[0]), (early[1], late[1]), size,
            records,
        )  # fmt: skip
