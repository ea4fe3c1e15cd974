"""The log of messages that would spoil the screen: a file of bounded size beside the user's other
logs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import platformdirs

__all__ = ["LIMIT", "MessageLog", "log_path"]

LIMIT = 1 << 20  # bytes


def log_path() -> Path:
    """The file, whether it exists or not."""
    return Path(platformdirs.user_log_dir("caveats-tui", appauthor=False)) / "lab.log"


class MessageLog:
    """The open log of one session. Messages of earlier sessions are kept until the file is full;
    messages of this one are dropped beyond `LIMIT` bytes.

    Where the folder cannot be written, ``path`` is None and all messages are dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path: Path | None = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.fd = os.open(path, flags, 0o600)
            if os.fstat(self.fd).st_size > LIMIT // 2:
                os.ftruncate(self.fd, 0)
            os.write(self.fd, f"-- {time.strftime('%F %T')} process {os.getpid()}\n".encode())
        except OSError:
            self.path = None
            self.fd = os.open(os.devnull, flags)

    @property
    def full(self) -> bool:
        return os.fstat(self.fd).st_size > LIMIT

    def close(self) -> None:
        os.close(self.fd)
