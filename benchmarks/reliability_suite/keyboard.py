"""A user who presses anything: random keys, pastes, mouse events, sizes and signals for the program
in a real terminal (a pty), from a seed.

Each opening meets another screen (`openings`). After each burst the terminal gets a new size, and
the program must draw within two seconds. At the end it must leave, give the terminal back, leave no
process and no traceback behind, and every run that it kept must be readable.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import termios
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.reliability_suite.forked import Forked, ForkedProcess
from benchmarks.reliability_suite.kinds import PROGRAM
from benchmarks.reliability_suite.openings import (
    HELPERS,
    OPENINGS,
    Opening,
    children,
    left_behind,
)  # fmt: skip

from caveats.runs.shelf import list_runs
from caveats_tui.keys import KEYS

__all__ = ["Session", "forked_terminal", "play"]

_HARNESS = Path(__file__).parents[2] / "tests" / "terminal" / "harness.py"
BURST = 25  # events between two looks at whether the program answers
PATIENCE = 600.0  # seconds until the first screen: a busy machine may need minutes
LONGEST = 500  # events of one opening: then the next screen has its turn
ANEW = 0.1  # the share of openings that are not forked from a process that has imported all
STORM = 100  # sizes of a terminal that is dragged
ANSWER = 2.0  # seconds
LEFT_RUNNING = b"it goes on: caveats-tui open"  # said for a command that goes on without a screen
LEAVING = 30.0  # seconds between leaving the screen and the end
BROKEN = re.compile(r"\x1b\^|\x1b\[[0-9;:<=>?]*(?=[^0-9;:<=>?\x20-\x2f@-~])")
SIZES = ((60, 16), (80, 24), (120, 40), (200, 55), (59, 15), (20, 5), (1, 1), (104, 26))
NAMED = (
    "\r", "\x1b", "\t", "\x7f", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F",
    "\x1b[5~", "\x1b[6~", "\x1b[3~", "\x1b[Z", "\x10", "\x13", "\x15", "\x1bOP",
)  # fmt: skip
# Those of the lab, and what other screens and text lines take.
LETTERS = "".join(key.shown for key in KEYS if len(key.shown) == 1) + " 1234/*nhjklmtpwbo0€ü"
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
    screens: Counter[str] = field(default_factory=Counter)  # events of each opening
    faults: Counter[str] = field(default_factory=Counter)


def play(events: int, seed: int, furnished: Path) -> Session:
    """Give the program ``events`` random events, opening it again, in another way, whenever it was
    left or has had enough. Its home is a copy of ``furnished`` (see `furnish`)."""
    rng = random.Random(seed)
    session = Session()
    names = list(OPENINGS)
    rng.shuffle(names)
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        shutil.copytree(furnished, home, dirs_exist_ok=True)
        env = {
            "HOME": place, "XDG_DATA_HOME": str(home / "data"), "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }  # fmt: skip
        forked = Forked({"PATH": os.environ["PATH"], **env})
        while session.events < events:
            name = names[session.openings % len(names)]
            session.openings += 1
            before = session.events
            program = forked if rng.random() > ANEW else None
            terminal = opened(OPENINGS[name], rng, home, env, program)
            most = min(events, before + LONGEST)
            one_opening(session, terminal, most, rng, home, name)
            for words in left_behind(home, forked.pid):
                if LEFT_RUNNING not in terminal.received:  # as the user chose
                    session.faults[f"{name}: left behind: {words}"] += 1
            session.screens[name] += session.events - before
            for log in home.rglob("lab.log"):
                text = log.read_text(errors="replace")
                if "Traceback" in text:
                    session.faults[f"{name}: in the log: {last_line(text)}"] += 1
                    log.unlink()
        forked.close()
        for entry in list_runs(home / "data" / "caveats-tui" / "runs"):
            if entry.problem:
                session.faults[f"unreadable run: {entry.problem}"] += 1
    return session


def last_line(text: str) -> str:
    """The last line that is not empty, without the frame that rich draws around a traceback."""
    said = [row.strip(" │╰─╯╭╮") for row in text.splitlines()]
    return next((row for row in reversed(said) if row), "no word")[:100]


def terminal_class() -> Any:
    """`harness.Terminal` as after ``stty -ixon``: else ctrl-s, typed while a program leaves, stops
    all output until ctrl-q, as it does with any program. As other terminals do, it gives up a
    sequence in which another character stands: while a program leaves, the line echoes keys into
    what is still written."""

    class Free(harness().Terminal):  # type: ignore[misc]
        def _start(self, argv: list[str], slave: int, environment: dict[str, str]) -> Any:
            self._free_flow(slave)
            return super()._start(argv, slave, environment)

        def _free_flow(self, slave: int) -> None:
            attributes = termios.tcgetattr(slave)
            attributes[0] &= ~termios.IXON
            termios.tcsetattr(slave, termios.TCSANOW, attributes)
            self.attributes_before = self.tty_attributes()

        def _take(self, text: str) -> None:
            whole, self._rest = self._rest + text, ""
            super()._take(BROKEN.sub("", whole))

    return Free


def forked_terminal(
    forked: Forked, argv: list[str], size: tuple[int, int], env: dict[str, str], home: Path
) -> Any:
    """A `harness.Terminal` in which `caveats-tui` runs with ``argv``, forked."""

    class Quick(terminal_class()):  # type: ignore[misc]
        def _start(self, argv: list[str], slave: int, environment: dict[str, str]) -> ForkedProcess:
            self._free_flow(slave)
            return forked.start(
                argv=argv, env=environment, folder=str(home), terminal=os.ttyname(slave)
            )

    return Quick(argv, *size, env)


def opened(
    opening: Opening, rng: random.Random, home: Path, env: dict[str, str], forked: Forked | None
) -> Any:
    """The terminal in which the program runs, forked or as a process of its own."""
    size = rng.choice(SIZES[1:4] if opening.wide else SIZES[:4])
    argv = opening.argv(home)
    if forked is not None:
        terminal = forked_terminal(forked, argv, size, env, home)
    else:
        before = os.getcwd()
        os.chdir(home)  # screenshots and recordings go there
        try:
            terminal = terminal_class()([*PROGRAM, *argv], *size, env)
        finally:
            os.chdir(before)
    os.set_blocking(terminal._master, False)  # what nobody reads must not stop the campaign
    return terminal


def one_opening(
    session: Session, terminal: Any, most: int, rng: random.Random, home: Path, name: str
) -> None:
    opening = OPENINGS[name]
    with terminal:
        try:
            terminal.wait_for(opening.ready, PATIENCE)
            for keys in opening.first:
                type_in(terminal, keys)
                settle(terminal, 0.5)
            while session.events < most and terminal.process.poll() is None:
                for _ in range(BURST):
                    one_event(terminal, rng, home)
                    session.events += 1
                if opening.own_size:
                    answer(terminal, session, rng, name)
            leave(terminal, session, opening, name)
        except (AssertionError, OSError) as error:
            if terminal.process.poll() is None or terminal.process.returncode != 0:
                first = (str(error).splitlines() or [type(error).__name__])[0]
                session.faults[f"{name}: the program did not go on: {first[:100]}"] += 1


def settle(terminal: Any, seconds: float) -> None:
    """Read what comes for ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and terminal._read(deadline):
        pass


