"""What the open lab costs and how fast it answers, in a real terminal of 120×40 at the default
pace.

``python -m benchmarks.lab [--seconds S]`` (about 4 S seconds). The same training runs without a
screen (`caveats-tui run`), in the lab with four moving charts, and without a screen again; the
ratio compares steps a second. Then keys are pressed while it trains, and the time from the key to
the bytes that move the cursor of the setup list is measured, and the time until a window has been
opened. Bytes are counted where the terminal reads them.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import random
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

COLUMNS, ROWS = 120, 40
PROGRAM = (sys.executable, "-c", "from caveats_tui.cli import main; main()")
KEYS = 80
OPENINGS = 5
QUIET = 5.0  # seconds without a change in which bytes are counted
# Windows: the key that opens each, and what stands nowhere but in it.
WINDOWS = {"help": ("?", "here, in the setup"), "picker": ("a", "enter takes"),
           "explanation": ("x", "what to try, the")}  # fmt: skip
EACH_WINDOW = 14
# Neighbours in the setup list whose names appear nowhere else on the screen.
LINES = ("dropout", "clip norm")


class Terminal:
    """A program on a pty whose output is read at once, as by a fast terminal."""

    def __init__(self, *arguments: str) -> None:
        self.begun = time.perf_counter()
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="", LANG="C.UTF-8")
            os.execv(PROGRAM[0], [*PROGRAM, *arguments])
        size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)
        self.bytes = 0
        self.text = ""  # output since `forget`

    def forget(self) -> None:
        self.text = ""

    def read(self, seconds: float) -> bool:
        """Read the output of the next ``seconds``; False if there was none."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            raise EOFError from None
        self.bytes += len(data)
        self.text += data.decode("utf-8", "replace")
        return True

    def until(self, pattern: str, seconds: float = 120.0) -> float:
        """Wait for ``pattern`` in the output; returns the time at which it came."""
        deadline = time.perf_counter() + seconds
        while not re.search(pattern, self.text):
            if not self.read(deadline - time.perf_counter()):
                raise SystemExit(f"{pattern!r} never came")
        return time.perf_counter()

    def watch(self, seconds: float) -> int:
        """The number of bytes that come within ``seconds``."""
        before, deadline = self.bytes, time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self.read(left)
        return self.bytes - before

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def memory(self) -> dict[str, float]:
        """Resident MB of the program and of its drawing process."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        pids = {"app": str(self.pid), "drawing": children[0] if children else ""}
        return {name: resident(pid) for name, pid in pids.items() if pid}

    def cpu(self) -> float:
        """Seconds of CPU that the program has used, all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        try:
            while True:
                self.read(10)
        except EOFError:
            os.waitpid(self.pid, 0)


