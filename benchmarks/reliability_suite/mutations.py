"""Files from strangers: sound ones, changed at random, given to every reader that takes them.

A reader may read the file or raise `ConfigError`; anything else is a fault, and so is a sentence
that a terminal could not show.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from caveats.config import RunConfig
from caveats.data import load
from caveats.errors import ConfigError
from caveats.run import Run
from caveats.runs.reader import Reader
from caveats.runs.resuming import restore
from caveats.runs.shelf import list_runs
from caveats.runs.writer import Writer
from caveats.verdicts import judge
from caveats_tui.charts.figures import FIGURES
from caveats_tui.charts.spec import Look
from caveats_tui.charts.trace import Trace
from caveats_tui.recording.cast import read_cast
from caveats_tui.recording.player import Player
from caveats_tui.screens.lab.panel import readout

__all__ = ["KINDS", "Outcome", "mutated", "try_files"]

# Words that mean something to one of the readers.
WORDS = (
    b"null", b"1e999", b"-1", b"nan", b"NaN", b"inf", b"0", b"9" * 40, b"[link=x]y[/link]", b"[/]",
    b"\x1b[2J", b'"', b"{", b"]", b"\n", b",", b"=", b"\x00", b"\xff", b"1x9999-" * 40, b"true",
    "\u202e".encode(), b"[network]\nwidths = [1]\n", b'"units":[null]', b"../../x",
)  # fmt: skip


@dataclass
class Outcome:
    """How many files were tried, read and refused, and each kind of fault with its number."""

    tried: int = 0
    read: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        return self.tried - self.read - self.faults.total()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """``data`` with one to three changes: bytes replaced, cut out, doubled, or made a word."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(changed) + 1)
        to = min(len(changed), at + rng.choice((1, 1, 1, 4, 20, 200)))
        kind = rng.randrange(6)
        if kind == 0:
            changed[at:to] = rng.randbytes(to - at)
        elif kind == 5:
            changed[at:to] = bytes(rng.choices(b"0123456789.-eE_ abc", k=to - at))
        elif kind == 1:
            del changed[at:to]
        elif kind == 2:
            changed[at:at] = changed[at:to]
        elif kind == 3:
            changed[at:to] = rng.choice(WORDS)
        else:
            changed[at:at] = rng.choice(WORDS)
    return bytes(changed)


def sound_run(folder: Path) -> None:
    config = RunConfig().changed(
        {"data.name": "moons", "data.n": 60, "network.widths": [6, 5], "training.steps": 12}
    )
    run = Run(config, every=1)
    writer = Writer(run, folder)
    while not run.finished:
        run.advance()
    writer.tell("finished")
    writer.close()
    if not writer.join() or writer.problem:
        raise RuntimeError(writer.problem)


def look_at(folder: Path) -> None:
    """Everything that the lab does with a folder, without its screen."""
    list_runs(folder.parent)
    reader = Reader(folder)
    config = reader.config
    history = reader.history
    judge(history)
    trace = Trace(history.snapshot(), history.layers, config.training.steps, None, None, history)
    look = Look(60, 15, True, True, "braille")
    for view, figure in FIGURES.items():
        figure.make(trace, trace, look, None)
        if len(trace.snapshot):
            readout(view, trace.snapshot)


def play(path: Path) -> None:
    player = Player(read_cast(path), lambda text: None, (100, 40))
    player.seek(1e9)


def sound_csv(path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(40, 2))]
    path.write_text("\n".join(["first,second,answer", *rows]) + "\n")


def sound_npz(path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(path, x=rng.normal(size=(40, 3)), y=rng.integers(0, 2, 40))


def sound_cast(path: Path) -> None:
    lines = ['{"version": 2, "width": 80, "height": 24, "title": "a run"}']
    lines += [f'[{i / 10}, "o", "\\u001b[{i};1Hstep {i}\\r\\n"]' for i in range(1, 20)]
    path.write_text("\n".join(lines) + "\n")


def sound_config(path: Path) -> None:
    path.write_text(RunConfig().to_toml())


@dataclass(frozen=True)
class Kind:
    """One kind of file: ``make`` writes a sound one at a path, ``read`` gives one to its readers;
    of a folder, one file at a time is changed."""

    make: Callable[[Path], None]
    read: Callable[[Path], object]
    name: str


def read_data(path: Path) -> object:
    target = {"target": "answer"} if path.suffix == ".csv" else {}
    return load({"file": str(path), **target})


KINDS: dict[str, Kind] = {
    "run folders, looked at": Kind(sound_run, look_at, "run"),
    "run folders, resumed": Kind(sound_run, restore, "run"),
    "configs": Kind(sound_config, RunConfig.read, "config.toml"),
    "csv files": Kind(sound_csv, read_data, "data.csv"),
    "npz files": Kind(sound_npz, read_data, "data.npz"),
    "recordings": Kind(sound_cast, play, "session.cast"),
}


def try_files(kind: Kind, count: int, seed: int) -> Outcome:
    """Give ``count`` changed files of one kind to their reader."""
    rng = random.Random(seed)
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as place:
        sound = Path(place) / "sound" / kind.name
        sound.parent.mkdir()
        kind.make(sound)
        kind.read(sound)  # a sound one must be read
        for _ in range(count):
            path = Path(place) / "tried" / kind.name
            path.parent.mkdir()
            if sound.is_dir():
                shutil.copytree(sound, path)
                target = rng.choice(sorted(p for p in path.iterdir() if p.is_file()))
            else:
                shutil.copy(sound, path)
                target = path
            target.write_bytes(mutated(target.read_bytes(), rng))
            judge_reading(kind, path, outcome)
            shutil.rmtree(path.parent)
    return outcome


def judge_reading(kind: Kind, path: Path, outcome: Outcome) -> None:
    outcome.tried += 1
    try:
        kind.read(path)
        outcome.read += 1
    except ConfigError as error:
        if not str(error).isprintable():
            outcome.faults["a sentence that cannot be shown"] += 1
        elif len(str(error)) > 2000:
            outcome.faults["a sentence of more than 2,000 characters"] += 1
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        outcome.faults[f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}"] += 1
