"""One line on a terminal's stderr that shows how far a run has come; nothing if stderr is not a
terminal."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, TextIO

from caveats_tui.text.ascii import is_unicode
from caveats_tui.text.times import clock

if TYPE_CHECKING:
    from caveats.run import Run

__all__ = ["ProgressLine", "line"]

PAUSE = 0.2  # seconds between two updates
BAR = 20  # columns


def line(step: int, steps: int, speed: float, loss: float, *, unicode: bool = True) -> str:
    """The text of the line; ``speed`` is in steps a second, 0 if not known yet."""
    full, empty = ("█", "░") if unicode else ("#", ".")
    filled = BAR * step // steps
    parts = [f"{full * filled}{empty * (BAR - filled)} step {step:,}/{steps:,}", f"loss {loss:.4g}"]
    if speed:
        parts[1:1] = [f"{speed:,.0f}/s"]
        parts.append(f"{clock((steps - step) / speed)} left")
    return "  ".join(parts)


class ProgressLine:
    """Draws on ``stream`` if that is a terminal, at most five times a second. ``clear`` removes the
    line, so that the next output stands alone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = stream.isatty()
        self._unicode = is_unicode(stream)
        self._drawn = 0  # columns of the present line
        self._next = 0.0
        self._text, self._since = "", 0.0  # what was said last, and when
        self._lock = threading.Lock()  # another thread shows that time passes

    def due(self) -> bool:
        return self._shown and time.monotonic() >= self._next

    def update(self, step: int, steps: int, speed: float, loss: float) -> None:
        self.say(line(step, steps, speed, loss, unicode=self._unicode))

    def follow(self, run: Run) -> None:
        """Show how far ``run`` has come, if an update is due."""
        if self.due():
            loss = float(run.history.snapshot().scalar("loss")[-1])
            self.update(run.step, run.config.training.steps, run.speed, loss)

    def say(self, text: str) -> None:
        """Show ``text`` in place of the present line."""
        with self._lock:
            self._text, self._since = text, time.monotonic()
            self._draw(text)

    def beat(self) -> None:
        """Show how long ago the present line was said; call now and then from another thread."""
        with self._lock:
            if self._text:
                self._draw(f"{self._text}  ({clock(time.monotonic() - self._since)})")

    def clear(self) -> None:
        with self._lock:
            self._text = ""
            if self._drawn:
                self._write("\r" + " " * self._drawn + "\r")
                self._drawn = 0

    def _draw(self, text: str) -> None:
        if not self._shown:
            return
        # Spaces remove the old line, not an escape sequence, since a dumb terminal knows none.
        text = text[: self._columns() - 1]
        self._write("\r" + text.ljust(self._drawn))
        self._drawn = len(text)
        self._next = time.monotonic() + PAUSE

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80
