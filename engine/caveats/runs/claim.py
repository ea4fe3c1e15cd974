"""Only one process at a time begins to continue a run: it makes a small file beside the run's own,
which the second finds.

A file that must not exist yet is made in one step, also on a network file system, where locks are
not reliable. Once the run goes on, run.toml says who trains it, and the file is taken away.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caveats.errors import ConfigError, visible
from caveats.runs.files import read_whole, remove

__all__ = ["GONE_AFTER", "claimed"]

CLAIM = ".resuming"
GONE_AFTER = 60.0  # seconds without a sign of life after which a process is dead


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the run in ``folder`` inside the block.

    Raises:
        ConfigError: if another process holds it, or the folder cannot be written to.
    """
    path = folder / CLAIM
    try:
        if not made(path):
            if held(path):
                raise ConfigError(
                    f"{visible(folder)} is being resumed by another process just now: "
                    "look at it with open"
                )
            path.unlink(missing_ok=True)  # a crash has left it
            if not made(path):
                raise ConfigError(f"{visible(folder)} is being resumed by another process just now")
    except OSError as error:
        raise ConfigError(f"{visible(folder)} cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        remove(path)  # one that stays tells the next that its process has gone


def made(path: Path) -> bool:
    """Make the file, with this process in it; False if it exists."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    try:
        os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())
    finally:
        os.close(descriptor)
    return True


def held(path: Path) -> bool:
    """Whether the process that made the file still lives, as far as can be known."""
    try:
        pid, _, host = read_whole(path, 1000).decode().strip().partition(" ")
        young = abs(time.time() - path.lstat().st_mtime) < GONE_AFTER
    except (OSError, ValueError):  # it has just gone, or holds no words
        return False
    if host != socket.gethostname() or not pid.isascii() or not pid.isdigit():
        return young
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # it exists, but belongs to another user
    return True
