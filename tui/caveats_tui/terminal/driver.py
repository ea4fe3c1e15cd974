"""Textual's driver for Linux and macOS, drawing through a `Guard`."""

from __future__ import annotations

import codecs
import errno
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import textual.drivers.linux_driver as textuals
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from caveats_tui.terminal.guard import Guard

__all__ = ["driver_class"]


def lenient(encoding: str) -> Callable[[], codecs.IncrementalDecoder]:
    """Decoders that show a byte they cannot read as "�"."""
    return partial(codecs.getincrementaldecoder(encoding), errors="replace")


# Textual's own ends the program at a byte that is not UTF-8: a terminal with another encoding sends
# such bytes, and a line that loses some leaves half a character.
setattr(textuals, "getincrementaldecoder", lenient)  # noqa: B010  Textual does not export it


class _GuardedDriver(LinuxDriver):
    guard: ClassVar[Guard]

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._file = self.guard.output  # type: ignore[assignment]  # write, flush and fileno
        self._size = size or self._get_terminal_size()
        self._on_screen = False
        # The user must see a traceback, but at this point `sys.stderr` leads to the log.
        app.error_console.file = self.guard.stderr

    def _get_terminal_size(self) -> tuple[int, int]:
        return self.guard.output.size  # Textual asks stdout, which leads to the log by now

    def start_application_mode(self) -> None:
        self.guard.entered(self._leave)
        self._on_screen = True
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        super().stop_application_mode()
        self._on_screen = False

    def flush(self) -> None:
        super().flush()
        self.guard.bound_log()

    def close(self) -> None:
        super().close()
        self.guard.left()
        if self.guard.output.lost and sys.__stderr__ is not None:
            self._app.error_console.file = sys.__stderr__

    def run_input_thread(self) -> None:
        try:
            super().run_input_thread()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self.guard.hung_up()

    def _leave(self, number: int) -> bool:
        def leave() -> None:
            self._app.exit(return_code=128 + number)

        return self._soon(leave)

    def _soon(self, act: Callable[[], object]) -> bool:
        """Do it on the event loop; False where that has ended already."""
        try:
            self._loop.call_soon_threadsafe(act)
        except RuntimeError:
            return False
        return True

    # Textual stops and resumes inside the signal handler. If the signal arrives while the app puts
    # a frame into the writer's queue, the handler waits forever for that queue's lock. So the event
    # loop does it instead, between two callbacks.

    def _sigtstp_application(self, *_: object) -> None:
        if not self._soon(super()._sigtstp_application):
            os.kill(os.getpid(), signal.SIGSTOP)

    def _sigcont_application(self, *_: object) -> None:
        self._soon(self._continued)

    def _continued(self) -> None:
        if self.guard.output.lost or self.guard.signal is not None or not self._auto_restart:
            return  # the kernel sends SIGCONT with the SIGHUP of a hang-up, a shell with SIGTERM
        if not self._on_screen and not self._must_signal_resume:
            return  # the app has left for good, and only its process goes on
        if not self._must_signal_resume:
            # Continued after a SIGSTOP, which cannot be caught: the shell has used the terminal in
            # between, and Textual would start a second pair of threads beside the first.
            self.suspend_application_mode()
            self._must_signal_resume = True
        super()._sigcont_application()
        # The terminal's screen is empty, and of what has not changed Textual would draw nothing.
        self._app.call_later(lambda: self._app.screen.refresh(layout=True))


def driver_class(guard: Guard) -> type[LinuxDriver]:
    """A class for ``App(driver_class=...)`` whose screen is the terminal that ``guard`` holds."""
    return type("GuardedDriver", (_GuardedDriver,), {"guard": guard})
