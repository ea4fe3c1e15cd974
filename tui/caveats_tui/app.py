"""The app: wires the lab's screen, the drawing process and the themes; it decides nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual.app import App, SystemCommand
from textual.screen import Screen

from caveats.config import RunConfig
from caveats_tui.charts.process import ChartProcess
from caveats_tui.charts.spec import Charset
from caveats_tui.lab.screen import LabScreen
from caveats_tui.themes import THEMES

__all__ = ["CaveatsApp", "run_lab"]


class CaveatsApp(App[None]):
    """``charts`` must be running, or be started by the caller before `run`."""

    TITLE = "caveats"
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        config: RunConfig,
        *,
        every: int | None = None,
        fps: float = 10.0,
        charset: Charset = "braille",
        theme: str = "caveats-dark",
        **textual: Any,
    ) -> None:
        super().__init__(**textual)
        for own in THEMES:
            self.register_theme(own)
        self.theme = theme
        self.charts = ChartProcess(on_ready=self._charts_ready, on_trouble=self._chart_trouble)
        self.lab = LabScreen(config, self.charts, every=every, fps=fps, charset=charset)
        self._mounted = False

    def get_default_screen(self) -> Screen[Any]:
        return self.lab

    def on_mount(self) -> None:
        self._mounted = True

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        yield from self.lab.commands()
        yield SystemCommand("theme", "Choose the colours of the program.", self.action_change_theme)

    # Called on the drawing process's thread.

    def _charts_ready(self) -> None:
        if self._mounted:
            self._hand_over(self.lab.charts_drawn)

    def _chart_trouble(self, key: str, sentence: str) -> None:
        if self._mounted:
            self._hand_over(lambda: self.lab.chart_trouble(key, sentence))

    def _hand_over(self, action: Any) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(action)


def run_lab(
    config: RunConfig,
    *,
    every: int | None = None,
    fps: float = 10.0,
    charset: Charset = "braille",
    mouse: bool = True,
    theme: str = "caveats-dark",
) -> None:
    """Open the lab in the present terminal and return when the person leaves it."""
    app = CaveatsApp(config, every=every, fps=fps, charset=charset, theme=theme)
    # Before the app runs: Textual replaces stderr, which breaks starting processes later.
    app.charts.start()
    try:
        app.run(mouse=mouse)
    finally:
        app.charts.stop()
