"""Records what the program sends to the terminal; a recording may start and stop at any time.

Keys and verdicts are reported to it and become marks.
"""

from __future__ import annotations

import os
import termios
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from caveats.errors import ConfigError, visible
from caveats_tui.options import RecordingOptions
from caveats_tui.recording.cast import CastHeader, CastWriter
from caveats_tui.terminal.output import Output
from caveats_tui.text.times import clock

__all__ = ["Recorder", "unused"]

# For a recording that begins in the middle: brings a terminal into the present state.
_MIDWAY = "\x1b[?1049h\x1b[H\x1b[2J\x1b[?25l\x1b[?7l"


class Recorder:
    """Writes what ``output`` sends to its terminal between `start` and `stop`; costs nothing while
    it does not record. All methods but `_sent` are called on the app's thread."""

    def __init__(
        self,
        output: Output,
        options: RecordingOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options
        self.path: Path | None = None  # of the newest recording
        self._output, self._clock = output, clock
        self._cast: CastWriter | None = None
        self._returns = True  # whether the line puts a carriage return before each line feed
        self._found: frozenset[str] = frozenset()

    @property
    def recording(self) -> bool:
        return self._cast is not None and not self._cast.problem

    @property
    def problem(self) -> str:
        """Why the file is no longer written, empty while it is."""
        return "" if self._cast is None else self._cast.problem

    def start(self, path: str | Path, title: str, *, midway: bool = False) -> None:
        """Write to ``path`` from now on. With ``midway``, an app is already on the screen; the
        caller must have all of it drawn again, since a recording begins with a whole picture.

        Raises:
            ConfigError: where the file cannot be written, or is not empty.
        """
        path = Path(path)
        try:
            taken = path.stat().st_size > 0 and not path.is_dir()
        except OSError:
            taken = False  # if it cannot be reached, opening it gives the better message
        if taken:
            raise ConfigError(
                f"{visible(str(path))} exists already, and a recording replaces no file"
            )
        header = CastHeader(
            *self._output.size,
            title=title,
            version=self.options.version,
            env={"TERM": os.environ.get("TERM", "xterm-256color")},
            timestamp=int(time.time()),
        )
        limit = self.options.idle_limit
        cast = CastWriter(path, header, idle_limit=limit, clock=self._clock)
        settings = termios.tcgetattr(self._output.fd)[1]
        self._returns = bool(settings & termios.OPOST and settings & termios.ONLCR)
        if midway:
            cast.output(_MIDWAY)
        self._cast, self.path, self._found = cast, path, frozenset()
        self._output.tee = self._sent

    def stop(self) -> str:
        """End the recording; returns a sentence about the file, "" if nothing was being
        recorded."""
        cast, self._cast, self._output.tee = self._cast, None, None
        if cast is None:
            return ""
        cast.close()
        said = f"recorded {clock(cast.seconds)} in {visible(str(self.path))}"
        return f"{said}; {cast.problem}" if cast.problem else said

    def key(self, name: str) -> None:
        """Mark that a key was pressed."""
        if self._cast is not None:
            self._cast.mark(f"key {name}")

    def found(self, labels: Iterable[str]) -> None:
        """Take the present verdicts, as "critical: dying ReLU", and mark those that are new."""
        if self._cast is not None:
            now = frozenset(labels)
            for label in sorted(now - self._found):
                self._cast.mark(label)
            self._found = now

    def _sent(self, text: str) -> None:
        """Called on the thread that writes to the terminal."""
        cast = self._cast
        if cast is None:
            return
        size = self._output.size
        if size != cast.size:
            cast.resize(*size)
        cast.output(text.replace("\n", "\r\n") if self._returns else text)


def unused(folder: Path, stem: str) -> Path:
    """A name in ``folder`` that no file has: ``stem``.cast, or the same with a number."""
    path, number = folder / f"{stem}.cast", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}.cast", number + 1
    return path
