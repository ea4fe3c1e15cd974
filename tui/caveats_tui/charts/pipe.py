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


def send(fd: int, message: object) -> None:
    """Write one message; raises OSError when the other end is gone."""
    body = pickle.dumps(message, protocol=5)
    rest = memoryview(len(body).to_bytes(_LENGTH_BYTES, "little") + body)
    while rest:
        rest = rest[os.write(fd, rest) :]


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
