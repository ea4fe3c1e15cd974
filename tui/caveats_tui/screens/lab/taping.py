"""Pictures of the lab that the user takes: a still as SVG, a recording as asciicast."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from caveats.errors import ConfigError, visible
from caveats_tui.recording.recorder import unused
from caveats_tui.text.settings import describe

if TYPE_CHECKING:
    from caveats_tui.recording.recorder import Recorder
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["follow", "record_or_stop", "save_picture"]


def save_picture(lab: LabScreen) -> None:
    """Save the screen as SVG in the present folder."""
    try:
        lab.notice(f"saved {lab.app.save_screenshot(path='.')}")
    except OSError as error:
        lab.notice(f"the picture could not be saved here: {error.strerror}")


def record_or_stop(lab: LabScreen) -> None:
    """Start recording the terminal, or stop if a recording is going on."""
    recorder = lab.recorder
    if recorder is None:
        lab.notice("nothing to record: the screen is not on a terminal")
    elif recorder.recording:
        lab.notice(f"{recorder.stop()}: caveats-tui play shows it")
    else:
        begin(lab, recorder)


def begin(lab: LabScreen, recorder: Recorder) -> None:
    recorder.stop()  # a recording whose disk was full
    path = unused(Path(), time.strftime("caveats-%Y-%m-%d-%H%M%S"))
    try:
        recorder.start(path, describe(lab.bench.config, lab.bench.outputs), midway=True)
    except ConfigError as error:
        lab.notice(f"no recording: {error}")
        return
    lab.notice(f"recording to {visible(str(path))}: ctrl+r ends it")
    lab.refresh()  # all of it: a recording begins with a whole picture


def follow(lab: LabScreen) -> None:
    """Call once a frame: mark new verdicts, and report trouble."""
    recorder = lab.recorder
    if recorder is None:
        return
    if recorder.problem:
        lab.bench.notice = recorder.stop()
    elif recorder.recording:
        recorder.found(f"{v.severity}: {v.title}" for v in lab.bench.verdicts())
