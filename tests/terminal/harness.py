"""A terminal for tests: runs a program on a real pty and shows what a user would see.

pyte draws the cells. It has only one screen and prints sequences that it does not know. So the
stream is cut into sequences here: the harness itself keeps the alternate screen and the private
modes, and passes on only what pyte understands.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import pyte

__all__ = ["KEYS", "PATIENCE", "Cell", "Terminal"]

# Seconds until a test that waits in vain fails: a machine with much else to do may take a minute
# for what takes a second on one that is idle. One that passes returns as soon as it can.
PATIENCE = 120.0

KEYS = {
    "enter": "\r", "escape": "\x1b", "tab": "\t", "space": " ", "backspace": "\x7f",
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
    "home": "\x1b[H", "end": "\x1b[F", "pageup": "\x1b[5~", "pagedown": "\x1b[6~",
    "ctrl+c": "\x03", "ctrl+p": "\x10", "ctrl+q": "\x11", "ctrl+r": "\x12", "ctrl+s": "\x13",
    "ctrl+z": "\x1a", "shift+tab": "\x1b[Z",
}  # fmt: skip

# A login starts with an environment of its own: nothing of the person who runs the tests.
_ENVIRONMENT = ("PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR")

# The program's session must own the terminal, or no hang-up and no resize would be told to it. A
# session's leader gets the first terminal that it opens (a preexec_fn would fork beside threads).
_OWN = """
import os, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))
os.execvp(sys.argv[1], sys.argv[1:])
"""

_SEQUENCE = re.compile(
    r"""
    \x1b\[ (?P<private>[<=>?]*) (?P<numbers>[0-9;:]*) (?P<between>[\x20-\x2f]*) (?P<final>[@-~])
    | \x1b[\]PX^_] (?:[^\x07\x1b]|\x1b(?!\\))* (?:\x07|\x1b\\)
    | \x1b[\x20-\x2f]* [0-OQ-WYZ\\`-~]
    | [^\x1b]+
    """,
    re.VERBOSE,
)


class Cell(NamedTuple):
    """One cell: colours as pyte names them (``ff8700``, ``red``, ``default``)."""

    text: str
    foreground: str
    background: str
    bold: bool
    reverse: bool


class Terminal:
    """``argv`` running on a pty of ``columns`` × ``rows``. A context manager: leaving it kills
    what still runs.

    Every wait reads the terminal as long as needed and returns at once when what it waits for is
    there; ``timeout`` (seconds) only bounds how long a failing test hangs.
    """

    def __init__(
        self,
        argv: Sequence[str],
        columns: int = 80,
        rows: int = 24,
        env: Mapping[str, str | None] | None = None,
    ) -> None:
        environment: dict[str, str] = {
            name: os.environ[name] for name in _ENVIRONMENT if name in os.environ
        } | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        for name, value in (env or {}).items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        self.received = bytearray()
        self.modes: dict[int, bool] = {}  # private modes by number, as last set
        self.keyboards = 0  # how deep the stack of kitty keyboard modes is
        self._columns, self._rows = columns, rows
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._primary = _Eyes(columns, rows)
        self._alternate: _Eyes | None = None
        self._master: int | None
        self._master, slave = os.openpty()
        self._set_size()
        self.attributes_before = self.tty_attributes()
        self._open = True
        try:
            self.process = self._start(argv, slave, environment)
        finally:
            os.close(slave)

    def _start(
        self, argv: Sequence[str], slave: int, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """``argv`` as the leader of a session of its own that owns the terminal ``slave``."""
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _OWN, *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hangup()

    # what a person sees

    @property
    def screen(self) -> list[str]:
        """The rows of the screen, each as wide as the terminal."""
        return list(self._eyes.screen.display)

    @property
    def text(self) -> str:
        """The screen as one string, without what is blank at the end of rows."""
        return "\n".join(row.rstrip() for row in self.screen)

    def cell(self, x: int, y: int) -> Cell:
        """The cell at column ``x``, row ``y``, from 0."""
        char = self._eyes.screen.buffer[y][x]
        return Cell(char.data, char.fg, char.bg, char.bold, char.reverse)

    @property
    def on_alternate_screen(self) -> bool:
        return self._alternate is not None

    @property
    def switched_on(self) -> set[int]:
        """The private modes in force other than the two that every terminal starts with (wrap 7
        and the cursor 25); one of these switched off is listed as its negative."""
        usual = {7, 25}
        return {number for number, on in self.modes.items() if on and number not in usual} | {
            -number for number in usual if not self.modes.get(number, True)
        }

    @property
    def clipboard(self) -> str | None:
        """What was last sent to the clipboard by OSC 52, None where nothing was."""
        sent = re.findall(rb"\x1b\]52;c?;([A-Za-z0-9+/=]*)(?:\x07|\x1b\\)", self.received)
        return base64.b64decode(sent[-1], validate=True).decode() if sent else None

    # what a person does

    def send(self, text: str) -> None:
        """Type ``text``."""
        assert self._master is not None
        os.write(self._master, text.encode())

    def press(self, *keys: str) -> None:
        """Press keys by name (see `KEYS`), or by the character they type.

        If a key follows escape within 0.1 s, any terminal program takes both together as alt and
        that key; on a busy machine this can happen after any delay. So press escape last, and wait
        for its effect.
        """
        assert "escape" not in keys[:-1], "wait for what escape does before the next key"
        for key in keys:
            self.send(KEYS.get(key, key))

    def resize(self, columns: int, rows: int) -> None:
        self._columns, self._rows = columns, rows
        for eyes in (self._primary, self._alternate):
            if eyes is not None:
                eyes.screen.resize(rows, columns)
        self._set_size()

    def hangup(self) -> None:
        """The connection drops."""
        if self._master is not None:
            os.close(self._master)
            self._master = None
            self._open = False

    def kill(self, number: int) -> None:
        """Send the program a signal."""
        self.process.send_signal(number)

    def stopped(self) -> None:
        """Wait until the program is stopped by a signal, as by ctrl-z. What it writes until then is
        read: a program whose terminal takes nothing any more cannot stop."""
        deadline = time.monotonic() + PATIENCE
        found, status = 0, 0
        while not found:
            assert time.monotonic() < deadline, f"goes on:\n{self.text}"
            self._read(time.monotonic() + 0.05)
            found, status = os.waitpid(self.process.pid, os.WUNTRACED | os.WNOHANG)
        assert os.WIFSTOPPED(status), f"ended instead: {status}\n{self.text}"

    # waiting

    def wait_for(
        self, wanted: str | Callable[[Terminal], object], timeout: float = PATIENCE
    ) -> None:
        """Read until ``wanted`` is on the screen, or is true of this terminal."""

        def there() -> object:
            return wanted in self.text if isinstance(wanted, str) else wanted(self)

        deadline = time.monotonic() + timeout
        while not there():
            if not self._read(deadline):
                end = "the program ended" if not self._open else f"{timeout:g} s passed"
                said = repr(wanted) if isinstance(wanted, str) else "it"
                raise AssertionError(f"{end} without {said}:\n{self.text}")

    def exit_code(self, timeout: float = PATIENCE) -> int:
        """Read until the program and its children are gone, and return its exit code: as in
        `subprocess`, negative for the signal that killed it."""
        deadline = time.monotonic() + timeout
        while self._open:
            if not self._read(deadline) and self._open:
                raise AssertionError(f"still running after {timeout:g} s:\n{self.text}")
        return self.process.wait(max(0.0, deadline - time.monotonic()))

    def tty_attributes(self) -> list[Any]:
        """The line discipline's settings (termios), also after the program has ended."""
        assert self._master is not None
        return termios.tcgetattr(self._master)

    def assert_given_back(self) -> None:
        """Check that settings, screen, cursor, mouse and keyboard are as they were before the
        program."""
        attributes = self.tty_attributes()
        assert attributes == self.attributes_before, f"settings of the line are {attributes}"
        assert not self.on_alternate_screen, "still on the alternate screen"
        assert not self.switched_on, f"modes left behind: {self.switched_on}"
        assert not self.keyboards, "the kitty keyboard's modes are left behind"

    # the machine below

    @property
    def _eyes(self) -> _Eyes:
        return self._alternate or self._primary

    def _set_size(self) -> None:
        assert self._master is not None
        size = struct.pack("HHHH", self._rows, self._columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def _read(self, deadline: float) -> bool:
        """Take in what the program wrote next; False at its end or at the deadline."""
        if not self._open or self._master is None:
            return False
        wait = max(0.0, deadline - time.monotonic())
        if not select.select([self._master], [], [], wait)[0]:
            return False
        data = b""
        with contextlib.suppress(OSError):  # EIO: nobody holds the other end any more
            data = os.read(self._master, 1 << 16)
        if not data:
            self._open = False
            return False
        self.received += data
        self._take(self._decoder.decode(data))
        return True

    def _take(self, text: str) -> None:
        text = self._rest + text
        done = 0
        while match := _SEQUENCE.match(text, done):
            done = match.end()
            self._apply(match)
        self._rest = text[done:]
        # An OSC may be long: one that fills the clipboard has 100,000 characters.
        most = 1 << 20 if self._rest.startswith("\x1b]") else 4096
        assert len(self._rest) < most, f"no sequence known: {self._rest[:40]!r}"

    def _apply(self, match: re.Match[str]) -> None:
        final, private = match["final"], match["private"]
        if final is None:
            if not match[0].startswith(("\x1b]", "\x1bP", "\x1bX", "\x1b^", "\x1b_")):
                self._eyes.stream.feed(match[0])
        elif private == "?" and final in "hl" and not match["between"]:
            for number in match["numbers"].split(";"):
                self._set_mode(int(number), final == "h")
        elif private == ">" and final == "u":
            self.keyboards += 1
        elif private == "<" and final == "u":
            self.keyboards = max(0, self.keyboards - int(match["numbers"] or 1))
        elif not private and not match["between"]:
            self._eyes.stream.feed(match[0])

    def _set_mode(self, number: int, on: bool) -> None:
        self.modes[number] = on
        if number == 1049 and on != self.on_alternate_screen:
            self._alternate = _Eyes(self._columns, self._rows) if on else None
        elif number == 7:
            self._eyes.stream.feed(f"\x1b[?7{'h' if on else 'l'}")


class _Eyes:
    """One screen of the two that a terminal has."""

    def __init__(self, columns: int, rows: int) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.Stream(self.screen)
