"""Pictures of a screen that the user takes: a still as SVG, a recording as asciicast."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from caveats.errors import ConfigError, visible
from caveats_tui.recording.recorder import unused

if TYPE_CHECKING:
    from textual.app import App

    from caveats_tui.recording.recorder import Recorder
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["follow", "record_or_stop", "save_picture"]


class Taped(Protocol):
    """A screen of which pictures are taken."""

    @property
    def recorder(self) -> Recorder | None: ...
    @property
    def app(self) -> App[Any]: ...

    def notice(self, sentence: str) -> None:
        """Show a sentence."""

    def refresh(self) -> object:
        """Draw all of the screen again."""


def save_picture(screen: Taped) -> None:
    """Save the screen as SVG in the present folder."""
    try:
        screen.notice(f"saved {screen.app.save_screenshot(path='.')}")
    except OSError as error:
        screen.notice(f"the picture could not be saved here: {error.strerror}")


def record_or_stop(screen: Taped, title: str) -> None:
    """Start recording the terminal, or stop if a recording is going on."""
    recorder = screen.recorder
    if recorder is None:
        screen.notice("nothing to record: the screen is not on a terminal")
    elif recorder.recording:
        screen.notice(f"{recorder.stop()}: caveats-tui play shows it")
    else:
        begin(screen, recorder, title)


def begin(screen: Taped, recorder: Recorder, title: str) -> None:
    recorder.stop()  # a recording whose disk was full
    path = unused(Path(), time.strftime("caveats-%Y-%m-%d-%H%M%S"))
    try:
        recorder.start(path, title, midway=True)
    except ConfigError as error:
        screen.notice(f"no recording: {error}")
        return
    screen.notice(f"recording to {visible(str(path))}: ctrl+r ends it")
    screen.refresh()  # a recording begins with a whole picture


def follow(lab: LabScreen) -> None:
    """Call once a frame: mark new verdicts, and report trouble."""
    recorder = lab.recorder
    if recorder is None:
        return
    if recorder.problem:
        lab.bench.notice = recorder.stop()
    elif recorder.recording:
        recorder.found(f"{v.severity}: {v.title}" for v in lab.bench.verdicts())
