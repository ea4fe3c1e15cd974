"""A demo as a recording, made without a terminal. What it shows is its script's business."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from caveats_tui.charts.spec import Charset
from caveats_tui.recording.cast import CastWriter
from caveats_tui.recording.director import Director, VirtualClock
from caveats_tui.recording.offscreen import offscreen_driver, true_colours
from caveats_tui.recording.script import Script
from caveats_tui.recording.stage import StagedApp
from caveats_tui.themes import THEMES

__all__ = ["record_demo"]

LAST = 2.0  # seconds that the last picture stays


def record_demo(
    script: Script,
    path: str | Path,
    size: tuple[int, int],
    *,
    version: int = 3,
    idle_limit: float | None = None,
    charset: Charset = "braille",
    theme: str = THEMES[0].name,
    told: Callable[[str], None] = lambda mark: None,
) -> None:
    """Write ``script`` as asciicast ``version`` at ``size`` (columns, rows). Its times are those
    of the script, not of the machine: two recordings are alike. ``told`` hears of each mark.

    Raises:
        ConfigError: where the file cannot be written.
        TimeoutError: for a condition of the script that does not come.
    """
    clock = VirtualClock()
    cast = CastWriter(
        path, *size, title=script.title, version=version, idle_limit=idle_limit,
        env={"TERM": "xterm-256color"}, clock=clock,
    )  # fmt: skip

    def mark(label: str) -> None:
        cast.mark(label)
        told(label)

    app = StagedApp(
        script.config, every=script.every, pace=script.pace, charset=charset, theme=theme,
        driver_class=offscreen_driver(cast.output, size),
    )  # fmt: skip
    true_colours(app)
    failure: list[TimeoutError] = []

    async def perform(pilot: Pilot[None]) -> None:
        try:
            await Director(app, script, clock, mark).perform()
            await clock.elapse(LAST)
        except TimeoutError as error:
            failure.append(error)
        app.exit()

    app.charts.start()
    try:
        asyncio.run(app.run_async(auto_pilot=perform, mouse=False))
    finally:
        app.charts.stop()
        cast.close()
    if failure:
        raise failure[0]
