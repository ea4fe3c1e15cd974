"""Plays a demo in the present terminal, or writes it as a recording without a terminal."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from textual import events
from textual.driver import Driver
from textual.message import Message
from textual.pilot import Pilot

from caveats_tui.demos.director import Director, RealClock, VirtualClock
from caveats_tui.demos.offscreen import offscreen_driver, true_colours
from caveats_tui.demos.script import Script
from caveats_tui.demos.stage import Stage
from caveats_tui.options import LabOptions, RecordingOptions, ScreenOptions
from caveats_tui.recording.caption import Caption
from caveats_tui.recording.cast import CastHeader, CastWriter
from caveats_tui.recording.recorder import Recorder
from caveats_tui.terminal.driver import driver_class
from caveats_tui.terminal.guard import guarded_streams

__all__ = ["play_demo", "record_demo"]

YOURS = "the lab is yours: ? shows all keys, q leaves"
_QUITS = frozenset({"q", "ctrl+q", "ctrl+c"})  # these keys end the demo too, and are passed on

LAST = 2.0  # seconds that the last picture is shown


def record_demo(
    script: Script,
    path: str | Path,
    size: tuple[int, int],
    *,
    version: int = 3,
    idle_limit: float | None = None,
    theme: str | None = None,
) -> None:
    """Write ``script`` as asciicast ``version`` at ``size`` (columns, rows). Times are those of the
    script, not of the machine, so two recordings are alike.

    Raises:
        ConfigError: where the file cannot be written.
        TimeoutError: for a condition of the script that is never met.
    """
    clock = VirtualClock()
    header = CastHeader(*size, script.title, version, {"TERM": "xterm-256color"})
    cast = CastWriter(path, header, idle_limit=idle_limit, clock=clock)
    maps = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    look = ScreenOptions(theme=theme)
    options = LabOptions(script.config, script.every, look, maps=Path(maps.name))
    stage = Stage(options, script.pace, driver_class=offscreen_driver(cast.output, size))
    app = stage.app
    true_colours(app)
    failure: list[TimeoutError] = []

    async def perform(pilot: Pilot[object]) -> None:
        try:
            await Director(stage, script, clock, cast.mark).perform()
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
        maps.cleanup()
    if failure:
        raise failure[0]


def play_demo(script: Script, screen: ScreenOptions) -> int:
    """Play ``script`` in the present terminal, which `caveats_tui.terminal.facts.check` must have
    accepted. At any key or click, and at the end, the user takes over the app. Returns the exit
    code."""
    maps = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    options = LabOptions(script.config, script.every, screen, maps=Path(maps.name))
    encoding = "ascii" if options.plain else "utf-8"
    with guarded_streams(encoding) as guard:
        person = Person()
        recorder = Recorder(guard.output, RecordingOptions())
        driver = person.watch(driver_class(guard))
        stage = Stage(options, script.pace, recorder=recorder, driver_class=driver)
        app = stage.app

        async def perform(pilot: Pilot[object]) -> None:
            director = Director(stage, script, RealClock(), lambda mark: None)
            show = asyncio.create_task(director.perform())
            person.wait_for(show.cancel)
            while app.is_running and not show.done():
                await asyncio.wait({show}, timeout=0.2)
            show.cancel()
            await asyncio.wait({show})
            failed = not show.cancelled() and show.exception() is not None
            if app.is_running:
                await hand_over(stage, f"the demo stopped: {show.exception()}" if failed else YOURS)

        app.charts.start()
        try:
            app.run(auto_pilot=perform)
        finally:
            app.charts.stop()
            recorder.stop()
            maps.cleanup()
    return app.return_code or 0


async def hand_over(stage: Stage, notice: str) -> None:
    """Let training run freely and tell the user that the lab is theirs."""
    for screen in stage.app.screen_stack:
        for caption in screen.query(Caption):
            await caption.remove()
    stage.release()
    stage.bench.notice = notice


class Person:
    """Notices the first key or click of the user, which is not passed on unless it quits."""

    def __init__(self) -> None:
        self._then: Callable[[], object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def wait_for(self, then: Callable[[], object]) -> None:
        """Call ``then`` on this loop once."""
        self._loop, self._then = asyncio.get_running_loop(), then

    def watch(self, base: type[Driver]) -> type[Driver]:
        """A driver that also reports the user's input."""
        person = self

        def process_message(driver: Driver, message: Message) -> None:
            if not person.took(message):
                base.process_message(driver, message)

        return type("WatchedDriver", (base,), {"process_message": process_message})

    def took(self, message: Message) -> bool:
        """Called on the thread that reads keys."""
        then, loop = self._then, self._loop
        if then is None or loop is None:
            return False
        if not isinstance(message, (events.Key, events.MouseDown, events.Paste)):
            return False
        self._then = None
        with suppress(RuntimeError):  # the demo ended just now
            loop.call_soon_threadsafe(then)
        return not (isinstance(message, events.Key) and message.key in _QUITS)
