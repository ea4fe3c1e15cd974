"""Pictures of the lab that the person takes: a still as SVG, a recording as asciicast.

It knows the recorder and the workbench, not what the lab shows.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from caveats.errors import ConfigError, visible
from caveats_tui.recording.recorder import unused
from caveats_tui.screens.lab.kept_runs import KeepingScreen
from caveats_tui.text.settings import describe

if TYPE_CHECKING:
    from caveats_tui.recording.recorder import Recorder

__all__ = ["TapingScreen"]


class TapingScreen(KeepingScreen):
    """A screen that can be recorded; ``recorder`` is None where there is no terminal to record."""

    recorder: Recorder | None

    @property
    def taping(self) -> bool:
        return self.recorder is not None and self.recorder.recording

    def action_picture(self) -> None:
        try:
            self._notice(f"saved {self.app.save_screenshot(path='.')}")
        except OSError as error:
            self._notice(f"the picture could not be saved here: {error.strerror}")

    def action_record(self) -> None:
        recorder = self.recorder
        if recorder is None:
            self._notice("nothing to record: the screen is no terminal's")
        elif recorder.recording:
            said = recorder.stop()
            self._notice(f"{said}: caveats-tui play shows it")
        else:
            self._begin_taping(recorder)

    def _begin_taping(self, recorder: Recorder) -> None:
        recorder.stop()  # one whose disk was full
        path = unused(Path(), time.strftime("caveats-%Y-%m-%d-%H%M%S"))
        try:
            recorder.start(path, describe(self.bench.config, self.bench.outputs), midway=True)
        except ConfigError as error:
            self._notice(f"no recording: {error}")
            return
        self._notice(f"recording to {visible(str(path))}: ctrl+r ends it")
        self.refresh()  # all of it: a recording begins with a whole picture

    def _tape(self) -> None:
        """Once a frame: mark what was found, say what went wrong."""
        if self.recorder is None:
            return
        if self.recorder.problem:
            self.bench.notice = self.recorder.stop()
        elif self.recorder.recording:
            self.recorder.found(f"{v.severity}: {v.title}" for v in self.bench.verdicts())
