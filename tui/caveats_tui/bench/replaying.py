"""Plays a kept run again: its records appear in the order and rhythm of the training, at a chosen
speed.

It knows a run's reader and a clock; messages about the run come from `caveats_tui.bench.following`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from caveats.history import Snapshot
from caveats.runs.manifest import SILENT_AFTER
from caveats.runs.reader import Reader
from caveats.status import LIVE
from caveats_tui.charts.trace import Trace

__all__ = ["WHOLE", "Replay", "record_times", "trained"]

WHOLE = 30.0  # seconds that a replay takes unless the user chooses a speed
SPEED_RANGE = (2.0**-10, 2.0**20)  # the slowest and the fastest speed


class Replay:
    """``speed`` is a multiple of the speed of the training, None for all of it in `WHOLE` seconds;
    ``step`` is the step of the newest record that has appeared, None where there are no records."""

    def __init__(
        self,
        reader: Reader,
        speed: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.playing = True
        self.step: int | None = None
        self._reader = reader
        self._clock, self._then = clock, clock()
        self._at = 0.0  # seconds of training that have been shown
        times = self._times()
        whole = float(times[-1]) if len(times) else 0.0
        self.speed = speed or (max(SPEED_RANGE[0], whole / WHOLE) if whole else 1.0)
        self._show()

    def pass_time(self) -> None:
        """Call once a frame: let the time since the last frame pass."""
        now = self._clock()
        passed, self._then = now - self._then, now
        if self.playing:
            self._at += passed * self.speed
            self._show()

    def come(self, whole: Trace) -> Trace:
        """The part of ``whole`` that has appeared so far, so that charts grow as in the
        training."""
        seen, step = whole.seen, self.step
        if step is None:
            return whole
        events = tuple(event for event in seen.events if event.step <= step)
        come = Snapshot(seen.steps, seen.table, seen.cube, seen.states, events)
        return replace(whole, snapshot=come, cursor=None)

    @property
    def mode(self) -> tuple[str, str]:
        """A symbol and words for the header."""
        speed = f"{self.speed:.2g}" if self.speed < 100 else f"{self.speed:,.0f}"
        return ("▸" if self.playing else "‖"), f"replay {speed}×"

    @property
    def hint(self) -> str:
        """Which keys can be pressed."""
        word = "pauses" if self.playing else "plays"
        return f"a replay: space {word}, + faster, - slower, , and . step"

    def play_or_pause(self) -> None:
        """Pause or play; play from the start if everything has been shown."""
        if not self.playing and self._at >= float(self._times()[-1:].sum()):
            self._at = 0.0
        self.playing = not self.playing

    def look_back(self, records: int) -> None:
        """Pause, and move by ``records`` records."""
        self.playing = False
        steps = self._reader.history.snapshot().steps
        if len(steps):
            now = -1 if self.step is None else self.step
            row = max(0, int(np.searchsorted(steps, now, side="right")) - 1)
            row = min(max(0, row + records), len(steps) - 1)
            self._at = float(self._times()[row])
            self.step = int(steps[row])

    def hasten(self, times: float) -> None:
        """Multiply the speed by ``times``."""
        self.speed = min(max(SPEED_RANGE[0], self.speed * times), SPEED_RANGE[1])

    def _times(self) -> npt.NDArray[np.float64]:
        return record_times(self._reader.history.snapshot())

    def _show(self) -> None:
        """Show the records up to the present time; stop at the last record of a run that is
        over."""
        times, steps = self._times(), self._reader.history.snapshot().steps
        if not len(steps):
            return
        row = max(0, int(np.searchsorted(times[: len(steps)], self._at, side="right")) - 1)
        self.step = int(steps[row])
        if row == len(steps) - 1:
            self._at = float(times[-1])
            self.playing = self.playing and trained(self._reader)


def trained(reader: Reader) -> bool:
    """Whether a process seems to train the run: it is not over and not silent."""
    return reader.status.state in LIVE and reader.silent < SILENT_AFTER


def record_times(snapshot: Snapshot) -> npt.NDArray[np.float64]:
    """When each record was made, in seconds of training since the first, (records,). The times
    never fall, although a resumed run counts from 0 again. Where no times were kept, each record
    takes one second."""
    seconds = snapshot.scalar("seconds")
    pauses = np.diff(seconds, prepend=seconds[:1])
    pauses = np.where(np.isfinite(pauses), np.maximum(pauses, 0.0), 0.0)
    times: npt.NDArray[np.float64] = np.cumsum(pauses)
    if len(times) and times[-1] <= 0:
        return np.arange(len(times), dtype=float)
    return times
