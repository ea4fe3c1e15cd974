"""A session that trains only as many steps as it is granted, so that a demo shows the same numbers
at the same moments on any machine. It knows no script and no screen.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from caveats.config import RunConfig
from caveats.session import Session
from caveats.status import Status

__all__ = ["PacedSession"]


class PacedSession(Session):
    """``pace`` is the speed shown, in steps a second, and the caller's to keep by what it grants;
    None lets training run as fast as it can, as any other session's."""

    def __init__(self, config: RunConfig, every: int, pace: float | None) -> None:
        self.pace = pace
        self._fixed = every
        super().__init__(config, every)

    def grant(self, steps: int) -> None:
        """Make this many steps of a running run, then wait."""
        self._commands.put(lambda: self._make(steps))

    def release(self) -> None:
        """Wait for no more grants."""
        self.pace = None  # at once: torch may still be loading
        self._commands.put(self._free)

    async def done(self) -> None:
        """Wait until every command given so far was obeyed."""
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

    def _free(self) -> None:
        self._every = None

    def _restart(self, config: RunConfig, play: bool) -> None:
        super()._restart(config, play=False)
        if self.run is not None and self.pace is not None:
            from caveats_tui.recording.unhurried import unhurried  # torch is loaded by now

            unhurried(self.run, self._fixed)
        if play:
            self._play()
