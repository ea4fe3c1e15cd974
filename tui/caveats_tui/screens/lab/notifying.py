"""Tells a person who is looking elsewhere: rings the bell or notifies the desktop when a long run
ends or a caveat is found in a run that goes on. Off until the user chooses it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from caveats.errors import visible
from caveats_tui.terminal.facts import inside

if TYPE_CHECKING:
    from textual.app import App

    from caveats_tui.bench.protocol import Bench

__all__ = ["Notifier", "sequence"]

LONG = 10.0  # seconds: nobody looks away from a shorter run
LONGEST = 200  # characters of a notification


def sequence(kind: str, sentence: str, environ: Mapping[str, str]) -> str:
    """What the terminal is to be sent. tmux passes an OSC 9 on only inside a sequence of its own
    (and if allow-passthrough is on)."""
    if kind == "off":
        return ""
    if kind == "bell":
        return "\a"
    said = f"\x1b]9;caveats: {visible(sentence)[:LONGEST]}\a"
    if "tmux" in inside(environ):
        return "\x1bPtmux;" + said.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return said


class Notifier:
    """``kind`` is asked at each message, since the user may change it."""

    def __init__(
        self, kind: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kind, self._clock = kind, clock
        self._run = 0
        self._began = 0.0
        self._running = False
        self._told: set[str] = set()

    def heed(self, bench: Bench, app: App[Any]) -> None:
        """Call once a frame."""
        for sentence in self.news(bench):
            said = sequence(self._kind(), sentence, os.environ)
            driver = app._driver
            if said and driver is not None and not app.is_headless:
                driver.write(said)

    def news(self, bench: Bench) -> list[str]:
        """What has happened since the last call and is worth a notification."""
        status, said = bench.status, []
        if status.run_number != self._run:
            self._run, self._running, self._told = status.run_number, False, set()
        if bench.running and not self._running:
            self._began = self._clock()
        if bench.running or self._running:
            for verdict in bench.verdicts():
                if verdict.severity != "note" and verdict.caveat not in self._told:
                    self._told.add(verdict.caveat)
                    said.append(f"{verdict.severity}: {verdict.title}: {verdict.what}")
        over = status.state in ("finished", "diverged", "failed")
        if self._running and over and self._clock() - self._began >= LONG:
            said.append(f"the run has {status.state} at step {status.step:,}")
        self._running = bench.running
        return said
