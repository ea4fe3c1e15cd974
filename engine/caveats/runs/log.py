"""The log of a run, log.jsonl: a file of bounded size that grows by whole lines.

A log that grows too long is thinned evenly in its older half.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from pathlib import Path

from caveats.errors import ConfigError
from caveats.runs.files import opened, read_whole, replace_file
from caveats.runs.lines import is_event

__all__ = ["LARGEST", "LARGEST_READ", "LOG", "LONGEST_LINE", "Log", "Tail"]

LOG = "log.jsonl"
LARGEST = 64 * 2**20  # bytes; a larger log is thinned
LARGEST_READ = 2 * LARGEST  # more than any run of this program writes
LONGEST_LINE = 4 * 2**20  # a record of 1,000 layers and 1,000,000 units has 1.4 MB
CHUNK = 2**20
FIRST = 32  # records at the start that stay: most happens there
SEAL = 64  # bytes before the last position read, to recognise a log that was replaced

_STEP = re.compile(rb'"step":\s*(\d{1,16})')


class Log:
    """Appends to the log in ``folder``, which only this object writes. Raises OSError."""

    def __init__(self, folder: Path, largest: int = LARGEST) -> None:
        self.path = folder / LOG
        self._largest = largest
        self._size: int | None = None

    def append(self, lines: bytes) -> None:
        """Add whole lines; after an error (such as a full disk) the log is as it was before."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self.path, flags, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            if self._size is None:
                self._size = whole(descriptor, size)
            if size != self._size:
                os.ftruncate(descriptor, self._size)  # remove what an incomplete write left
            view = memoryview(lines)
            while view:
                view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)
        self._size += len(lines)
        if self._size > self._largest:
            self._rewrite(thinned)

    def cut(self, step: int, events: int) -> None:
        """Drop the records after ``step`` and all but the first ``events`` events: a run that
        continues from an earlier step makes them again."""

        def kept(lines: list[bytes]) -> Iterable[bytes]:
            left = events
            for line in lines:
                if is_event(line):
                    left -= 1
                    if left >= 0:
                        yield line
                elif step_of(line) <= step:
                    yield line

        if self.path.is_symlink() or self.path.exists():
            self._rewrite(kept)

    def _rewrite(self, change: Callable[[list[bytes]], Iterable[bytes]]) -> None:
        lines = read_whole(self.path, LARGEST_READ).split(b"\n")
        lines.pop()  # after the last line break: nothing, or an incomplete line
        data = b"".join(line + b"\n" for line in change(lines))
        replace_file(self.path, data)
        self._size = len(data)


def whole(descriptor: int, size: int) -> int:
    """The position where the last whole line of a file ends; a crash may have left part of a line
    after it."""
    end = size
    while end:
        start = max(0, end - CHUNK)
        at = os.pread(descriptor, end - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def thinned(lines: list[bytes]) -> Iterable[bytes]:
    """All events, the first records, the newer half, and evenly spaced records of the rest, so that
    a log covers the whole run even after many thinnings. States of a dropped record move to the
    next record that stays."""
    steps = [step_of(line) for line in lines if not is_event(line)]
    half, first = len(steps) // 2, min(FIRST, len(steps) // 8)
    kept = set(range(first)) | set(range(half, len(steps)))
    wanted = len(steps) // 4 - first
    span = steps[half] - steps[first] if steps else 0
    for place in range(wanted):
        kept.add(bisect_left(steps, steps[first] + span * place / wanted, first, half))
    states = b""
    index = -1
    for line in lines:
        if is_event(line):
            yield line
            continue
        index += 1
        at = line.rfind(b',"states":')
        if index not in kept:
            states = line[at:-1] if at >= 0 else states
            continue
        yield line[:-1] + states + b"}" if states and at < 0 else line
        states = b""


def step_of(line: bytes) -> int:
    found = _STEP.search(line, 0, 64)
    return int(found[1]) if found else 0


class Tail:
    """Reads a log that may still grow: continues where the last look ended, one bounded piece at a
    time.

    A log that was replaced (thinned, or cut when its run was resumed) is read again from the start:
    `look` then calls ``begin`` before it passes lines on.
    """

    def __init__(self, folder: Path, begin: Callable[[int], None]) -> None:
        self.path = folder / LOG
        self.offset = 0
        self.torn = 0  # bytes after the last whole line
        self.overlong = 0  # lines that were skipped because they are too long
        self._begin = begin
        self._seal = b""
        self._seen: tuple[int, int, int] | None = None
        self._skipping = False

    def look(self, take: Callable[[bytes], None]) -> bool:
        """Pass every new whole line to ``take``; False if there is nothing new.

        Raises:
            ConfigError: if the file is not a log of this program.
        """
        try:
            with opened(self.path) as descriptor:
                found = os.fstat(descriptor)
                seen = (found.st_ino, found.st_size, found.st_mtime_ns)
                if seen == self._seen:
                    return False
                if found.st_size > LARGEST_READ:
                    raise ConfigError(
                        f"{LOG} has {found.st_size:,} bytes: no run of this program writes more "
                        f"than {LARGEST_READ:,}"
                    )
                at = self.offset - len(self._seal)
                if self._seen is None or os.pread(descriptor, len(self._seal), at) != self._seal:
                    self.offset, self._seal, self._skipping = 0, b"", False
                    self._begin(found.st_size)
                before = self.offset
                self._read(descriptor, found.st_size, take)
                self._seen = seen
                return self.offset != before
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ConfigError(f"{LOG} cannot be read: {error.strerror}") from None

    def _read(self, descriptor: int, size: int, take: Callable[[bytes], None]) -> None:
        want = CHUNK
        while self.offset < size:
            data = os.pread(descriptor, min(want, size - self.offset), self.offset)
            end = data.rfind(b"\n") + 1
            if end:
                lines = data[:end].split(b"\n")
                lines.pop()
                for line in lines[1:] if self._skipping else lines:
                    take(line)
                self._skipping, want = False, CHUNK
                self._move(data, end)
            elif len(data) < want or not data:
                break  # an incomplete line: being written, or left by a crash
            elif want < LONGEST_LINE and not self._skipping:
                want = LONGEST_LINE
            else:
                self.overlong += not self._skipping
                self._skipping = True
                self._move(data, len(data))
        self.torn = size - self.offset

    def _move(self, data: bytes, end: int) -> None:
        self.offset += end
        self._seal = (self._seal + data[max(0, end - SEAL) : end])[-SEAL:]
