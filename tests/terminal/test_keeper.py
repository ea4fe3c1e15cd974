"""The process between the screen and a watched command, without a screen."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from caveats_tui.terminal.keeper import OUTPUT, start

PATIENCE = 60.0  # seconds until a failing test ends
DEAF = "import signal; print('here', flush=True); signal.pause()"  # reads nothing
READER = "import sys; print(sum(len(line) for line in sys.stdin), flush=True)"
LINE = b"x" * 3000 + b"\n"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_command_that_reads_nothing_is_ended_all_the_same_however_much_was_typed(
    number: signal.Signals, tmp_path: Path
) -> None:
    keeper = start([sys.executable, "-c", DEAF], tmp_path, (80, 8), True, dict(os.environ))
    output = tmp_path / OUTPUT
    while keeper.poll() is None and not (output.exists() and b"here" in output.read_bytes()):
        os.sched_yield()
    assert keeper.stdin is not None
    keeper.stdin.write(40 * LINE)
    keeper.stdin.flush()
    if number == signal.SIGTERM:
        keeper.send_signal(number)
        assert keeper.wait(PATIENCE) == 128 + number
    keeper.stdin.close()  # the screen is gone
    assert keeper.wait(PATIENCE) == 128 + number


@pytest.mark.parametrize("lines", [3, 40])
def test_a_command_that_reads_gets_all_that_was_typed(lines: int, tmp_path: Path) -> None:
    keeper = start([sys.executable, "-c", READER], tmp_path, (80, 8), False, dict(os.environ))
    assert keeper.stdin is not None
    keeper.stdin.write(lines * LINE + b"\x04")  # ctrl-d: the end
    keeper.stdin.flush()
    assert keeper.wait(PATIENCE) == 0
    keeper.stdin.close()
    assert (tmp_path / OUTPUT).read_text().splitlines()[-1].strip() == str(lines * len(LINE))
