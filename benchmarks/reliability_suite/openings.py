"""The ways in which the campaign opens the program, so that every screen of it is met."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reliability_suite.kinds import (
    TRAINING,
    sound_cast,
    sound_csv,
    sound_npz,
    sound_run,
    sound_sweep,
    watched_run,
)  # fmt: skip

__all__ = ["OPENINGS", "Opening", "children", "furnish", "left_behind"]

SMALL = ("data.name=moons", "data.n=200", "network.widths=[8, 8]")
ENDLESS = ("training.steps=100000000",)
FAILS = ("optimizer.name=adam", "optimizer.lr=3", "training.steps=60", "network.init=he_normal")
# What the program starts beside itself; killed at random they must not take it along.
HELPERS = ("caveats_tui.charts", "caveats.trials", "caveats.sweeps")


@dataclass(frozen=True)
class Opening:
    """One way: the words after `caveats-tui`, of the folder that `furnish` has filled; the text by
    which it is there; the keys that are pressed first. ``own_size`` is False where nothing is drawn
    anew for a new size, ``wide`` is True where 80×24 is the least, ``ends`` has exit codes of its
    own."""

    argv: Callable[[Path], list[str]]
    ready: str = "paused"
    first: tuple[str, ...] = ()
    own_size: bool = True
    wide: bool = False
    ends: tuple[int, ...] = ()


def sets(*texts: str) -> list[str]:
    return [part for text in (*SMALL, *texts) for part in ("--set", text)]


def watching(home: Path) -> list[str]:
    out = home / f"watched-{time.monotonic_ns()}"
    return ["watch", "--out", str(out), "--", sys.executable, str(home / "train.py"), "100000000"]


AXES = ["--x", "optimizer.lr=1e-3..1@8log", "--y", "network.depth=1..4"]

OPENINGS: dict[str, Opening] = {
    "lab": Opening(lambda home: sets(*ENDLESS)),
    "lab, a file of one's own": Opening(
        lambda home: sets(*ENDLESS), first=("d", "own", "\r", "data", "\x1b[B", "\r")
    ),
    "lab, the axes of a map": Opening(lambda home: sets("training.steps=40"), first=("m",)),
    "lab, a map": Opening(lambda home: sets("training.steps=40"), first=("m", "\r", "\r")),
    "lab, a failed run and the race": Opening(lambda home: sets(*FAILS), first=(" ",)),
    "kept run": Opening(lambda home: ["open", str(home / "run")], "finished"),
    "replay": Opening(lambda home: ["open", str(home / "run"), "--play"], "step"),
    "watched command": Opening(
        watching, "running", ends=(1, 129, 130, 131, 137, 143, 241, 255, -15, -9, -1)
    ),
    "watched run, kept": Opening(lambda home: ["open", str(home / "seen")], "finished"),
    "atlas of a sweep": Opening(lambda home: ["atlas", "--out", str(home / "sweep")], "9 of 9"),
    "atlas, filling": Opening(
        lambda home: ["atlas", *AXES, *sets("training.steps=40"), "--out",
                      str(home / f"map-{time.monotonic_ns()}")], " of 32",
    ),
    "demo": Opening(lambda home: ["demo", "dying_relu"], "A sound network"),
    "player": Opening(
        lambda home: ["play", "--speed", "0.05", str(home / "session.cast")], "step",
        own_size=False, wide=True, ends=(-15,),
    ),
}  # fmt: skip


def furnish(home: Path) -> None:
    """Put what the openings need into ``home``."""
    sound_run(home / "run")
    watched_run(home / "seen")
    sound_sweep(home / "sweep")
    sound_csv(home / "data.csv")
    sound_npz(home / "data.npz")
    sound_cast(home / "session.cast")
    (home / "train.py").write_text(TRAINING)


def children(home: Path, besides: int = 0) -> dict[int, str]:
    """The processes that have this home, each with its command line; not the one of number
    ``besides``."""
    mark, found = f"HOME={home}".encode(), {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) not in (os.getpid(), besides):
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    if words:  # else it has ended, and waits to be taken away
                        found[int(entry.name)] = words.decode(errors="replace")
    return found


def left_behind(home: Path, besides: int = 0, patience: float = 10.0) -> list[str]:
    """The command lines of processes that are still there ``patience`` seconds after the program
    has ended; they are killed."""
    deadline = time.monotonic() + patience
    while (found := children(home, besides)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in found:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return [" ".join(words.split()[1:4])[:60] for words in found.values()]
