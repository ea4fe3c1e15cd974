"""Replays a recording in the present terminal: decides when to send what, and what each key does.

It uses the terminal only through ``send`` and ``size``; `caveats_tui.recording.sequences` decides
what may be sent.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable

from caveats.errors import visible
from caveats_tui.recording.cast import Recording, parse_size
from caveats_tui.recording.sequences import Filter
from caveats_tui.text.times import clock

__all__ = ["PLAYER_KEYS", "Player", "does_not_fit"]

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
SEEK = 5.0  # seconds

# What a terminal sends for a key, and the player's method for it: the same keys as in a replay of
# a kept run.
PLAYER_KEYS = {
    " ": "pause", ".": "step", "-": "slower", "+": "faster", "=": "faster", "<": "restart",
    ">": "to_end", "\x1b[D": "back", "\x1b[C": "forward", "\x1bOD": "back", "\x1bOC": "forward",
    "h": "back", "l": "forward", "m": "next_mark", "?": "help", "q": "leave", "\x1b": "leave",
}  # fmt: skip
HELP = "space pause · q leave · . step · - + speed · ← → seek · < > ends · m next mark"


def does_not_fit(needed: tuple[int, int], size: tuple[int, int]) -> str | None:
    """The sentence for a terminal that is too small for the recording, None if it fits."""
    if size[0] >= needed[0] and size[1] >= needed[1]:
        return None
    return (
        f"this recording needs {needed[0]}×{needed[1]} characters, "
        f"and this terminal has {size[0]}×{size[1]}"
    )


class Player:
    """Ask `due` how long nothing happens, tell `advance` how much time has passed, and give `press`
    the keys; all three are fast. ``send`` gets the texts for the terminal."""

    def __init__(
        self,
        recording: Recording,
        send: Callable[[str], None],
        size: tuple[int, int],
        *,
        speed: float = 1.0,
    ) -> None:
        self.recording = recording
        self.leaving = False
        self.paused = False
        self.speed = speed
        self.time = 0.0  # seconds of the recording that have been shown
        self._send = send
        self._events = recording.events
        self._times = [event.time for event in recording.events]
        self._next = 0  # the first event that has not been shown yet
        self._said = ""
        self.resize(size)

    # Time

    @property
    def over(self) -> bool:
        return self._next >= len(self._events)

    def due(self) -> float:
        """Seconds until something must be shown; infinite if nothing will be."""
        if self.paused or self.over or self._trouble:
            return math.inf
        return max(0.0, (self._times[self._next] - self.time) / self.speed)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` of real time pass."""
        if not (self.paused or self.over or self._trouble):
            self._show_until(self.time + seconds * self.speed)
        self._status()

    def _show_until(self, time: float) -> None:
        stop = bisect_right(self._times, time, lo=self._next)
        for event in self._events[self._next : stop]:
            if event.code == "o":
                self._send(self._filter.feed(event.data))
            elif event.code == "r" and (size := parse_size(event.data)):
                self._filter.rows = size[1]
        self._next = stop
        self.time = min(time, self.recording.seconds)

    def _from_the_start(self) -> None:
        self._filter = Filter(self.recording.size[1])
        self._send(self._filter.clear + "\x1b[?25l")
        self._next, self.time, self._said, self._mark = 0, 0.0, "", ""

    def seek(self, time: float) -> None:
        """Go to a moment; everything up to it is shown at once."""
        time = min(max(0.0, time), self.recording.seconds)
        if time < self.time:
            self._from_the_start()
        self._show_until(time)

    # Keys

    def press(self, key: str) -> None:
        """Do what a key, as sent by the terminal, stands for; other keys do nothing."""
        name = PLAYER_KEYS.get(key)
        if name is not None:
            self._mark = ""
            getattr(self, name)()
        self._status()

    def pause(self) -> None:
        if self.over:
            self.restart()
            return
        self.paused = not self.paused
        if not self.paused and not self._spare:
            self.resize(self._size)  # the status covered the last row

    def step(self) -> None:
        """Show the next picture and pause."""
        self.paused = True
        if not self.over and not self._trouble:
            times = self._times[self._next :]
            self._show_until(times[0])

    def slower(self) -> None:
        self.speed = max((s for s in SPEEDS if s < self.speed), default=SPEEDS[0])

    def faster(self) -> None:
        self.speed = min((s for s in SPEEDS if s > self.speed), default=SPEEDS[-1])

    def back(self) -> None:
        self.seek(self.time - SEEK)

    def forward(self) -> None:
        self.seek(self.time + SEEK)

    def next_mark(self) -> None:
        """Go to the next mark, or to the end if there is none."""
        marks = (e for e in self._events[self._next :] if e.code == "m" and e.time > self.time)
        mark = next(marks, None)
        self.seek(self.recording.seconds if mark is None else mark.time)
        self._mark = visible(mark.data[:60]) if mark else ""

    def help(self) -> None:
        """Pause, so that the keys stand below the recording, or on its last row."""
        self.paused = not self.over

    def restart(self) -> None:
        self.paused = False
        self._from_the_start()

    def to_end(self) -> None:
        self.seek(self.recording.seconds)

    def leave(self) -> None:
        self.leaving = True

    # The terminal

    def resize(self, size: tuple[int, int]) -> None:
        """The terminal has a new size: show the present moment again."""
        self._size = size
        self._trouble = does_not_fit(self.recording.largest, size)
        now = self.time
        self._from_the_start()
        self._show_until(now)
        self._status()

    @property
    def _spare(self) -> bool:
        """Whether the terminal has a row below the recording."""
        return self._size[1] > self.recording.largest[1]

    def _status(self) -> None:
        """The status line below the recording; if there is no row for it, it covers the recording's
        last row while the replay stands still."""
        columns, rows = self._size
        if self._trouble:
            text = f"{self._trouble}: make it larger, or press q"
        elif self._spare or self.paused or self.over:
            state = "over" if self.over else "paused" if self.paused else "plays"
            moment = f"{clock(int(self.time))}/{clock(int(self.recording.seconds))}"
            text = f" {state:<7}{moment}  {self.speed:g}×  {self._mark or HELP}"
        else:
            return
        text = text.ljust(columns)[:columns]
        if text != self._said:
            self._said = text
            # Save the cursor and its colours, write in the last row, restore.
            self._send(f"\x1b7\x1b[{rows};1H\x1b[0;7m{text}\x1b[0m\x1b8")