def resident(pid: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


def without_screen(steps: int) -> float:
    """Steps a second of `caveats-tui run`."""
    done = subprocess.run(
        [*PROGRAM, "run", "--json", "--set", f"training.steps={steps}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(json.loads(done.stdout)["steps_per_second"])


def opened(steps: int, *more: str) -> tuple[Terminal, float, bool, float]:
    """The lab, the seconds to its first whole frame, whether that came before torch was loaded, and
    the CPU seconds that it took (the time on a machine with nothing else to do)."""
    terminal = Terminal(*more, "--set", f"training.steps={steps}")
    painted = terminal.until("quit")  # the end of the footer, the last line
    used = terminal.cpu()
    early = "loading torch" in terminal.text
    terminal.until("paused")
    terminal.watch(1.0)
    return terminal, painted - terminal.begun, early, used


def in_the_lab(steps: int) -> tuple[float, float]:
    """Steps a second with the lab open, and bytes a second to the terminal."""
    terminal, *_ = opened(steps)
    terminal.forget()
    before = terminal.bytes
    terminal.press(" ")
    begun = terminal.until("running")
    ended = terminal.until("finished", 600)
    sent = terminal.bytes - before
    terminal.close()
    return steps / (ended - begun), sent / (ended - begun)


def key_to_paint(terminal: Terminal) -> list[float]:
    """Seconds from each key to the bytes that show its effect."""
    pause = random.Random(0)
    taken = []
    for number in range(KEYS):
        terminal.watch(pause.uniform(0.1, 0.4))
        terminal.forget()
        pressed = time.perf_counter()
        terminal.press("\x1b[B" if number % 2 == 0 else "\x1b[A")
        taken.append(terminal.until(LINES[1 - number % 2]) - pressed)
    return taken


def key_to_window() -> dict[str, list[float]]:
    """Seconds from the key of each window to the bytes that show it, while a network trains in
    which a caveat has been found."""
    terminal, *_ = opened(10**9, "--experiment", "mass_extinction")
    terminal.press(" ")
    terminal.until("dying")
    pause = random.Random(0)
    taken: dict[str, list[float]] = {}
    for name, (key, shown) in WINDOWS.items():
        for _ in range(EACH_WINDOW):
            terminal.watch(pause.uniform(0.3, 0.6))
            terminal.forget()
            pressed = time.perf_counter()
            terminal.press(key)
            taken.setdefault(name, []).append(terminal.until(shown) - pressed)
            terminal.press("\x1b")
    terminal.close()
    return taken


def to_the_lines(terminal: Terminal) -> None:
    """Move the cursor of the setup list to the first of `LINES`."""
    for _ in range(40):
        terminal.forget()
        terminal.press("\x1b[B")
        terminal.watch(0.1)
        if LINES[0] in terminal.text:
            return
    raise SystemExit(f"no line {LINES[0]!r}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of each training")
    seconds = parser.parse_args().seconds

    steps = max(1000, int(seconds * without_screen(3000)))
    first = without_screen(steps)
    speed, sent = in_the_lab(steps)
    alone = statistics.mean((first, without_screen(steps)))

    paints, cpu = [], []
    for _ in range(OPENINGS):
        terminal, paint, early, used = opened(10**9)
        paints.append(paint)
        cpu.append(used)
        terminal.close()
    terminal, *_ = opened(10**9)
    terminal.press("g")  # so that the footer's last repaint is over before bytes are counted
    terminal.watch(2.0)
    still = terminal.watch(QUIET)
    to_the_lines(terminal)
    idle = key_to_paint(terminal)
    terminal.press(" ")
    terminal.until("running")
    terminal.watch(3.0)
    busy = key_to_paint(terminal)
    memory = terminal.memory()
    terminal.press(" ")
    terminal.until("paused")
    terminal.watch(2.0)
    paused = terminal.watch(QUIET)
    terminal.close()
    windows = key_to_window()

    def p95(taken: list[float]) -> float:
        return sorted(taken)[int(0.95 * len(taken))] * 1e3

    def row(name: str, value: str, target: str = "", good: bool = True) -> None:
        print(f"{name:44}{value:>16}   {target:<12}{'' if good else 'MISSED'}")

    print(f"{steps:,} steps; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    row("steps a second without a screen", f"{alone:,.0f}")
    row("  the two runs of it", f"{first / alone:.3f}, {2 - first / alone:.3f}")
    row("with the lab open", f"{speed / alone:.3f}", "≥ 0.95", speed >= 0.95 * alone)
    row("bytes a second to the terminal", f"{sent:,.0f}", "≤ 20,000", sent <= 20_000)
    row("key to paint while training, p95 of 80", f"{p95(busy):.1f} ms", "≤ 50", p95(busy) <= 50)
    row("  median, worst", f"{statistics.median(busy) * 1e3:.1f}, {max(busy) * 1e3:.1f} ms")
    for name, taken in windows.items():
        slowest = p95(taken)
        row(f"opening the {name} while training, p95 of {len(taken)}", f"{slowest:.0f} ms",
            "≤ 150", slowest <= 150)  # fmt: skip
    row("key to paint while paused, p95", f"{p95(idle):.1f} ms")
    row("bytes in 5 s without a change, before", f"{still}", "0", still == 0)
    row("bytes in 5 s without a change, paused", f"{paused}", "0", paused == 0)
    paint = statistics.median(paints)
    row(f"first paint, median of {OPENINGS}", f"{paint:.2f} s", "≤ 0.5", paint <= 0.5)
    row("  best, worst", f"{min(paints):.2f}, {max(paints):.2f} s")
    row("  CPU of it, median", f"{statistics.median(cpu):.2f} s")
    row("  before torch was imported", "yes" if early else "no", "yes", early)
    for name, megabytes in memory.items():
        row(f"resident memory, {name}", f"{megabytes:.0f} MB")


if __name__ == "__main__":
    main()
