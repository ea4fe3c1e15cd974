"""Ctrl-c is heard while Python itself cannot handle it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

# A digest that takes hours is one operation of C, which lets other threads run: like a long step of
# torch. Python's own handler, which would raise, is called only after it.
PROGRAM = """
import hashlib, signal, sys
from caveats_tui.commands.heeding import heeding
from caveats_tui.commands.progress import ProgressLine
signal.signal(signal.SIGINT, lambda *_: None)
with heeding(ProgressLine(sys.stderr)) as heed:
    heed.patient = sys.argv[1]
    print("begun", flush=True)
    while True:
        hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 2**31 - 1)
"""


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, request.param],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert started.stdout is not None
    assert started.stdout.readline() == "begun\n"
    yield started
    started.kill()
    started.communicate()


@pytest.mark.parametrize("program", [""], indirect=True)
def test_ctrl_c_ends_one_long_operation(program: subprocess.Popen[str]) -> None:
    program.send_signal(signal.SIGINT)
    assert program.wait(120) == 130
    assert program.stderr is not None
    assert program.stderr.read() == "Interrupted\n"


@pytest.mark.parametrize("program", ["after this step"], indirect=True)
def test_where_a_step_is_to_be_finished_the_second_ctrl_c_ends_it(
    program: subprocess.Popen[str],
) -> None:
    assert program.stderr is not None
    program.send_signal(signal.SIGINT)
    assert program.stderr.readline() == "after this step\n"
    program.send_signal(signal.SIGINT)
    assert program.wait(120) == 130
    assert program.stderr.read() == "Interrupted\n"
