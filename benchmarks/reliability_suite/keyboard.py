"""A user who presses anything: random keys, pastes, mouse events, sizes and signals for the program
in a real terminal (a pty), from a seed.

After each burst the terminal gets a new size, and the program must draw within two seconds. At the
end it must leave, give the terminal back, leave no traceback, and every run that it kept must be
readable.
"""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from caveats.runs.shelf import list_runs

__all__ = ["Session", "play"]

_HARNESS = Path(__file__).parents[2] / "tests" / "terminal" / "harness.py"
PROGRAM = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]
SETTINGS = ("data.name=moons", "data.n=200", "network.widths=[8, 8]", "training.steps=100000000")
BURST = 25  # events between two looks at whether the program answers
ANSWER = 2.0  # seconds
SIZES = ((60, 16), (80, 24), (120, 40), (200, 55), (59, 15), (20, 5), (1, 1), (104, 26))
NAMED = (
    "\r", "\x1b", "\t", "\x7f", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F",
    "\x1b[5~", "\x1b[6~", "\x1b[3~", "\x1b[Z", "\x10", "\x13", "\x15", "\x1bOP",
)  # fmt: skip
LETTERS = "aiodelRufFxgvzyc1234[],.<>+-/?*nsr hjkmtpwb0€ü"
PASTES = ("zzzz", "1x9999-" * 150, "64-64", "[link=x]y[/link]", "\x1b[31m", "a" * 10_000, "0.01")


def harness() -> Any:
    if "terminal_harness" not in sys.modules:
        spec = importlib.util.spec_from_file_location("terminal_harness", _HARNESS)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["terminal_harness"] = module
        spec.loader.exec_module(module)
    return sys.modules["terminal_harness"]


@dataclass
class Session:
    """What came of the events of one seed: how many there were, how often the program was opened,
    the seconds of each answer, and the faults."""

    events: int = 0
    openings: int = 0
    answers: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)


def play(events: int, seed: int) -> Session:
    """Give the program ``events`` random events, opening it again whenever it was left."""
    rng = random.Random(seed)
    session = Session()
    with tempfile.TemporaryDirectory() as home:
        while session.events < events:
            session.openings += 1
            one_opening(session, events, rng, Path(home))
        for entry in list_runs(Path(home) / "data" / "caveats-tui" / "runs"):
            if entry.problem:
                session.faults[f"unreadable run: {entry.problem}"] += 1
        for log in Path(home).rglob("lab.log"):
            if "Traceback" in log.read_text(errors="replace"):
                session.faults["a traceback in the log"] += 1
    return session


def one_opening(session: Session, events: int, rng: random.Random, home: Path) -> None:
    env = {
        "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    sets = [part for text in SETTINGS for part in ("--set", text)]
    before = os.getcwd()
    os.chdir(home)  # screenshots and recordings go there
    try:
        terminal = harness().Terminal([*PROGRAM, *sets], 80, 24, env)
    finally:
        os.chdir(before)
    with terminal:
        try:
            terminal.wait_for("paused")
            while session.events < events and terminal.process.poll() is None:
                for _ in range(BURST):
                    one_event(terminal, rng)
                    session.events += 1
                answer(terminal, session, rng)
            leave(terminal, session)
        except (AssertionError, OSError) as error:
            if terminal.process.poll() is None or terminal.process.returncode != 0:
                first = (str(error).splitlines() or [type(error).__name__])[0]
                session.faults[f"the program did not go on: {first[:100]}"] += 1


def one_event(terminal: Any, rng: random.Random) -> None:
    """Anything that a person, a terminal or another process does."""
    kind = rng.random()
    if kind < 0.45:
        terminal.send(rng.choice(LETTERS))
    elif kind < 0.7:
        terminal.send(rng.choice(NAMED))
    elif kind < 0.75:
        terminal.send(f"\x1b[200~{rng.choice(PASTES)}\x1b[201~")
    elif kind < 0.92:
        x, y = rng.randrange(1, 200), rng.randrange(1, 55)
        button = rng.choice((0, 0, 0, 2, 64, 65, 35))
        terminal.send(f"\x1b[<{button};{x};{y}M\x1b[<{button};{x};{y}m")
    elif kind < 0.98:
        terminal.resize(*rng.choice(SIZES))
    elif kind < 0.99:
        terminal.kill(signal.SIGSTOP)
        terminal.kill(signal.SIGCONT)
    else:
        kill_charts(terminal)
    terminal._read(time.monotonic())  # take what has come, without waiting


def kill_charts(terminal: Any) -> None:
    """Kill the drawing process, the only child."""
    pid = terminal.process.pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
    except OSError:
        return


def answer(terminal: Any, session: Session, rng: random.Random) -> None:
    """Change the size, and see how long it takes until something is drawn."""
    while terminal._read(time.monotonic() + 0.05):
        if terminal.process.poll() is not None:
            return
        if rng.random() < 0.02:  # a run that goes on draws for ever
            break
    columns = 61 + rng.randrange(100)
    before, start = len(terminal.received), time.monotonic()
    terminal.resize(columns, 30)
    while len(terminal.received) == before and time.monotonic() < start + 20:
        if not terminal._read(start + 20):
            break
    took = time.monotonic() - start
    if terminal.process.poll() is None:
        session.answers.append(took)
        if took > ANSWER:
            session.faults[f"no answer within {ANSWER:g} s"] += 1
    terminal.received[:-1] = b""  # bounded, over many thousand events


def leave(terminal: Any, session: Session) -> None:
    """Leave as a person does, and look at what is left."""
    if terminal.process.poll() is None:
        terminal.kill(signal.SIGTERM)
    code = terminal.exit_code(30)
    if code not in (0, 143):
        said = [row.strip(" │╰─╯") for row in terminal.text.splitlines()]
        last = next((row for row in reversed(said) if row), "no word")
        session.faults[f"exit code {code}: {last[:100]}"] += 1
    try:
        terminal.assert_given_back()
    except AssertionError as error:
        session.faults[f"terminal not given back: {str(error)[:80]}"] += 1
