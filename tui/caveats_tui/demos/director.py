"""Plays a script on the stage: captions, keys, training at the script's pace.

It waits for conditions, never for time to pass; a clock, real or virtual, tells the time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from textual.pilot import Pilot

from caveats_tui.demos.script import Scene, Script, Wait
from caveats_tui.demos.stage import Stage
from caveats_tui.recording.caption import show_caption

__all__ = ["Clock", "Director", "RealClock", "VirtualClock"]

FRAME = 0.25  # seconds between two frames: what a recording of 1 MB a minute allows
KEY = 0.5  # seconds between two keys, so that people can follow
TYPED = 0.2  # seconds between two letters of a word
PATIENCE = 120.0  # seconds that a scene may wait: a condition that is never met ends the demo


class Clock(Protocol):
    def __call__(self) -> float: ...

    async def elapse(self, seconds: float) -> None: ...


class VirtualClock:
    """Time that passes only when told to, so that a recording is made as fast as the machine
    can."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    async def elapse(self, seconds: float) -> None:
        self._now += seconds


class RealClock:
    """Real time; the time that a frame costs is part of the time for which it is shown."""

    def __init__(self) -> None:
        self._due = time.monotonic()

    def __call__(self) -> float:
        return time.monotonic()

    async def elapse(self, seconds: float) -> None:
        now = time.monotonic()
        self._due = max(self._due, now - FRAME) + seconds
        await asyncio.sleep(max(0.0, self._due - now))


class Director:
    """``mark`` is called with each key and each new verdict."""

    def __init__(
        self, stage: Stage, script: Script, clock: Clock, mark: Callable[[str], None]
    ) -> None:
        self._stage, self._script, self._clock, self._mark = stage, script, clock, mark
        self._pace = script.pace
        self._owed = 0.0  # the fraction of a training step that is left over from the last frame
        self._caption, self._key = "", ""
        self._seen: set[tuple[int, str, str]] = set()

    async def perform(self) -> None:
        """Play the script from the open lab to its end.

        Raises:
            TimeoutError: for a condition that is never met.
        """
        self._caption = self._script.scenes[0].caption  # can be read while torch is loaded
        await self._settle()
        for scene in self._script.scenes:
            await self._play(scene)
        await show_caption(self._stage.app, "")
        await self._stage.settle()

    async def _play(self, scene: Scene) -> None:
        if scene.pace is not None:
            self._pace = scene.pace
        if scene.caption:
            self._caption = scene.caption
        pilot: Pilot[None] = Pilot(self._stage.app)
        for key in scene.keys:
            self._key = key
            self._mark(f"key {key}")
            await pilot.press(key)
            await self._settle()
            await self._clock.elapse(TYPED if len(key) == 1 and len(scene.keys) > 2 else KEY)
        self._key = ""
        end = self._clock() + PATIENCE
        while scene.wait is not None and not self._holds(scene.wait):
            if self._clock() > end:
                raise TimeoutError(f"{scene.wait.kind} {scene.wait.value}".strip())
            await self._beat()
        end = self._clock() + scene.hold
        while self._clock() < end - 1e-9:
            await self._beat()

    async def _beat(self) -> None:
        """One frame: make the training steps that are due, show them, let the frame's time pass."""
        session = self._stage.session
        assert session is not None
        session.pace = self._pace
        if self._stage.bench.running:
            self._owed += self._pace * FRAME
            session.grant(int(self._owed))
            self._owed -= int(self._owed)
        else:
            self._owed = 0.0
        await self._stage.fill()
        await self._settle()
        await self._clock.elapse(FRAME)

    async def _settle(self) -> None:
        await show_caption(self._stage.app, self._caption, self._key)
        await self._stage.settle()
        bench = self._stage.bench
        for verdict in bench.verdicts():
            seen = bench.status.run_number, verdict.caveat, verdict.severity
            if seen not in self._seen:
                self._seen.add(seen)
                self._mark(f"{verdict.severity}: {verdict.title}, step {bench.status.step}")

    def _holds(self, wait: Wait) -> bool:
        bench = self._stage.bench
        if wait.kind == "verdict":
            return any(v.caveat == wait.value and v.severity != "note" for v in bench.verdicts())
        if wait.kind == "step":
            return bench.over or bench.status.step >= int(wait.value)
        if wait.kind == "map":
            return self._stage.map_is_full
        if wait.kind == "outcome":
            return bool(bench.cure and bench.cure.outcome)
        return bench.over
