"""The lab behind a slow line: how long a key takes to be seen where little gets through."""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.reliability_suite.keyboard import PATIENCE, harness, settle, waited
from benchmarks.reliability_suite.kinds import PROGRAM

__all__ = ["SlowLine", "over_a_slow_line"]

RATE = 10_000  # bytes a second
DELAY = 0.3  # seconds there and back
WINDOWS = (("?", "─ help ─"), ("i", "choose: "), ("e", "─ experiments ─"), ("L", "kept runs"))
SETS = ("data.name=moons", "data.n=200", "network.widths=[8, 8]", "training.steps=100000000")


@dataclass
class SlowLine:
    """Seconds from a key to the last of what it shows, by the key; the least bytes a second that
    came while it trained; the faults."""

    windows: list[float] = field(default_factory=list)
    moves: list[float] = field(default_factory=list)
    rate: float = 0.0
    faults: list[str] = field(default_factory=list)


def slow_terminal(argv: list[str], columns: int, rows: int, env: dict[str, str]) -> Any:
    """A `harness.Terminal` that reads `RATE` bytes a second, and shows them `DELAY` later."""

    class Slow(harness().Terminal):  # type: ignore[misc]
        _since = 0.0

        @property
        def held(self) -> deque[tuple[float, bytes]]:
            """What was read and is not seen yet, each with the time from which on it is."""
            return self.__dict__.setdefault("_held", deque())  # type: ignore[no-any-return]

        def _read(self, deadline: float) -> bool:
            held = self.held
            while True:
                now = time.monotonic()
                if held and held[0][0] <= now:
                    data = held.popleft()[1]
                    self.received += data
                    self._take(self._decoder.decode(data))
                    return True
                if not held and not (self._open and self._master is not None):
                    return False
                if now >= deadline:
                    return False
                allowed = int((now - max(self._since, now - 0.05)) * RATE)
                if self._open and allowed >= 100 and select.select([self._master], [], [], 0)[0]:
                    try:
                        data = os.read(self._master, allowed)
                    except OSError:  # nobody holds the other end any more
                        data = b""
                    self._since = now
                    if data:
                        held.append((now + DELAY, data))
                    else:
                        self._open = False
                else:
                    time.sleep(0.005)

    return Slow(argv, columns, rows, env)


def over_a_slow_line(columns: int, rows: int, times: int) -> SlowLine:
    """Open windows and move in the setup list ``times`` times while the lab trains."""
    seen = SlowLine()
    with tempfile.TemporaryDirectory() as home:
        env = {
            "HOME": home, "XDG_DATA_HOME": str(Path(home) / "data"), "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }  # fmt: skip
        sets = [part for text in SETS for part in ("--set", text)]
        with slow_terminal([*PROGRAM, *sets], columns, rows, env) as terminal:
            try:
                terminal.wait_for("paused", PATIENCE)
                terminal.send(" ")
                terminal.wait_for("running")
                settle(terminal, 5.0)
                before, start = len(terminal.received), time.monotonic()
                deadline = start + 10.0
                while time.monotonic() < deadline:
                    terminal._read(deadline)
                seen.rate = (len(terminal.received) - before) / 10.0
                for number in range(times):
                    key, text = WINDOWS[number % len(WINDOWS)]
                    seen.windows.append(until(terminal, key, lambda t, w=text: w in t.text))
                    until(
                        terminal,
                        "\x1b",
                        lambda t, w=text: w not in t.text and "activation" in t.text,
                    )
                    settle(terminal, 2.0)
                    line = next(i for i, row in enumerate(terminal.screen) if "activation" in row)
                    x = terminal.screen[line].index("activation")
                    paint = [terminal.cell(x, y).background for y in range(rows)]
                    seen.moves.append(
                        until(terminal, "\x1b[B" if number % 2 == 0 else "\x1b[A",
                              lambda t, was=paint, at=x: [
                                  t.cell(at, y).background for y in range(rows)] != was)
                    )  # fmt: skip
                terminal.kill(signal.SIGTERM)
                terminal.exit_code(60)
                while terminal.held:  # what is still on its way when the line has ended
                    terminal._read(time.monotonic() + 2 * DELAY)
                terminal.assert_given_back()
            except AssertionError as error:
                seen.faults.append(str(error).splitlines()[0][:100])
    return seen


def until(terminal: Any, keys: str, true: Any) -> float:
    """Seconds from ``keys`` until it is ``true``, less those for which the program waited for a
    processor."""
    idle, start = waited(terminal.process.pid), time.monotonic()
    terminal.send(keys)
    terminal.wait_for(true, PATIENCE)
    return max(0.0, time.monotonic() - start - (waited(terminal.process.pid) - idle))
