"""The command line as a process of its own: exit codes, streams, signals and what it imports."""

from __future__ import annotations

import errno
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import caveats_tui.commands.runs as listing_command
from caveats_tui.cli import cli

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


def test_help_bad_input_and_the_first_paint_come_before_torch() -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = None  # importing it fails\n"
        "from caveats_tui.cli import cli\n"
        "for args in (['-h'], ['run', '-h'], ['experiments'],\n"
        "             ['run', '--set', 'optimizer.name=adma']):\n"
        "    try:\n"
        "        cli.main(args)\n"
        "    except SystemExit as ended:\n"
        "        heavy = [m for m in ('numpy', 'textual', 'plotext') if m in sys.modules]\n"
        "        print('ended', ended.code, *heavy, file=sys.stderr)\n"
        "import caveats_tui.app\n"
        "print('plotext' in sys.modules, file=sys.stderr)\n"
    )
    called = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    *ended, error, last, drawing = called.stderr.splitlines()
    assert ended == ["ended 0"] * 3
    assert error.startswith("Error: --set: optimizer.name = 'adma'")
    assert last == "ended 2"
    assert drawing == "False"


def test_python_runs_the_package_as_the_command_does() -> None:
    called = subprocess.run(
        [sys.executable, "-m", "caveats_tui", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert called.stdout.startswith("caveats-tui ")


def test_progress_is_drawn_on_a_terminal_and_taken_away_while_an_ascii_stdout_stays_pure(
    terminal: Terminal,
) -> None:
    # A network whose verdict quotes a formula, and more steps than any machine makes between two
    # updates of the line.
    program = subprocess.Popen(
        [*PROGRAM, *SHORT, "--set", "network.init=zeros", "--set", "training.steps=5000"],
        stdout=subprocess.PIPE,
        stderr=terminal.stream,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    terminal.started()
    stdout, _ = program.communicate()
    terminal.until("never written: read to the end")

    assert program.returncode == 0
    assert "symmetry" in stdout.decode("ascii")
    assert max(map(len, stdout.splitlines())) <= 80
    assert re.search(r"\r#*\.* step [\d,]+/5,000  ([\d,]+/s  )?loss ", terminal.seen)
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
        r"Interrupted at step [\d,]+ of 1,000,000,000: caveats-tui run --resume \S+ continues it",
        lines[-1],
    )
    assert terminal.seen.count("\n") == 1
    assert "Traceback" not in terminal.seen


@pytest.mark.parametrize("args", [["experiments"], ["run", "-h"]])
def test_a_reader_that_stops_reading_is_no_error(args: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    program = subprocess.Popen([*PROGRAM, *args], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    _, stderr = program.communicate()

    assert (program.returncode, stderr) == (0, b"")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.ENOSPC])
def test_a_disk_in_trouble_is_one_sentence_wherever_it_is_met(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def listing(*_: object) -> None:
        raise OSError(number, os.strerror(number), "the runs\x1b[2J")

    monkeypatch.setattr(listing_command, "list_runs", listing)
    with pytest.raises(SystemExit) as ended:
        cli.main(["runs"], "caveats-tui")
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"Error: the runs\\x1b[2J: {os.strerror(number)}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_one_sentence() -> None:
    with open("/dev/full", "w") as full:
        called = subprocess.run(
            [*PROGRAM, "experiments", "--json"], stdout=full, stderr=subprocess.PIPE, check=False
        )

    assert called.returncode == 2
    assert called.stderr == b"Error: the output cannot be written: No space left on device\n"
