"""The app as scripts drive it: paced training, nothing that blinks, and a way to wait until all
that is going to be drawn has been drawn. It knows no script.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from caveats.config import RunConfig
from caveats_tui.app import CaveatsApp
from caveats_tui.charts.process import ChartProcess
from caveats_tui.charts.spec import Charset, Chart, Drawn
from caveats_tui.lab.screen import LabScreen
from caveats_tui.recording.paced import PacedSession, PacedWorkbench
from caveats_tui.themes import THEMES

__all__ = ["StagedApp"]

LOOK = 0.002  # seconds between two looks at whether the drawing process is done


class StagedCharts(ChartProcess):
    """A drawing process that can say whether it is done."""

    _drawing = False

    @property
    def idle(self) -> bool:
        """Whether all that was asked for has been drawn and fetched."""
        with self._wake:
            return not (self._waiting or self._drawing or self._drawn)

    def _attempt(self, key: str, chart: Chart) -> Drawn | str:
        self._drawing = True
        return super()._attempt(key, chart)

    def _settle(self, key: str, answer: Drawn | str) -> None:
        super()._settle(key, answer)
        self._drawing = False


class StagedApp(CaveatsApp):
    """The lab with a paced session; ``every`` and ``pace`` as `PacedSession`'s."""

    def __init__(
        self,
        config: RunConfig,
        *,
        every: int,
        pace: float | None,
        charset: Charset = "braille",
        theme: str = THEMES[0].name,
        **textual: Any,
    ) -> None:
        super().__init__(config, every=every, charset=charset, theme=theme, **textual)
        self.animation_level = "none"
        self.charts = self._staged = StagedCharts(
            on_ready=self._charts_ready, on_trouble=self._chart_trouble
        )
        self.lab = LabScreen(config, self.charts, every=every, fps=10.0, charset=charset)
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
        self.lab._frame()
        await self._theory()
        self.lab._frame()
        await self.session.done()  # a chart may have asked it
        await asyncio.sleep(0)
        idle = 0  # twice in a row: between being taken and being drawn a chart shows nowhere
        while idle < 2:
            idle = idle + 1 if self._staged.idle else 0
            await asyncio.sleep(LOOK)
        await pilot.pause(0)

    async def _theory(self) -> None:
        thread: threading.Thread | None = self.bench._forecaster._thread
        while thread is not None and thread.is_alive():
            await asyncio.sleep(LOOK)
