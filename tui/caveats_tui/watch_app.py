"""The app of a watched command: its screen, the drawing process and the themes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App
from textual.screen import Screen

from caveats_tui.bench.child import Child
from caveats_tui.charts.process import ChartProcess
from caveats_tui.options import LabOptions
from caveats_tui.recording.recorder import Recorder
from caveats_tui.screens.lab.tools import Tools
from caveats_tui.screens.watch.screen import WatchScreen
from caveats_tui.screens.windows import hand_over
from caveats_tui.terminal.driver import driver_class
from caveats_tui.terminal.guard import guarded_streams
from caveats_tui.themes import THEMES

__all__ = ["WatchApp", "run_watch_screen"]


class WatchApp(App[None]):
    """The caller starts ``charts`` before `run`, and stops it after."""

    TITLE = "caveats watch"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        folder: Path,
        options: LabOptions,
        child: Child | None = None,
        *,
        recorder: Recorder | None = None,
        **textual: Any,
    ) -> None:
        super().__init__(**textual)
        for own in THEMES:
            self.register_theme(own)
        self.theme = options.screen.theme or THEMES[0].name
        self.charts = ChartProcess(on_ready=self._charts_ready, on_trouble=self._trouble)
        tools = Tools(self.charts, recorder=recorder)
        self.watch_screen = WatchScreen(folder, tools, options, child)

    def get_default_screen(self) -> Screen[Any]:
        return self.watch_screen

    @property
    def front(self) -> WatchScreen:
        """The screen that is on top: one with a kept run may lie over the first."""
        found = (s for s in self.screen_stack[::-1] if isinstance(s, WatchScreen))
        return next(found, self.watch_screen)

    async def on_event(self, event: events.Event) -> None:
        pressed = isinstance(event, (events.Key, events.MouseDown)) and not event.is_forwarded
        if pressed and self.screen_stack[-1:] == [self.front]:
            self.front.forget()
        await super().on_event(event)

    def action_picture(self) -> None:
        """ctrl+s on a screen over this one."""
        self.front.action_picture()
        self.notify(self.front.said, markup=False)

    def action_record(self) -> None:
        """ctrl+r on a screen over this one."""
        self.front.action_record()
        self.notify(self.front.said, markup=False)

    async def action_quit(self) -> None:
        self.watch_screen.action_leave()

    def action_help_quit(self) -> None:
        self.watch_screen.action_leave()

    # Called on the drawing process's thread.

    def _charts_ready(self) -> None:
        hand_over(self, self.watch_screen, lambda app: app.front.charts_drawn(), self)

    def _trouble(self, key: str, sentence: str) -> None:
        self.log(f"{key}: {sentence}")


def run_watch_screen(folder: Path, options: LabOptions, child: Child | None = None) -> int | None:
    """Show the run in ``folder`` in the present terminal until the user leaves it. Returns the
    signal that ended it instead, None without one."""
    with guarded_streams("ascii" if options.plain else "utf-8") as guard:
        recorder = Recorder(guard.output, options.recording)
        app = WatchApp(folder, options, child, recorder=recorder, driver_class=driver_class(guard))
        app.charts.start()
        try:
            app.run(mouse=options.screen.mouse)
        finally:
            app.charts.stop()
            recorded = recorder.stop()
    if recorded and not guard.output.lost:
        print(recorded, file=sys.stderr)
    return guard.signal
