"""The app as scripts drive it: training is paced, nothing blinks, and one can wait until everything
has been drawn."""

from __future__ import annotations

import asyncio
from typing import Any

from textual.geometry import Size
from textual.pilot import Pilot
from textual.widgets import Input

from caveats.config import RunConfig
from caveats.runs.keeper import Keeper
from caveats.sweeps.work import work
from caveats_tui.app import CaveatsApp
from caveats_tui.bench.training import Training
from caveats_tui.demos.paced import PacedSession
from caveats_tui.options import LabOptions
from caveats_tui.recording.recorder import Recorder

__all__ = ["Stage"]

PEEK = 0.002  # seconds between two looks at whether the drawing process is done


class Stage:
    """An ``app`` whose ``bench`` trains at a ``pace``, by a `PacedSession`. It keeps no runs; its
    list of runs shows those in the place that ``options`` name.

    While training is paced, the lab looks at the run only when told to: otherwise what it sees and
    judges would depend on how far the worker has come.
    """

    def __init__(
        self,
        options: LabOptions,
        pace: float | None,
        *,
        recorder: Recorder | None = None,
        **textual: Any,
    ) -> None:
        assert options.every is not None
        self._every, self._pace = options.every, pace
        self._released = False
        self.session: PacedSession | None = None
        self.bench = Training(options.config, options.every, session=self._opened, timed=False)
        self.app = CaveatsApp(options, bench=self.bench, recorder=recorder, **textual)
        self.app.animation_level = "none"
        self.app.lab.held = self._held

    def _opened(self, config: RunConfig, every: int | None, keeper: Keeper | None) -> PacedSession:
        self.session = PacedSession(config, self._every, self._pace)
        if self._released:
            self.session.release()
        return self.session

    def _held(self) -> bool:
        return self.session is not None and self.session.pace is not None

    def release(self) -> None:
        """Let training run freely, from its start if it has not begun."""
        self._released = True
        if self.app.atlas is not None:
            self.app.atlas.go_on()
        if self.session is not None:
            self.session.release()

    @property
    def map_is_full(self) -> bool:
        """Whether the map on the screen has all its cells; True if there is none."""
        atlas = self.app.atlas
        return atlas is None or not atlas.sweep.missing()

    async def fill(self) -> None:
        """Train the next cells of the map on the screen, if there is one: so many, and no other
        ones, on any machine."""
        atlas = self.app.atlas
        if atlas is not None and (missing := atlas.sweep.missing()):
            await asyncio.to_thread(work, str(atlas.sweep.folder), missing[0])
            atlas.look()

    async def settle(self) -> None:
        """Wait until commands are done, charts drawn and theory computed, and everything is
        shown."""
        app = self.app
        pilot: Pilot[None] = Pilot(app)
        await pilot.pause(0)
        while self.session is None:
            await asyncio.sleep(PEEK)
        await self.session.done()
        for box in app.screen.query(Input):
            box.cursor_blink = False
        app.lab.look()
        while self.bench.predicting or (app.atlas is not None and app.atlas.computes):
            await asyncio.sleep(PEEK)
        sizes: list[Size] | None = None
        while sizes != (sizes := [panel.size for panel in app.lab.query("Panel")]):
            # Lines that come in below the charts leave them less room: then they are drawn again.
            app.lab.look()
            await self.session.done()  # a chart may have asked it
            await asyncio.sleep(0)
            while not app.charts.idle:
                await asyncio.sleep(PEEK)
            await pilot.pause(0)
        if len(app.screen_stack) > 1 and app.atlas is None:  # an atlas hides what lies behind it
            # Textual repaints what lies behind a window only with the window: at any time
            app.screen.refresh()
        await pilot.pause(0)
