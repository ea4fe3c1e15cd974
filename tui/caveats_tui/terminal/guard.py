"""Holds the terminal while the lab is open, and gives it back as it was, however the lab ends.

Textual draws on stderr, where a warning of a C++ library would spoil the screen. So the screen gets
a descriptor of its own, and everything written to 1 and 2 goes to a log. SIGKILL and a crash inside
a C library are not covered, since no Python runs then (`reset` helps).
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from caveats_tui.terminal.log import MessageLog, log_path
from caveats_tui.terminal.output import Output

__all__ = ["Guard", "guarded_streams"]

# Switches off what Textual switches on, and resets colours. CAN comes first: it ends a sequence
# that was cut in the middle. The kitty keyboard's modes belong to the alternate screen, so they go
# before it is left.
_LEAVE = (
    "\x18\x1b[?2026l"  # synchronized output
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # mouse
    "\x1b[?2004l\x1b[?2048l\x1b[?1004l"  # bracketed paste, resize and focus reports
    "\x1b[?7h\x1b[0m\x1b[<u\x1b[?1049l\x1b[?25h"  # wrap, colours, keyboard, screen, cursor
).encode("ascii")

_TEXTUALS = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU)
# After a crash inside a C library no Python runs. Python ignores SIGPIPE and SIGXFSZ by itself.
_CRASHES = "SIGABRT SIGBUS SIGFPE SIGILL SIGSEGV SIGSYS SIGTRAP"
_NOT_ENDING = "SIGKILL SIGSTOP SIGCHLD SIGURG SIGINFO SIGPIPE SIGXFSZ"
_OTHERS = {getattr(signal, name, None) for name in f"{_CRASHES} {_NOT_ENDING}".split()}
# Every signal that would end the program, from SIGHUP to SIGUSR1 and SIGALRM.
_ENDING = tuple(sorted(signal.valid_signals() - _OTHERS - set(_TEXTUALS)))
# A shell starts jobs in the background with these ignored, but whoever sends one means it.
_HEEDED = (signal.SIGINT, signal.SIGQUIT)
_GONE = select.POLLHUP | select.POLLERR
_PATIENCE = 10.0  # seconds an app has to end when asked; a frozen line may block it
_TRIES, _TRY = 100, 0.01  # how often, and after how many seconds, a blocked line is tried again


class Guard:
    """The terminal, held. ``output`` writes to it and measures the cost; messages for the user go
    to ``stderr`` after the screen has been left; ``signal`` is the signal that asked the program to
    end."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._attributes: list[Any] = termios.tcgetattr(1)
        self.output = Output(os.dup(1), encoding)
        self.stderr: io.TextIOWrapper = open(  # noqa: SIM115  closed by `close`
            os.dup(2), "w", buffering=1, encoding=encoding, errors="backslashreplace"
        )
        self.log = MessageLog(log_path())
        self.signal: int | None = None
        self._leave: Callable[[int], bool] | None = None
        self._timer: threading.Timer | None = None
        self._on_screen = False
        self._closing = False
        self._muted = False
        # The user may have sent stdout or stderr to a file: that stays as it is.
        self._saved = {fd: os.dup(fd) for fd in (1, 2) if os.isatty(fd)}
        self._redirect(self.log.fd)
        self._handlers = {number: signal.getsignal(number) for number in (*_ENDING, *_TEXTUALS)}
        for number in _ENDING:
            ignored = self._handlers[number] is signal.SIG_IGN  # as SIGHUP under nohup
            if not ignored or number in _HEEDED:
                signal.signal(number, self._signalled)
        self._wake_read, self._wake_write = os.pipe()
        self._watcher = threading.Thread(target=self._watch, name="hang-up", daemon=True)
        self._watcher.start()

    def entered(self, leave: Callable[[int], bool]) -> None:
        """An app takes the screen. ``leave(signal)`` asks it, from any thread, to end; it returns
        False if the app has ended already."""
        self._on_screen = True
        self._leave = leave
        if self.output.lost:
            self.hung_up()

    def left(self) -> None:
        """The app has left the screen, perhaps for a while, and all its output has been written."""
        self._on_screen = False

    def bound_log(self) -> None:
        """Called with each frame: once the log is full, further messages are dropped."""
        if not self._muted and self.log.full:
            self._muted = True
            with open(os.devnull, "w") as nothing:
                self._redirect(nothing.fileno())

    def restore(self) -> None:
        """Give the terminal back as it was. Safe to call from a signal handler or another thread,
        and more than once; never waits for a terminal that accepts nothing."""
        fd = self.output.fd
        with contextlib.suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSANOW, self._attributes)
        if self._on_screen and not self.output.lost:
            with contextlib.suppress(OSError):
                if not self.output.busy and _events(fd, select.POLLOUT) & select.POLLOUT:
                    os.write(fd, _LEAVE)
            self._on_screen = False

    def hung_up(self) -> None:
        """The terminal is gone: write nothing more, and end."""
        self.output.lost = True
        self._ask(signal.SIGHUP)

    def close(self) -> None:
        """Undo everything; the guard cannot be used afterwards."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self.restore()
        for number, handler in self._handlers.items():
            if handler is not None:  # None was installed by C code
                signal.signal(number, handler)
        os.close(self._wake_write)
        self._watcher.join()
        os.close(self._wake_read)
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()  # the last output of libraries belongs in the log
        for fd, saved in self._saved.items():
            if not self.output.lost:  # a last message would fail with an input/output error
                os.dup2(saved, fd)
            os.close(saved)
        with contextlib.suppress(OSError):
            self.stderr.close()
        os.close(self.output.fd)
        self.log.close()

    def _redirect(self, target: int) -> None:
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()
        for fd in self._saved:
            os.dup2(target, fd)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and _events(self.output.fd, 0) & _GONE:
            self.output.lost = True
        if self.signal is not None:
            if number == signal.SIGHUP and self.output.lost:
                return  # the kernel and the shell both signal the same hang-up
            self._die(number)
        if self._ask(number) or self._closing:
            return
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    def _ask(self, number: int) -> bool:
        """Ask the app to end, and make sure that it does; False if there is no app."""
        if self.signal is not None or self._leave is None or not self._leave(number):
            return False
        self.signal = number
        self._timer = threading.Timer(_PATIENCE, self._die, (number,))
        self._timer.daemon = True
        self._timer.start()
        return True

    def _die(self, number: int) -> None:
        # A frozen line is full of frames that are no longer needed. The writer holds the terminal's
        # lock until its last bytes are taken, and the sequences that leave the screen would wait
        # for that.
        self.output.closed = True
        fd = self.output.fd
        for _ in range(_TRIES):
            if not self.output.busy and _events(fd, select.POLLOUT) & select.POLLOUT:
                break
            with contextlib.suppress(termios.error):
                termios.tcflush(fd, termios.TCOFLUSH)
                # Linux makes room, but wakes the writer only when output starts again.
                termios.tcflow(fd, termios.TCOOFF)
                termios.tcflow(fd, termios.TCOON)
            time.sleep(_TRY)
        self.restore()
        os._exit(128 + number)

    def _watch(self) -> None:
        """Waits for a hang-up that sends no SIGHUP: it is ignored under nohup, or the program is
        not in the terminal's session. Textual would then read the end of file again and again,
        using a whole core."""
        poll = select.poll()
        poll.register(self.output.fd, 0)
        poll.register(self._wake_read, select.POLLIN)
        for fd, events in poll.poll():
            if fd == self.output.fd and events & _GONE:
                self.hung_up()


def _events(fd: int, mask: int) -> int:
    """What poll reports now for one descriptor."""
    poll = select.poll()
    poll.register(fd, mask)
    return sum(events for _, events in poll.poll(0))


@contextlib.contextmanager
def guarded_streams(encoding: str = "utf-8") -> Iterator[Guard]:
    """Hold the terminal on stdout for an app that runs inside, on the main thread. ``encoding`` is
    that of the terminal; characters that it lacks are drawn in ASCII. Whatever happens inside, the
    terminal is afterwards as it was before."""
    guard = Guard(encoding)
    try:
        yield guard
    finally:
        guard.close()
