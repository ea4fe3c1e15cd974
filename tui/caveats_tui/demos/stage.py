"""The app as scripts drive it: paced training, nothing that blinks, and a way to wait until all
that is going to be drawn has been drawn. It knows no script.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from caveats.config import RunConfig
from caveats_tui.app import CaveatsApp
from caveats_tui.charts.process import ChartProcess
from caveats_tui.charts.spec import Charset, Chart, Drawn
from caveats_tui.demos.paced import PacedSession, PacedWorkbench
from caveats_tui.screens.lab.screen import LabScreen
from caveats_tui.themes import THEMES

__all__ = ["StagedApp"]

LOOK = 0.002  # seconds between two looks at whether the drawing process is done


class StagedCharts(ChartProcess):
    """A drawing process that can say whether it is done."""

    def __init__(self, *callbacks: Any) -> None:
        super().__init__(*callbacks)
        self._asked: dict[str, Chart] = {}  # the newest for each key, until it is drawn
        self._drawing: Chart | None = None

    @property
    def idle(self) -> bool:
        """Whether all that was asked for has been drawn and fetched."""
        with self._wake:
            return not (self._asked or self._drawn)

    def submit(self, key: str, chart: Chart) -> None:
        with self._wake:
            super().submit(key, chart)
            if key in self._waiting:  # else it has failed too often
                self._asked[key] = chart

    def _attempt(self, key: str, chart: Chart) -> Drawn | str:
        self._drawing = chart
        return super()._attempt(key, chart)

    def _settle(self, key: str, answer: Drawn | str) -> None:
        super()._settle(key, answer)
        with self._wake:
            if self._asked.get(key) is self._drawing:
                del self._asked[key]


class StagedLab(LabScreen):
    """Looks at the run only when told, while training is paced: what a look finds, and what the
    judge makes of it, would else depend on how far the worker has come by then."""

    def _frame(self) -> None:
        session = self.bench.session
        if session is None or (isinstance(session, PacedSession) and session.pace is None):
            super()._frame()

    def look(self) -> None:
        super()._frame()


class StagedApp(CaveatsApp):
    """The lab with a paced session; ``every`` and ``pace`` as `PacedSession`'s. It keeps no runs
    and lists those in ``place``."""

    def __init__(
        self,
        config: RunConfig,
        *,
        every: int,
        pace: float | None,
        charset: Charset = "braille",
        theme: str = THEMES[0].name,
        place: Path | None = None,
        **textual: Any,
    ) -> None:
        super().__init__(config, every=every, charset=charset, theme=theme, **textual)
        self.animation_level = "none"
        self.charts = self._staged = StagedCharts(self._charts_ready, self._chart_trouble)
        self.lab = self._lab = StagedLab(
            config,
            self.charts,
            every=every,
            fps=10.0,
            charset=charset,
            place=place,
            recorder=self.recorder,
        )
        self.lab.bench = self.bench = PacedWorkbench(config, every, pace)

    @property
    def session(self) -> PacedSession | None:
        return self.bench.session

    async def settle(self) -> None:
        """Wait until commands are obeyed, charts drawn and theory computed, and all is shown."""
        pilot: Pilot[None] = Pilot(self)
        await pilot.pause(0)
        while self.session is None:
            await asyncio.sleep(LOOK)
        await self.session.done()
        for box in self.screen.query(Input):
            box.cursor_blink = False
        self._lab.look()
        await self._theory()
        self._lab.look()
        await self.session.done()  # a chart may have asked it
        await asyncio.sleep(0)
        while not self._staged.idle:
            await asyncio.sleep(LOOK)
        if len(self.screen_stack) > 1:
            # Textual repaints what lies behind a window only with the window: at any moment or none
            self.screen.refresh()
        await pilot.pause(0)

    async def _theory(self) -> None:
        thread: threading.Thread | None = self.bench._forecaster._thread
        while thread is not None and thread.is_alive():
            await asyncio.sleep(LOOK)
