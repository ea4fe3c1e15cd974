"""A workbench that plays a kept run again: its records come as they came, at a chosen speed.

It owns the playhead. What a watched run is belongs to `caveats_tui.bench.following`; it knows no
widget.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from caveats.history import Snapshot
from caveats.runs.reader import Reader
from caveats.status import LIVE
from caveats_tui.bench.following import Watching
from caveats_tui.charts.pace import BUSY_FPS
from caveats_tui.charts.trace import Trace

__all__ = ["WHOLE", "Replaying", "record_times"]

WHOLE = 30.0  # seconds that a replay takes unless its speed is chosen
SPEED_RANGE = (2.0**-10, 2.0**20)  # the slowest and the fastest


class Replaying(Watching):
    """``speed`` is how many times as fast as it was trained, None for all of it in `WHOLE` seconds.
    The cursor is the newest record that has come."""

    frames = BUSY_FPS

    def __init__(
        self,
        reader: Reader,
        speed: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(reader)
        self.playing = True
        self._clock, self._then = clock, clock()
        self._at = 0.0  # seconds of training that have been shown
        times = self._times()
        whole = float(times[-1]) if len(times) else 0.0
        self.speed = speed or (max(SPEED_RANGE[0], whole / WHOLE) if whole else 1.0)
        self._show()

    def _times(self) -> npt.NDArray[np.float64]:
        return record_times(self.reader.history.snapshot())

    def heed(self) -> None:
        """Once a frame: let the time since the last one pass."""
        super().heed()
        now = self._clock()
        passed, self._then = now - self._then, now
        if self.playing:
            self._at += passed * self.speed
            self._show()

    def _show(self) -> None:
        """Put the cursor where the time has come to; stop at the end of a run that is over."""
        times, steps = self._times(), self.reader.history.snapshot().steps
        if not len(steps):
            return
        row = max(0, int(np.searchsorted(times[: len(steps)], self._at, side="right")) - 1)
        self.cursor = int(steps[row])
        if row == len(steps) - 1:
            self._at = float(times[-1])
            self.playing = self.playing and self.reader.status.state in LIVE and not self.silent

    # What there is to say

    @property
    def hint(self) -> str:
        if self.playing:
            return "a replay: space pauses, + faster, - slower, , and . step"
        return "a replay: space plays, + faster, - slower, , and . step"

    @property
    def mode(self) -> tuple[str, str] | None:
        if self.silent and not self.playing:
            return super().mode
        return ("▸" if self.playing else "‖"), f"replay {self.speed:.3g}×"

    def trace(self) -> Trace | None:
        """Only what has come: charts grow as they did."""
        whole = super().trace()
        if whole is None or self.cursor is None:
            return whole
        seen, cursor = whole.seen, self.cursor
        events = tuple(event for event in seen.events if event.step <= cursor)
        come = Snapshot(seen.steps, seen.table, seen.cube, seen.states, events)
        return replace(whole, snapshot=come, cursor=None)

    # Keys

    def play_or_pause(self) -> None:
        self.notice = ""
        if not self.playing and self._at >= float(self._times()[-1:].sum()):
            self._at = 0.0
        self.playing = not self.playing

    def step(self) -> None:
        self.look_back(1)

    def look_back(self, records: int) -> None:
        """Pause, and go so many records on, or back."""
        self.notice, self.playing = "", False
        steps = self.reader.history.snapshot().steps
        if len(steps):
            row = min(max(0, self._row(steps) + records), len(steps) - 1)
            self._at = float(self._times()[row])
            self.cursor = int(steps[row])

    def hasten(self, times: float) -> None:
        self.notice = ""
        self.speed = min(max(SPEED_RANGE[0], self.speed * times), SPEED_RANGE[1])


def record_times(snapshot: Snapshot) -> npt.NDArray[np.float64]:
    """When each record came, in seconds of training since the first, (records,). Never falls: a
    resumed run counts anew. Where no time was kept, one second a record."""
    seconds = snapshot.scalar("seconds")
    pauses = np.diff(seconds, prepend=seconds[:1])
    pauses = np.where(np.isfinite(pauses), np.maximum(pauses, 0.0), 0.0)
    times: npt.NDArray[np.float64] = np.cumsum(pauses)
    if len(times) and times[-1] <= 0:
        return np.arange(len(times), dtype=float)
    return times
