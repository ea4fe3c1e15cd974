"""Fixtures for tests of the lab: made-up records, and the app under Textual's pilot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import Static

from caveats.config import RunConfig
from caveats.history import History
from caveats.measures import LAYER_MEASURES
from caveats_tui.app import CaveatsApp
from caveats_tui.charts.trace import Trace
from caveats_tui.options import LabOptions, ScreenOptions
from caveats_tui.screens.lab.panel import Panel

PATIENCE = (
    120.0  # seconds until a test that waits in vain fails; those that pass never wait so long
)


class Lab:
    """The app under test, and what a person sees of it."""

    def __init__(self, app: CaveatsApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def bench(self) -> Any:
        return self.app.lab.bench

    @property
    def rows(self) -> list[str]:
        """The screen as rows of text."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows)

    @property
    def message(self) -> str:
        """The message above the footer, in one line."""
        message: Any = self.app.front.query_one("#message", Static)
        return " ".join(str(message.said).split())

    def panel(self, number: int) -> Panel:
        return self.app.lab.query_one(f"#chart-{number}", Panel)

    def visible(self) -> list[int]:
        """The numbers of the charts on the screen."""
        return [p.number for p in self.app.lab.query(Panel) if p.display and p.region.area]

    async def press(self, *keys: str) -> None:
        """Press keys, each once what the key before it did is on the screen.

        Not the pilot's own: it waits until the process is idle, which takes 2 s a key while a
        network is being trained in it.
        """
        for key in keys:
            self._send(key)
            await self.calm()

    def burst(self, text: str) -> None:
        """Type ``text`` so fast that it arrives in one piece."""
        for character in text:
            self._send("enter" if character == "\r" else character)

    def burst_keys(self, *keys: str) -> None:
        """Press keys, by their names, so fast that they arrive in one piece."""
        for key in keys:
            self._send(key)

    def _send(self, key: str) -> None:
        name = _character_to_key(key) if len(key) == 1 else key
        event = Key(name, key if len(key) == 1 else {"space": " "}.get(key))
        event.set_sender(self.app)
        assert self.app._driver is not None
        self.app._driver.send_message(event)

    async def calm(self) -> None:
        """Until every message has been taken, and those that it led to, and theirs."""
        for _ in range(4):
            await self.pilot._wait_for_screen()
        self.app.screen._on_timer_update()

    def recorded(self) -> list[str]:
        """A list that will hold what the app writes to a terminal from now on."""
        written: list[str] = []

        def display(screen: Any, update: Any) -> None:
            if update is not None:
                written.append(update.render_segments(self.app.console))

        self.app._display = display  # type: ignore[method-assign, assignment]
        return written

    async def until(self, wanted: str | Callable[[], object]) -> None:
        """Let the app go on until ``wanted`` is on the screen, or is true."""
        deadline = time.monotonic() + PATIENCE

        def there() -> object:
            return wanted in self.text if isinstance(wanted, str) else wanted()

        while not there():
            assert time.monotonic() < deadline, f"{wanted} never came:\n{self.text}"
            await self.pilot.pause(0.01)

    async def state(self, *states: str) -> None:
        """Until the session is in one of these states."""
        await self.until(lambda: self.bench.status.state in states)

    async def opened(self) -> None:
        """Until torch is there and step 0 was measured."""
        await self.state("paused", "failed")
        await self.calm()

    async def drawn(self) -> None:
        """Until every visible chart shows the newest record and the drawing process is at rest."""
        charts = self.app.charts

        def at_rest() -> bool:
            self.app.lab.frame()
            with charts._wake:
                idle = not charts._waiting and not charts._drawn
            return idle and all(self.panel(n).rows for n in self.visible())

        session = getattr(self.bench, "session", None)
        if session is not None:
            assert session.settled()  # a chart may have asked it
        calm = 0
        while calm < 3:  # an answer is neither waiting nor drawn while it is being made
            await self.until(at_rest)
            before = [self.panel(n).rows for n in self.visible()]
            await self.pilot.pause(0.05)
            calm = calm + 1 if before == [self.panel(n).rows for n in self.visible()] else 0


Scenario = Callable[[Lab], Awaitable[None]]


@pytest.fixture(scope="session")
def drive() -> Callable[..., None]:
    """``drive(scenario, config, size)`` opens the lab and lets ``scenario`` work in it. Without
    ``drawing`` no chart comes back, which saves the start of a process."""

    def run(
        scenario: Scenario,
        config: RunConfig | None = None,
        size: tuple[int, int] = (120, 40),
        every: int | None = None,
        drawing: bool = True,
        **options: Any,
    ) -> None:
        async def body() -> None:
            look = {key: options.pop(key) for key in ("fps", "charset", "theme") if key in options}
            options["screen"] = ScreenOptions(**look)
            app = CaveatsApp(LabOptions(config or RunConfig(), every, **options))
            if drawing:
                app.charts.start()
            try:
                async with app.run_test(size=size) as pilot:
                    await scenario(Lab(app, pilot))
            finally:
                app.charts.stop()

        asyncio.run(body())

    return run


@pytest.fixture(scope="session")
def configured() -> Callable[..., RunConfig]:
    """``configured(**{"optimizer.lr": 0.3})``: the default config with these changes."""

    def make(changes: dict[str, Any] | None = None, **more: Any) -> RunConfig:
        return RunConfig().changed({**(changes or {}), **more}, "test")

    return make


def made_history(
    layers: int = 3, records: int = 5, every: int = 10, seed: int = 0, units: int = 8
) -> History:
    """Records of a network of ``layers`` hidden layers, every number drawn at random."""
    rng = np.random.default_rng(seed)
    names = (*(f"layer {i + 1}" for i in range(layers)), "output")
    history = History(names)
    for record in range(records):
        values = {name: rng.uniform(0.1, 2.0, layers + 1) for name in LAYER_MEASURES}
        values["units"] = np.full(layers + 1, float(units))
        values["dead"] = rng.integers(0, units + 1, layers + 1).astype(float)
        scalars = {"loss": rng.uniform(0.1, 3.0), "accuracy": rng.uniform(0, 1)}
        scalars["sharpness"] = 10.0 + record
        states = tuple(rng.integers(0, 4, units).astype(np.uint8) for _ in range(layers))
        states = (*states, np.full(units, 4, np.uint8))
        history.append(record * every, scalars, values, states)
    return history


@pytest.fixture(scope="session")
def made() -> Callable[..., Trace]:
    """``made(layers, records, seed=...)``: a trace of random numbers."""

    def trace(*args: int, steps: int = 100, **kwargs: int) -> Trace:
        history = made_history(*args, **kwargs)
        return Trace(history.snapshot(), history.layers, steps)

    return trace