def type_in(terminal: Any, text: str) -> None:
    """Type ``text``. What a program that has ended did not read is lost.

    Raises:
        AssertionError: if a program that goes on reads nothing for ten times `ANSWER`.
    """
    data, deadline = text.encode(), time.monotonic() + 10 * ANSWER
    while data and terminal.process.poll() is None:
        try:
            data = data[os.write(terminal._master, data) :]
        except BlockingIOError:
            terminal._read(time.monotonic() + 0.05)
        assert time.monotonic() < deadline, "no key is read"


def one_event(terminal: Any, rng: random.Random, home: Path) -> None:
    """Anything that a person, a terminal or another process does."""
    kind = rng.random()
    if kind < 0.45:
        type_in(terminal, rng.choice(LETTERS))
    elif kind < 0.7:
        type_in(terminal, rng.choice(NAMED))
    elif kind < 0.75:
        type_in(terminal, f"\x1b[200~{rng.choice(PASTES)}\x1b[201~")
    elif kind < 0.92:
        x, y = rng.randrange(1, 200), rng.randrange(1, 55)
        button = rng.choice((0, 0, 0, 2, 64, 65, 35))
        type_in(terminal, f"\x1b[<{button};{x};{y}M\x1b[<{button};{x};{y}m")
    elif kind < 0.978:
        terminal.resize(*rng.choice(SIZES))
    elif kind < 0.98:
        for _ in range(STORM):
            terminal.resize(rng.randrange(1, 200), rng.randrange(1, 60))
            terminal._read(time.monotonic())
    elif kind < 0.99:
        terminal.kill(signal.SIGSTOP)
        terminal.kill(signal.SIGCONT)
    else:
        kill_a_helper(home, rng)
    terminal._read(time.monotonic())  # take what has come, without waiting


