"""Records what an app draws while it runs: a tee on the driver's way to the terminal.

It knows no screen: what is worth a mark beside keys is told by ``found``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App
from textual.driver import Driver
from textual.message import Message

from caveats_tui.recording.cast import CastWriter

__all__ = ["Recorder"]

LOOK = 0.2  # seconds between two questions to ``found``


def nothing() -> Iterable[str]:
    return ()


class Recorder:
    """``App(driver_class=recorder.watch(base))`` gives it all that the terminal gets; it is kept
    between `start` and `stop`. ``found`` gives the labels that hold now, as "critical: dying ReLU":
    each new one becomes a mark. Costs nothing while it does not record."""

    def __init__(
        self,
        *,
        version: int = 3,
        idle_limit: float | None = None,
        found: Callable[[], Iterable[str]] = nothing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.found = found
        self.path: Path | None = None
        self._cast: CastWriter | None = None
        self._version, self._idle_limit, self._clock = version, idle_limit, clock
        self._known: frozenset[str] = frozenset()
        self._looked = clock()

    @property
    def recording(self) -> bool:
        return self._cast is not None

    @property
    def problem(self) -> str:
        """Why the file is no longer written to, empty while it is."""
        return "" if self._cast is None else self._cast.problem

    def start(self, path: str | Path, size: tuple[int, int], title: str = "") -> None:
        """Write to ``path`` from now on; ``size`` is the terminal's columns and rows.

        Raises:
            ConfigError: where the file cannot be written.
        """
        self._cast = CastWriter(
            path,
            *size,
            title=title,
            version=self._version,
            idle_limit=self._idle_limit,
            env={"TERM": "xterm-256color"},
            timestamp=int(time.time()),
            clock=self._clock,
        )
        self.path, self._known = Path(path), frozenset()

    def picture(self, app: App[Any]) -> None:
        """Put the whole screen into a recording that starts while an app is on it."""
        if self._cast is None:
            return
        update = app.screen._compositor.render_update(
            full=True, screen_stack=app._background_screens
        )
        drawn = update.render_segments(app.console)  # type: ignore[union-attr]
        self._cast.output(f"\x1b[?1049h\x1b[2J\x1b[H\x1b[?25l{drawn}")

    def stop(self) -> None:
        """End the recording, if one is going on; the file is whole."""
        if self._cast is not None:
            self._cast.close()
            self._cast = None

    def watch(self, base: type[Driver]) -> type[Driver]:
        """The driver, with its output and its keys seen by this recorder."""
        recorder = self

        def write(driver: Driver, data: str) -> None:
            base.write(driver, data)
            recorder._wrote(driver, data)

        def process_message(driver: Driver, message: Message) -> None:
            cast = recorder._cast
            if cast is not None and isinstance(message, events.Key):
                cast.mark(f"key {message.key}")
            base.process_message(driver, message)

        return type("RecordedDriver", (base,), {"write": write, "process_message": process_message})

    def _wrote(self, driver: Driver, data: str) -> None:
        cast = self._cast
        if cast is None:
            return
        size = driver._size
        if size is not None and tuple(size) != cast.size:
            cast.resize(*size)
        cast.output(data)
        now = self._clock()
        if now - self._looked >= LOOK:
            self._looked = now
            labels = frozenset(self.found())
            for label in sorted(labels - self._known):
                cast.mark(label)
            self._known = labels
