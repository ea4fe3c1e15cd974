"""The command line as a process of its own: exit codes, streams, signals and what it imports."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

# SIGINT at its default: a shell that starts the tests in the background has it ignored.
PROGRAM = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from caveats_tui.cli import main; main()",
)
SHORT = ("run", "--set", "training.steps=30", "--set", "data.name=moons", "--device", "cpu")


class Terminal:
    """A pty: ``stream`` is the program's end, `seen` what it has written."""

    def __init__(self) -> None:
        self._ours, self.stream = pty.openpty()
        self.seen = ""

    def started(self) -> None:
        os.close(self.stream)

    def until(self, pattern: str) -> None:
        """Read until ``pattern`` was written, or the program has closed its end."""
        while not re.search(pattern, self.seen):
            ready, _, _ = select.select([self._ours], [], [], 60)
            assert ready, f"no {pattern!r} in {self.seen!r}, and nothing more for a minute"
            try:
                self.seen += os.read(self._ours, 4096).decode()
            except OSError:  # EIO: nobody holds the other end any more
                break

    def close(self) -> None:
        os.close(self._ours)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal()
    yield opened
    opened.close()


def test_bad_input_ends_in_2_and_torch_is_never_loaded_for_it() -> None:
    spoiled = "import sys; sys.modules['torch'] = None; from caveats_tui.cli import main; main()"
    called = subprocess.run(
        [sys.executable, "-c", spoiled, "run", "--set", "optimizer.name=adma"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (called.returncode, called.stdout) == (2, "")
    assert called.stderr.startswith("Error: --set: optimizer.name = 'adma'")
    assert called.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("from caveats_tui.cli import cli; cli.main(['-h'])", ()),
        ("from caveats_tui.cli import cli; cli.main(['run', '-h'])", ()),
        ("import caveats_tui.app, sys; sys.exit(0)", ("textual",)),
    ],
)
def test_help_and_the_first_paint_come_before_torch(code: str, allowed: tuple[str, ...]) -> None:
    report = (
        "import atexit, sys\n"
        "heavy = ('torch', 'textual', 'plotext')\n"
        "loaded = lambda: print(*[m for m in heavy if m in sys.modules], file=sys.stderr)\n"
        "atexit.register(loaded)\n"
    )
    called = subprocess.run(
        [sys.executable, "-c", report + code], capture_output=True, text=True, check=True
    )

    assert tuple(called.stderr.split()) == allowed


def test_progress_is_drawn_on_a_terminal_and_taken_away_while_stdout_stays_pure(
    terminal: Terminal,
) -> None:
    program = subprocess.Popen(
        [*PROGRAM, *SHORT, "--json"], stdout=subprocess.PIPE, stderr=terminal.stream
    )
    terminal.started()
    stdout, _ = program.communicate()
    terminal.until("never written: read to the end")

    assert program.returncode == 0
    assert json.loads(stdout)["steps"] == 30
    assert re.search(r"\r\S+ step \d+/30  loss ", terminal.seen)
    assert "\x1b" not in terminal.seen
    *_, last, rest = terminal.seen.split("\r")
    assert (last.strip(), rest) == ("", "")
    assert max(map(len, terminal.seen.split("\r"))) < 80


def test_ctrl_c_ends_a_run_with_one_line_and_130(terminal: Terminal) -> None:
    program = subprocess.Popen(
        [*PROGRAM, "run", "--set", "training.steps=1000000000", "--set", "data.name=moons"],
        stdout=subprocess.PIPE,
        stderr=terminal.stream,
    )
    terminal.started()
    terminal.until(r"step [\d,]+/1,000,000,000  [\d,]+/s")
    program.send_signal(signal.SIGINT)
    stdout, _ = program.communicate()
    terminal.until("never written: read to the end")

    assert (program.returncode, stdout) == (130, b"")
    shown = [part.strip() for part in terminal.seen.replace("\n", "\r").split("\r")]
    lines = [part for part in shown if part]
    assert re.fullmatch(
        r"Interrupted at step [\d,]+ of 1,000,000,000: caveats-tui run --resume \S+ goes on",
        lines[-1],
    )
    assert terminal.seen.count("\n") == 1
    assert "Traceback" not in terminal.seen


def test_a_reader_that_has_gone_is_not_complained_about() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    program = subprocess.Popen([*PROGRAM, *SHORT, "--json"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    _, stderr = program.communicate()

    assert stderr == b""


def test_a_stream_of_ascii_gets_ascii() -> None:
    # A network whose verdict quotes a formula.
    called = subprocess.run(
        [*PROGRAM, *SHORT, "--set", "network.init=zeros"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )

    assert (called.returncode, called.stderr) == (0, "")
    assert "symmetry" in called.stdout
    assert called.stdout.isascii()
    assert max(map(len, called.stdout.splitlines())) <= 80