def kill_a_helper(home: Path, rng: random.Random) -> None:
    """Kill the drawing process, that of a race or that of a map."""
    beside = [
        pid
        for pid, words in children(home).items()
        if any(f"-m {helper}" in words for helper in HELPERS)
    ]
    if beside:
        with contextlib.suppress(OSError):
            os.kill(rng.choice(beside), signal.SIGKILL)


def answer(terminal: Any, session: Session, rng: random.Random, name: str) -> None:
    """Change the size, and see how long it takes until something is drawn. The time for which the
    program waited for a processor is not counted: others may use the machine."""
    while terminal._read(time.monotonic() + 0.05):
        if terminal.process.poll() is not None:
            return
        if rng.random() < 0.02:  # a run that goes on draws for ever
            break
    deadline = time.monotonic() + LEAVING
    while not terminal.on_alternate_screen and terminal._read(deadline):
        pass
    if not terminal.on_alternate_screen:
        if terminal._open:
            session.faults[f"{name}: it left the screen, and goes on"] += 1
        return
    terminal.received.clear()  # bounded, over many thousand events
    columns = 61 + rng.randrange(100)
    columns += columns == terminal._columns  # of the same size nothing is drawn
    idle = waited(terminal.process.pid)
    start = time.monotonic()
    terminal.resize(columns, 30)
    while not terminal.received and time.monotonic() < start + 20:
        if not terminal._read(start + 20):
            break
    took = time.monotonic() - start
    if terminal.process.poll() is None:
        took = max(0.0, took - (waited(terminal.process.pid) - idle))
        session.answers.append(took)
        if took > ANSWER:
            session.faults[f"{name}: no answer within {ANSWER:g} s, but {took:.0f}"] += 1


def waited(pid: int) -> float:
    """Seconds for which a process's first thread was ready and had no processor, as Linux counts
    them; 0 where it does not."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def leave(terminal: Any, session: Session, opening: Opening, name: str) -> None:
    """Leave as a closing terminal does, and look at what is left."""
    if terminal.process.poll() is None:
        terminal.kill(signal.SIGTERM)
    code = terminal.exit_code(LEAVING)
    if code not in (0, 143, *opening.ends):
        session.faults[f"{name}: exit code {code}: {last_line(terminal.text)}"] += 1
    elif b"Traceback" in terminal.received:
        session.faults[f"{name}: a traceback: {last_line(terminal.text)}"] += 1
    try:
        terminal.assert_given_back()
    except AssertionError as error:
        session.faults[f"{name}: terminal not given back: {str(error)[:80]}"] += 1
