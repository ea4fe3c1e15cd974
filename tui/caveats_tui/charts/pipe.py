"""Whole messages over a pair of pipes between the app and its drawing process.

Messages are pickles, which is safe because both ends belong to the same installation of this
program.
"""

from __future__ import annotations

import os
import pickle
import select
from typing import Any

__all__ = ["receive", "send"]

_LENGTH_BYTES = 8  # bytes of the length that goes before each message


def send(fd: int, message: object, patience: float | None = None) -> None:
    """Write one message. Raises OSError when the other end is gone, and TimeoutError when it takes
    nothing for ``patience`` seconds (None: waits as long as needed)."""
    body = pickle.dumps(message, protocol=5)
    rest = memoryview(len(body).to_bytes(_LENGTH_BYTES, "little") + body)
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    while rest:
        if not poll.poll(None if patience is None else patience * 1000):
            raise TimeoutError(f"nothing was taken for {patience:g} s")
        # A larger part could block in spite of the poll: a pipe holds some 64 KiB.
        rest = rest[os.write(fd, rest[: select.PIPE_BUF]) :]


def receive(fd: int, patience: float) -> Any:
    """Read one message. Raises EOFError when the other end is gone, and TimeoutError when it stays
    silent for ``patience`` seconds (a message that has begun may take as long as it needs)."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if not poll.poll(patience * 1000):
        raise TimeoutError(f"no answer for {patience:g} s")
    size = int.from_bytes(_exactly(fd, _LENGTH_BYTES), "little")
    return pickle.loads(_exactly(fd, size))


def _exactly(fd: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise EOFError("the other end is gone")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
