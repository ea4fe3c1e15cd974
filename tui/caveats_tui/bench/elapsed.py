"""Counts the seconds that the present run has trained, without its pauses."""

from __future__ import annotations

import time

from caveats.status import Status

__all__ = ["Elapsed"]


class Elapsed:
    """``seconds`` begin at 0 with each new run."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._run, self._until = 0, time.monotonic()

    def count(self, status: Status) -> None:
        now = time.monotonic()
        if status.run_number != self._run:
            self.seconds = 0.0
        elif status.state == "running":
            self.seconds += now - self._until
        self._run, self._until = status.run_number, now
