"""A driver without a terminal: Textual's output at a given size goes to a function; no key ever
comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from rich.color import ColorSystem
from textual import events
from textual.app import App
from textual.driver import Driver
from textual.geometry import Size

__all__ = ["offscreen_driver", "true_colours"]


class _Offscreen(Driver):
    take: ClassVar[Callable[[str], None]]
    dimensions: ClassVar[tuple[int, int]]

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=False, size=self.dimensions)

    def write(self, data: str) -> None:
        type(self).take(data)

    def start_application_mode(self) -> None:
        self.write("\x1b[?1049h\x1b[2J\x1b[H\x1b[?25l")
        size = Size(*self.dimensions)
        event = events.Resize(size, size)
        asyncio.run_coroutine_threadsafe(self._app._post_message(event), loop=self._loop)

    def disable_input(self) -> None:
        """Nothing to do: there is no input."""

    def stop_application_mode(self) -> None:
        self.write("\x1b[0m\x1b[?25h\x1b[?1049l")


def offscreen_driver(take: Callable[[str], None], size: tuple[int, int]) -> type[Driver]:
    """A class for ``App(driver_class=...)`` that calls ``take`` with every text that a terminal of
    ``size`` (columns, rows) would get."""
    return type("OffscreenDriver", (_Offscreen,), {"take": staticmethod(take), "dimensions": size})


def true_colours(app: App[Any]) -> None:
    """Write 24-bit colours, whatever the environment says: the recording is for other terminals."""
    app.console._color_system = ColorSystem.TRUECOLOR
