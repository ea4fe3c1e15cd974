"""One long run in the lab, in a real terminal: memory, open files and what is on disk must not grow
with the number of steps."""

from __future__ import annotations

import os
import re
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reliability_suite.keyboard import harness
from benchmarks.reliability_suite.kinds import PROGRAM

from caveats.runs.reader import Reader
from caveats.runs.shelf import list_runs

__all__ = ["Soak", "soak"]

SETS = ("data.name=moons", "data.n=100", "network.widths=[8]", "training.batch_size=16")
STEP = re.compile(r"step ([\d,]+)/")
DAY = 86_400.0  # seconds after which a soak is given up


@dataclass(frozen=True, slots=True)
class Soak:
    """Megabytes of resident memory and open files of the lab a tenth into the run and at its end;
    megabytes of the run's folder and of the lab's log at its end, and the records that a reader
    finds."""

    steps: int
    seconds: float
    memory: tuple[float, float]
    files: tuple[int, int]
    folder: float
    records: int
    log: float


def resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def handles(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def soak(steps: int) -> Soak:
    """Train ``steps`` steps in the lab, four charts moving."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        env = {
            "HOME": home, "XDG_DATA_HOME": str(Path(home) / "data"), "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }  # fmt: skip
        sets = [part for text in (*SETS, f"training.steps={steps}") for part in ("--set", text)]
        with harness().Terminal([*PROGRAM, *sets], 120, 40, env) as terminal:
            terminal.wait_for("paused", 600)
            terminal.send(" ")
            pid = terminal.process.pid
            early = None
            while "finished" not in terminal.screen[0] and time.monotonic() < start + DAY:
                terminal._read(time.monotonic() + 60)
                terminal.received.clear()
                found = STEP.search(terminal.screen[0])
                if early is None and found and int(found[1].replace(",", "")) >= steps // 10:
                    early = resident(pid), handles(pid)
            late = resident(pid), handles(pid)
            early = early or late
            terminal.press("q")
            terminal.exit_code(120)
        place = Path(home) / "data" / "caveats-tui" / "runs"
        (entry,) = list_runs(place)
        size = sum(path.stat().st_size for path in entry.folder.iterdir()) / 1e6
        logs = sum(path.stat().st_size for path in Path(home).rglob("lab.log")) / 1e6
        history = Reader(entry.folder).history
        return Soak(
            history.version[0], time.monotonic() - start, (early[0], late[0]), (early[1], late[1]),
            size, len(history), logs,
        )  # fmt: skip
