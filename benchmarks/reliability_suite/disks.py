"""Disks that are full, read-only or broken: each command is run on one, and what is left is read.

The troubles are those of a small library (`faulty_disk.c`) that stands between the program and the
system's calls, for files of one folder only. No command may end with a traceback or by a signal, no
terminal may be left as it was not, and what was kept must be readable, or refused in a sentence.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.reliability_suite.forked import Forked
from benchmarks.reliability_suite.keyboard import (
    LETTERS,
    PATIENCE,
    forked_terminal,
    last_line,
    settle,
)
from benchmarks.reliability_suite.kinds import TRAINING, look_at, sound_run, sound_sweep
from benchmarks.reliability_suite.openings import left_behind

from caveats.errors import ConfigError

__all__ = ["TROUBLES", "compiled", "troubled"]

TROUBLES = {
    "disk full": errno.ENOSPC, "read-only": errno.EROFS, "input/output error": errno.EIO,
}  # fmt: skip
SHARES = (0.02, 0.2, 1.0)  # of the calls that fail
AFTER = (0, 5, 30, 200)  # calls that go well first
SMALL = ["--set", "data.name=moons", "--set", "data.n=60", "--set", "network.widths=[6, 5]"]
SHORT = [*SMALL, "--set", "training.steps=300"]


def compiled(folder: Path) -> Path | None:
    """The library, built in ``folder``; None where there is no C compiler."""
    library = folder / "faulty_disk.so"
    source = Path(__file__).with_name("faulty_disk.c")
    argv = ["cc", "-shared", "-fPIC", "-O1", "-w", "-o", str(library), str(source), "-ldl"]
    try:
        subprocess.run(argv, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return library


def commands(place: Path, home: Path) -> dict[str, list[str]]:
    """The commands that read or write ``place``, where the troubles are."""
    out = str(place / "new")
    return {
        "run": ["run", *SHORT, "--out", out],
        "run, kept": ["run", *SHORT],
        "run --fix": ["run", *SHORT, "--fix", "--json"],
        "run --resume": ["run", "--resume", str(place / "run"), "--set", "training.steps=600"],
        "watch": ["watch", "--no-screen", "--out", out, "--", sys.executable,
                  str(home / "train.py"), "300"],
        "sweep": ["sweep", "optimizer.lr=1e-3..1@3log", *SHORT, "--out", out, "--workers", "1"],
        "sweep resume": ["sweep", "resume", str(place / "sweep"), "--workers", "1"],
        "sweep status": ["sweep", "status", str(place / "sweep")],
        "sweep export": ["sweep", "export", str(place / "sweep"), "--out", f"{out}.csv"],
        "export": ["export", str(place / "run"), "--to", "csv", "--out", f"{out}.csv"],
        "export npz": ["export", str(place / "run"), "--to", "npz", "--out", f"{out}.npz"],
        "runs": ["runs", str(place)],
        "lab": SHORT,
        "lab, a kept run": ["open", str(place / "run")],
        "atlas": ["atlas", "--out", str(place / "sweep")],
    }  # fmt: skip


ON_SCREEN = ("lab", "lab, a kept run", "atlas")


def troubled(rounds: int, seed: int) -> Iterator[tuple[str, str, Counter[str]]]:
    """Run each command ``rounds`` times on each disk; yields trouble, command and the faults."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as base:
        library = compiled(Path(base))
        if library is None:
            return
        sound = Path(base) / "sound"
        sound_run(sound / "run")
        sound_sweep(sound / "sweep")
        forked = Forked({**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"})
        for number in range(rounds):
            for trouble, code in TROUBLES.items():
                for name in commands(sound, sound):
                    home = Path(base) / f"home-{number}"
                    place = home / "data" / "caveats-tui" / "runs"
                    shutil.copytree(sound, place)
                    (home / "train.py").write_text(TRAINING)
                    yield trouble, name, one(name, code, home, library, forked, rng)
                    shutil.rmtree(home)
        forked.close()


def one(
    name: str, code: int, home: Path, library: Path, forked: Forked, rng: random.Random
) -> Counter[str]:
    faults: Counter[str] = Counter()
    place = home / "data" / "caveats-tui" / "runs"
    env = {
        "PATH": os.environ["PATH"], "HOME": str(home), "XDG_DATA_HOME": str(home / "data"),
        "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1", "TERM": "xterm-256color", "LANG": "C.UTF-8",
        "LD_PRELOAD": str(library), "FAULTY_PLACE": str(home / "data"), "FAULTY_ERRNO": str(code),
        "FAULTY_SHARE": str(rng.choice(SHARES)), "FAULTY_AFTER": str(rng.choice(AFTER)),
        "FAULTY_SEED": str(rng.randrange(10**6)),
    }  # fmt: skip
    argv = commands(place, home)[name]
    if name in ON_SCREEN:
        on_screen(forked_terminal(forked, argv, (100, 30), env, home), faults, rng)
    else:
        ended, said = forked.run(argv, env, home, home / "said.txt")
        if "Traceback" in said or ended not in (0, 2, 130, 143):
            faults[f"exit code {ended}: {last_line(said)}"] += 1
    for words in left_behind(home):
        faults[f"left behind: {words}"] += 1
    for folder in (place / "new", place / "run"):
        try:
            if folder.is_dir():
                look_at(folder)
        except ConfigError:
            continue
        except Exception as error:
            faults[f"what was kept: {type(error).__name__}: {str(error)[:80]}"] += 1
    return faults


def on_screen(opened: Any, faults: Counter[str], rng: random.Random) -> None:
    """Press keys for a while, then end the program as a closing terminal does."""
    with opened as terminal:
        while terminal._read(time.monotonic() + PATIENCE) and not terminal.on_alternate_screen:
            pass
        settle(terminal, 1.0)
        deadline = time.monotonic() + 5.0
        terminal.send(" ")
        while time.monotonic() < deadline and terminal.process.poll() is None:
            terminal.send(rng.choice(LETTERS.replace("q", "")))
            settle(terminal, 0.1)
        if terminal.process.poll() is None:
            terminal.kill(signal.SIGTERM)
        code = terminal.exit_code(30)
        if code not in (0, 2, 143) or "Traceback" in terminal.text:
            faults[f"exit code {code}: {last_line(terminal.text)}"] += 1
        try:
            terminal.assert_given_back()
        except AssertionError as error:
            faults[f"terminal not given back: {str(error)[:80]}"] += 1
