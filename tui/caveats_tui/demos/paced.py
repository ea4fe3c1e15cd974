"""A session that trains only as many steps as it is allowed, so that a demo shows the same numbers
at the same moments on any machine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from caveats.config import RunConfig
from caveats.session import Session
from caveats.status import Status
from caveats_tui.demos.steady import Steady

__all__ = ["PacedSession"]


class PacedSession(Session):
    """``pace`` is the speed that is shown, in steps a second; the caller keeps to it by how many
    steps it grants. With None, training runs as fast as it can."""

    def __init__(self, config: RunConfig, every: int, pace: float | None) -> None:
        self.pace = pace
        super().__init__(config, every if pace is None else Steady(every))

    def grant(self, steps: int) -> None:
        """Make ``steps`` steps of a running run, then wait."""
        self._commands.put(lambda: self._make(steps))

    def release(self) -> None:
        """Train on without waiting for grants."""
        self.pace = self._every = None  # at once: torch may still be loading
        self._commands.put(lambda: None)  # the worker may be waiting for steps

    async def done(self) -> None:
        """Wait until every command given so far has been done."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        self._commands.put(tell)
        await done.wait()

    @property
    def status(self) -> Status:
        return self._status

    @status.setter
    def status(self, status: Status) -> None:
        running = status.state == "running"
        if running and self.pace is not None:  # the measured speed differs from machine to machine
            status = replace(status, speed=self.pace)
        self._status = status

    # Everything below runs in the worker thread.

    def _advance(self) -> None:
        if self.pace is None:
            super()._advance()
        else:
            self._commands.get()()

    def _make(self, steps: int) -> None:
        for _ in range(steps):
            if not self._running:
                return
            super()._advance()
        if self._running:
            self._tell("running")
