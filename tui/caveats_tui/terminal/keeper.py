"""Keeps a command in a terminal of its own: a process between the screen and the command.

It writes what the command prints to a file, and passes on what is typed. The screen may be killed
and opened again; the command does not notice. Run as ``python -m caveats_tui.terminal.keeper``,
with one JSON argument.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from types import FrameType

__all__ = ["DETACH", "OUTPUT", "start"]

OUTPUT = "output.txt"
MOST = 16 * 2**20  # bytes of output that are kept; of more, the newest half
DETACH = signal.SIGUSR1  # go on although the screen is left
TYPED = 2**20  # bytes that wait for a command that does not read; more are lost
LOOK = 0.5  # seconds between two looks whether the command has ended


def start(
    argv: list[str], folder: Path, size: tuple[int, int], stop: bool, env: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start ``argv`` in a terminal of ``size`` (columns, rows) that writes to ``folder``. Its stdin
    is what is typed to the command; with ``stop``, the command is ended when that is closed."""
    asked = {"argv": argv, "folder": str(folder.absolute()), "size": size, "stop": stop, "env": env}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "caveats_tui.terminal.keeper", json.dumps(asked)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


class Kept:
    """The command ``child`` behind the terminal ``master``, and the file of its output."""

    def __init__(self, child: subprocess.Popen[bytes], master: int, path: Path, stop: bool) -> None:
        self.child, self.master, self.stop = child, master, stop
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._typed = True
        self._waiting = b""  # typed, and not yet taken by the terminal
        os.set_blocking(master, False)  # it takes a few kB that nobody reads, and then no more

    def serve(self) -> int:
        """Until the command has ended; returns its exit code as `subprocess` does."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(DETACH, self._detach)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, self._pass_on)
        while True:
            over = self.child.poll() is not None
            reading = [self.master, *([0] if self._typed else [])]
            writing = [self.master] if self._waiting else []
            ready, free, _ = select.select(reading, writing, [], 0 if over else LOOK)
            if free:
                self._type()
            if 0 in ready:
                self._pass_typed()
            if self.master in ready and not self._take():
                return self.child.wait()
            if over and self.master not in ready:
                return self.child.wait()

    def _take(self) -> bool:
        try:
            data = os.read(self.master, 1 << 16)
        except BlockingIOError:
            return True
        except OSError:  # EIO: nobody holds the other end any more
            data = b""
        with suppress(OSError):  # a full disk: the command goes on
            os.write(self._file, data)
            if os.fstat(self._file).st_size > MOST:
                kept = self._path.read_bytes()[-MOST // 2 :]
                os.ftruncate(self._file, 0)
                os.write(self._file, kept)
        return bool(data)

    def _pass_typed(self) -> None:
        typed = os.read(0, 1 << 12)
        if typed:
            self._waiting = (self._waiting + typed)[:TYPED]
            return
        self._typed = False  # the screen is gone
        if self.stop:
            self.send(signal.SIGHUP)

    def _type(self) -> None:
        try:
            self._waiting = self._waiting[os.write(self.master, self._waiting) :]
        except BlockingIOError:
            return
        except OSError:  # the command has ended
            self._waiting = b""

    def send(self, number: int) -> None:
        with suppress(OSError):
            os.killpg(self.child.pid, number)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self.send(number)

    def _detach(self, number: int, frame: FrameType | None) -> None:
        self.stop = False


_OWN = """
import os, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))
os.execvp(sys.argv[1], sys.argv[1:])
"""


def main() -> None:
    asked = json.loads(sys.argv[1])
    folder = Path(asked["folder"])
    master, slave = os.openpty()
    columns, rows = asked["size"]
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    # The command must own its terminal: a session's leader gets the first one that it opens.
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _OWN, *asked["argv"]],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=asked["env"],
        start_new_session=True,
    )
    os.close(slave)
    code = Kept(child, master, folder / OUTPUT, asked["stop"]).serve()
    from caveats.watching.folder import finish

    with suppress(OSError):
        finish(folder, code)
    sys.exit(128 - code if code < 0 else code)


if __name__ == "__main__":
    main()
