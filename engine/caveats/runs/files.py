"""Reads and writes the files of a run folder so that neither a crash nor a folder from elsewhere
does harm.

It uses no locks and no memory maps: a file is replaced by a rename, or grows at its end. Only these
two operations are reliable on a network file system.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from caveats.errors import ConfigError, visible

__all__ = ["opened", "read_whole", "remove", "replace_file"]

# Without O_NONBLOCK, opening a named pipe in place of the file would wait for ever.
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor to read ``path``, which must be a plain file and not a link.

    Raises:
        FileNotFoundError: if there is no such file.
        ConfigError: one sentence, if it cannot be read for another reason.
    """
    shown = visible(path)
    try:
        # Links are refused: one in a folder from elsewhere could point to any file of this machine.
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
    """The content of a file of at most ``most`` bytes; raises as `opened` does, and ConfigError for
    a larger file."""
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
    """Replace the content of ``path`` by ``data``, by writing a new file and renaming it. A reader
    finds either the whole old content or the whole new one, even after a crash. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(part, flags, 0o644)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            # Without this a power cut can leave an empty file under the new name.
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(part, path)
    except OSError:
        remove(part)
        raise


def remove(path: Path) -> None:
    """Remove a file of our own that nobody needs any more. A disk that has become read-only or
    fails may keep it."""
    with suppress(OSError):
        path.unlink()
