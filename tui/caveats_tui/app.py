"""The app: wires the lab's screen, the drawing process and the themes; it decides nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App, SystemCommand
from textual.screen import Screen

from caveats.config import RunConfig
from caveats.runs.reader import Reader
from caveats.runs.shelf import default_place
from caveats_tui.charts.process import ChartProcess
from caveats_tui.charts.spec import Charset
from caveats_tui.recording.caption import show_key
from caveats_tui.recording.recorder import Recorder
from caveats_tui.recording.wish import Wish
from caveats_tui.screens.lab.screen import LabScreen
from caveats_tui.terminal.driver import driver_class
from caveats_tui.terminal.guard import guarded_streams
from caveats_tui.text.settings import describe
from caveats_tui.themes import THEMES

if TYPE_CHECKING:
    from caveats_tui.terminal.output import Output

__all__ = ["CaveatsApp", "run_lab"]


class CaveatsApp(App[None]):
    """The caller starts ``charts`` before `run`, and stops it after. ``output`` tells how long the
    terminal takes to swallow a frame. Runs are kept in ``place``, None for nowhere; with a
    ``reader`` the lab begins by watching its run, or by replaying it as `LabScreen` says.
    ``recorder`` records the terminal.
    """

    TITLE = "caveats"
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        config: RunConfig,
        *,
        every: int | None = None,
        fps: float = 10.0,
        charset: Charset = "braille",
        theme: str = THEMES[0].name,
        output: Output | None = None,
        place: Path | None = None,
        reader: Reader | None = None,
        replay: float | None = None,
        recorder: Recorder | None = None,
        **textual: Any,
    ) -> None:
        super().__init__(**textual)
        for own in THEMES:
            self.register_theme(own)
        self.theme = theme
        self.charts = ChartProcess(on_ready=self._charts_ready, on_trouble=self._chart_trouble)
        self.lab = LabScreen(
            config, self.charts, every=every, fps=fps, charset=charset, output=output,
            place=place, reader=reader, replay=replay, recorder=recorder,
        )  # fmt: skip
        self.recorder = recorder
        self._mounted = False

    def get_default_screen(self) -> Screen[Any]:
        return self.lab

    async def action_quit(self) -> None:
        """Textual's ctrl-q, which comes before any screen's keys: ask here too."""
        self.lab.action_leave()

    def action_help_quit(self) -> None:
        """Textual's ctrl-c."""
        self.lab.action_leave()

    @property
    def front(self) -> LabScreen:
        """The lab on the screen, or behind what is on it: a kept run may lie over the first."""
        labs = (screen for screen in self.screen_stack[::-1] if isinstance(screen, LabScreen))
        return next(labs, self.lab)

    async def on_event(self, event: events.Event) -> None:
        recorder = self.recorder
        if (
            recorder is not None
            and recorder.recording
            and isinstance(event, events.Key)
            and not event.is_forwarded  # else it has bubbled up from where it was sent before
        ):
            recorder.key(event.key)
            if recorder.wish.show_keys:
                await show_key(self, event.key)
        await super().on_event(event)

    def on_mount(self) -> None:
        self._mounted = True

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        yield from self.front.commands()
        yield SystemCommand("theme", "Choose the colours of the program.", self.action_change_theme)

    # Called on the drawing process's thread.

    def _charts_ready(self) -> None:
        if self._mounted:
            self._hand_over(lambda: self.front.charts_drawn())

    def _chart_trouble(self, key: str, sentence: str) -> None:
        if self._mounted:
            self._hand_over(lambda: self.front.chart_trouble(key, sentence))

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
    theme: str = THEMES[0].name,
    reader: Reader | None = None,
    replay: float | None = None,
    wish: Wish,
) -> int:
    """Open the lab in the present terminal, which `caveats_tui.terminal.facts.check` has found
    fit; gives the exit code once the person has left it. Its runs are kept among all others. With a
    ``reader`` it begins by watching that run, or by replaying it. ``wish`` says what is recorded,
    and how.

    Raises:
        ConfigError: where that file cannot be written.
    """
    encoding = "ascii" if charset == "ascii" else "utf-8"
    with guarded_streams(encoding) as guard:
        recorder = Recorder(guard.output, wish)
        if wish.path is not None:
            recorder.start(wish.path, describe(config, None))
        app = CaveatsApp(
            config,
            every=every,
            fps=fps,
            charset=charset,
            theme=theme,
            output=guard.output,
            place=default_place(),
            reader=reader,
            replay=replay,
            recorder=recorder,
            driver_class=driver_class(guard),
        )
        # Before the app runs: Textual replaces stderr, which breaks starting processes later.
        app.charts.start()
        try:
            app.run(mouse=mouse)
        finally:
            app.charts.stop()
            recorded = recorder.stop()
    if recorded and not guard.output.lost:
        print(recorded, file=sys.stderr)
    return app.return_code or 0
