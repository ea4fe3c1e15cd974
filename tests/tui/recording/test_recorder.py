"""The recorder: a recording is what the terminal got, with marks; it may begin at any time."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import Any

import pyte
import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.widgets import Static

from caveats.errors import ConfigError
from caveats_tui.recording.cast import Recording, read_cast
from caveats_tui.recording.offscreen import offscreen_driver
from caveats_tui.recording.recorder import Recorder

SIZE = (40, 6)


class Small(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("", id="said", markup=False)

    def on_key(self, event: events.Key) -> None:
        said = self.query_one("#said", Static)
        said.update(f"{said.content}{event.key}")


def typed(recorder: Recorder, keys: str, between: Any = None) -> str:
    """Run the app, type ``keys`` as a terminal would; gives all that the terminal got. ``between``
    is called with the app after the first key."""
    got: list[str] = []
    app = Small(driver_class=recorder.watch(offscreen_driver(got.append, SIZE)))

    async def perform(pilot: Any) -> None:
        for key in keys:
            app._driver.process_message(events.Key(key, key))  # type: ignore[union-attr]
            await pilot.pause()
            if between is not None and key == keys[0]:
                between(app)
        app.exit()

    asyncio.run(app.run_async(auto_pilot=perform))
    recorder.stop()
    return "".join(got)


def outputs(recording: Recording) -> str:
    return "".join(event.data for event in recording.events if event.code == "o")


def marks(recording: Recording) -> list[str]:
    return [event.data for event in recording.events if event.code == "m"]


def last_picture(text: str) -> list[str]:
    screen = pyte.Screen(*SIZE)
    pyte.Stream(screen).feed(text.removesuffix("\x1b[0m\x1b[?25h\x1b[?1049l"))
    return list(screen.display)


def test_a_recording_is_exactly_what_the_terminal_got(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.start(tmp_path / "a.cast", SIZE, "typing")
    got = typed(recorder, "abc")
    recording = read_cast(tmp_path / "a.cast")
    assert outputs(recording) == got
    assert marks(recording) == ["key a", "key b", "key c"]
    assert recording.size == SIZE
    assert recording.title == "typing"
    assert last_picture(got)[0].strip() == "abc"


def test_it_may_begin_while_the_app_runs(tmp_path: Path) -> None:
    recorder = Recorder()

    def begin(app: App[Any]) -> None:
        recorder.start(tmp_path / "b.cast", SIZE)
        recorder.picture(app)

    got = typed(recorder, "abc", begin)
    recording = read_cast(tmp_path / "b.cast")
    assert marks(recording) == ["key b", "key c"]
    assert last_picture(outputs(recording)) == last_picture(got)


def test_what_is_found_is_marked_once(tmp_path: Path) -> None:
    asked = count()
    clock = count()  # a second each time it is read

    def found() -> list[str]:
        return [] if next(asked) == 0 else ["critical: dying ReLU"]

    recorder = Recorder(found=found, clock=lambda: float(next(clock)))
    recorder.start(tmp_path / "c.cast", SIZE)
    typed(recorder, "ab")
    assert marks(read_cast(tmp_path / "c.cast")).count("critical: dying ReLU") == 1


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    recorder = Recorder()
    with pytest.raises(ConfigError, match="Is a directory"):
        recorder.start(tmp_path, SIZE)
    assert not recorder.recording
