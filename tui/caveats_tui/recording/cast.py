"""The asciicast file format: recordings of a terminal, written event by event and read whole.

https://docs.asciinema.org/manual/asciicast/v3 and v2. Text and times come from the caller.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from caveats.errors import ConfigError, visible

__all__ = ["CastEvent", "CastHeader", "CastWriter", "Recording", "read_cast"]

LARGEST_CAST = 256 << 20  # bytes: a larger file is not read; an hour of the lab is some 50 MB
CELLS = 10_000  # columns or rows: a larger terminal is not believed


@dataclass(frozen=True, slots=True)
class CastHeader:
    """A recording's first line: the terminal's size, a title, when it began. ``version`` is 2 or 3;
    in version 3 times are intervals."""

    columns: int
    rows: int
    title: str = ""
    version: int = 3
    env: Mapping[str, str] = field(default_factory=dict)
    timestamp: int | None = None

    @property
    def content(self) -> dict[str, Any]:
        """The header as it is written."""
        content: dict[str, Any] = {"version": self.version}
        if self.version == 2:
            content |= {"width": self.columns, "height": self.rows}
        else:
            content["term"] = {"cols": self.columns, "rows": self.rows}
        if self.timestamp is not None:
            content["timestamp"] = self.timestamp
        if self.title:
            content["title"] = self.title
        if self.env:
            content["env"] = dict(self.env)
        return content


class CastWriter:
    """Writes a recording; each event is on the disk when its call returns, so the file is readable
    even if the program dies.

    Pauses are cut to ``idle_limit`` seconds. Methods may be called from any thread. When the disk
    is full, nothing is raised: later events are left out, and ``problem`` says why.

    Raises:
        ConfigError: where the file cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        header: CastHeader,
        *,
        idle_limit: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.size = header.columns, header.rows
        self.problem = ""
        self._version = header.version
        self._limit = math.inf if idle_limit is None else idle_limit
        self._clock = clock
        self._lock = threading.Lock()
        self._elapsed = 0.0  # seconds of the recording, pauses cut
        self._before = clock()
        try:
            # Non-blocking: a pipe whose reader is slow or absent must not hold up a screen.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o666)
        except OSError as error:
            raise ConfigError(f"{visible(str(path))}: {error.strerror}") from None
        self._closed = False
        self._line(header.content)

    def output(self, text: str) -> None:
        """Record a text that was sent to the terminal."""
        self._event("o", text)

    def mark(self, label: str) -> None:
        """Record a mark that a replay can jump to: a key, a verdict."""
        self._event("m", label)

    def resize(self, columns: int, rows: int) -> None:
        self.size = columns, rows
        self._event("r", f"{columns}x{rows}")

    @property
    def seconds(self) -> float:
        """The length of the recording so far, pauses cut."""
        return self._elapsed

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._fd)

    def _event(self, code: str, data: str) -> None:
        with self._lock:
            now = self._clock()
            pause = min(max(0.0, now - self._before), self._limit)
            self._before = now
            before = round(self._elapsed, 6)
            self._elapsed += pause
            after = round(self._elapsed, 6)
            # Intervals are taken between rounded times, so that rounding does not add up.
            self._line([after if self._version == 2 else round(after - before, 6), code, data])

    def _line(self, value: Any) -> None:
        if self._closed or self.problem:
            return
        rest = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            while rest:  # a full disk takes only a part; without a buffer we write the rest
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            self.problem = f"recording stopped: {error.strerror}"


@dataclass(frozen=True, slots=True)
class CastEvent:
    """``time`` is in seconds from the start; ``code`` is "o", "i", "m", "r" or "x", or one of a
    later version."""

    time: float
    code: str
    data: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole recording. ``size`` is columns and rows at the start."""

    size: tuple[int, int]
    title: str
    events: tuple[CastEvent, ...]

    @property
    def seconds(self) -> float:
        return self.events[-1].time if self.events else 0.0

    @property
    def largest(self) -> tuple[int, int]:
        """The largest numbers of columns and of rows that it ever has."""
        sizes = [
            self.size,
            *(parse_size(e.data) or self.size for e in self.events if e.code == "r"),
        ]
        return max(size[0] for size in sizes), max(size[1] for size in sizes)


def read_cast(path: str | Path, idle_limit: float | None = None) -> Recording:
    """Read a recording of version 2 or 3. A last line that was cut off is left out. Pauses are cut
    to ``idle_limit`` seconds, or to the limit that the file itself names.

    Raises:
        ConfigError: one sentence naming the file and the line.
    """
    name = visible(str(path))
    try:
        if Path(path).stat().st_size > LARGEST_CAST:
            raise ConfigError(
                f"{name} is larger than {LARGEST_CAST >> 20} MB, too long to be replayed"
            )
        text = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is no recording: byte {error.start} is not UTF-8") from None
    # Not splitlines: that breaks at separators which JSON allows within a string.
    lines = text.split("\n")
    cut = lines.pop()  # empty if the last line is complete
    if not lines:
        lines, cut = [cut], ""
    header = parse_header(lines[0], name)
    version = header["version"]
    asked = idle_limit if idle_limit is not None else header.get("idle_time_limit")
    limit = float(asked) if is_number(asked) and asked > 0 else math.inf
    events: list[CastEvent] = []
    elapsed = before = 0.0
    for number, line in enumerate(lines[1:], 2):
        if not line.strip() or line.startswith("#"):
            continue
        moment, code, data = parse_event(line, name, number)
        pause = moment if version == 3 else moment - before
        before = moment
        elapsed += min(max(0.0, pause), limit)
        events.append(CastEvent(elapsed, code, data))
    return Recording(terminal_size(header, name), visible(header.get("title") or ""), tuple(events))


def parse_header(line: str, name: str) -> dict[str, Any]:
    header = parse(line)
    if not isinstance(header, dict) or header.get("version") not in (2, 3):
        raise ConfigError(
            f"{name} is no recording: its first line is no asciicast header of version 2 or 3"
        )
    return header


def terminal_size(header: dict[str, Any], name: str) -> tuple[int, int]:
    term = header.get("term")
    if header["version"] == 2:
        size = header.get("width"), header.get("height")
    else:
        size = (term.get("cols"), term.get("rows")) if isinstance(term, dict) else (None, None)
    if not all(type(cells) is int and 0 < cells <= CELLS for cells in size):
        shown = "×".join(visible(repr(cells)) for cells in size)
        raise ConfigError(f"{name}, line 1: the terminal's size {shown} is not valid")
    return size[0], size[1]  # type: ignore[return-value]


def parse_event(line: str, name: str, number: int) -> tuple[float, str, str]:
    event = parse(line)
    if (
        not isinstance(event, list)
        or len(event) != 3
        or not is_number(event[0])
        or not isinstance(event[1], str)
        or not isinstance(event[2], str)
    ):
        raise ConfigError(
            f"{name}, line {number}: {visible(line[:40])!r} is no event, which is "
            "[seconds, code, text]"
        )
    return float(event[0]), event[1], event[2]


def parse(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a time; NaN and infinity, which Python's reader accepts, are not."""
    return type(value) in (int, float) and abs(value) < 1e9


def parse_size(text: str) -> tuple[int, int] | None:
    """ "80x24" as (80, 24); None if it is not a size."""
    columns, cross, rows = text.partition("x")
    if cross and columns.isdecimal() and rows.isdecimal() and len(text) <= 11:
        size = int(columns), int(rows)
        if all(0 < cells <= CELLS for cells in size):
            return size
    return None
