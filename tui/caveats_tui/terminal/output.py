"""Writes text to the terminal through one file descriptor, in as few bytes as its cells need, and
measures the bytes and the time.

If the terminal is gone, the text is dropped.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

from caveats_tui.terminal.thinning import Thinner
from caveats_tui.text.plain import ERRORS

__all__ = ["Output"]

_BUFFERED = 8192  # characters: more are written without waiting for a flush


class Output:
    """A file for Textual's writer thread, which calls ``write`` and ``flush``.

    It never raises: an error would end that thread, its queue of 30 would fill, and the app would
    wait forever. Any thread may read ``bytes`` and ``seconds`` at any time. ``tee``, if set, is
    called on the writer's thread with each text that the terminal has accepted; it must not raise.
    """

    def __init__(
        self, fd: int, encoding: str = "utf-8", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.fd = fd
        self.encoding = encoding
        self.bytes = 0
        self.lost = False  # the terminal hung up
        self.closed = False  # the program is ending: queued text is dropped
        self.tee: Callable[[str], None] | None = None
        self._clock = clock
        self._thinner = Thinner()
        self._pieces: list[str] = []
        self._kept = 0
        self._spent = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds spent waiting for the terminal to accept bytes, a write that is still going on
        included."""
        spent, since = self._spent, self._since
        return spent if since is None else spent + self._clock() - since

    @property
    def busy(self) -> bool:
        """Whether a write is going on."""
        return self._since is not None

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal; 80 and 24 if it does not say."""
        try:
            columns, rows = os.get_terminal_size(self.fd)
        except OSError:
            return 80, 24
        return columns or 80, rows or 24

    def write(self, text: str) -> None:
        self._pieces.append(text)
        self._kept += len(text)
        if self._kept >= _BUFFERED:
            self.flush()

    def flush(self) -> None:
        text = "".join(self._pieces)
        self._pieces.clear()
        self._kept = 0
        if text:
            data = self._thinner.thinned(text).encode(self.encoding, ERRORS)
            self._send(data)
            if self.tee is not None and not (self.lost or self.closed):
                self.tee(data.decode(self.encoding))

    def fileno(self) -> int:
        return self.fd

    def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        self._since = self._clock()
        while rest and not (self.lost or self.closed):
            try:
                written = os.write(self.fd, rest)
            except BlockingIOError:
                # the parent process may have left the terminal non-blocking
                poll = select.poll()
                poll.register(self.fd, select.POLLOUT)
                poll.poll()
            except OSError:
                self.lost = True
            else:
                self.bytes += written
                rest = rest[written:]
        spent = self._clock() - self._since
        self._since = None
        self._spent += spent
