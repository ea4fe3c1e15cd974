"""Reads and writes the files of a run folder so that neither a crash nor a stranger's folder does
harm. It knows nothing of what stands in them.

No locks, no memory maps: a file is replaced whole by a rename, or grows at its end, which is all
that a network file system keeps its word on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caveats.errors import ConfigError, visible

__all__ = ["opened", "read_whole", "replace_file"]

# Without O_NONBLOCK a named pipe in a file's place would be waited on for ever.
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor to read ``path`` with, which is a plain file and no link.

    Raises:
        FileNotFoundError: where there is none.
        ConfigError: one sentence for whatever else is in the way.
    """
    shown = visible(path)
    try:
        # Links are refused: a folder from elsewhere could name any file of this machine.
        if path.is_symlink():
            raise ConfigError(f"{shown} is a link: files of a run are read from its folder only")
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{shown} cannot be read: {why}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigError(f"{shown} is no plain file")
        yield descriptor
    finally:
        os.close(descriptor)


def read_whole(path: Path, most: int) -> bytes:
    """The content of a file of at most ``most`` bytes; raises as `opened`, and for a larger one."""
    with opened(path) as descriptor:
        size = os.fstat(descriptor).st_size
        if size > most:
            raise ConfigError(f"{visible(path)} has {size:,} bytes: at most {most:,} make sense")
        parts = []
        left = most
        try:
            while left and (part := os.read(descriptor, min(left, 2**20))):
                parts.append(part)
                left -= len(part)
        except OSError as error:
            raise ConfigError(f"{visible(path)} cannot be read: {error.strerror}") from None
    return b"".join(parts)


def replace_file(path: Path, data: bytes) -> None:
    """Put ``data`` in the place of ``path`` by write-then-rename: a reader, and whoever comes
    after a crash, finds the old content or the new, whole. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(part, flags, 0o644)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            # Without this a power cut can leave the new name with nothing in it.
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
