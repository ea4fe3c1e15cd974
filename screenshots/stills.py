"""The stills: which screens there are pictures of, and the keys that lead to each.

It drives the real app and knows no file format. Training is paced, so that the same numbers come
out each time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from textual.pilot import Pilot

from caveats.config import RunConfig
from caveats_tui.recording.stage import StagedApp
from screenshots.cells import Picture, from_app

__all__ = ["STILLS", "Still", "shoot"]

CHUNK = 5  # steps granted at once: the screen follows as it would in a terminal

Act = str | int  # a key to press, or a number of steps to train

DYING: dict[str, Any] = {
    "optimizer.name": "adam", "optimizer.lr": 0.3, "training.steps": 400,
}  # fmt: skip
VANISHING: dict[str, Any] = {
    "network.widths": [64] * 20, "network.init": "torch_default", "training.steps": 400,
}  # fmt: skip
MOONS: dict[str, Any] = {
    "data.name": "moons", "network.widths": [16, 16], "network.activation": "tanh",
    "network.init": "xavier_normal", "training.steps": 400,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Still:
    """``acts`` lead from the open lab to the screen that ``caption`` describes."""

    name: str
    caption: str
    changes: dict[str, Any]
    acts: tuple[Act, ...]
    size: tuple[int, int] = (120, 40)
    theme: str = "caveats-dark"
    every: int = field(default=5)


STILLS: tuple[Still, ...] = (
    Still("lab", "A learning rate of 0.3 kills 99 % of the ReLU units", DYING, ("space", 200)),
    Still("cure", "The cure, with the failed run behind it, dim", DYING,
          ("space", 200, "f", 400)),
    Still("explain", "What dying ReLU is, why it happened here, what to try", DYING,
          ("space", 200, "x")),
    Still("vanishing", "A vanishing gradient opens like a fan", VANISHING, ("space", 200)),
    Still("gallery", "The experiments, each with what it shows and its cure", {}, ("e",)),
    Still(
        "theory", "What theory predicted, dotted, beside what was measured", VANISHING,
        ("space", 20, "2", "v", "z"),
    ),
    Still("picker", "Choosing an activation", {}, ("a",)),
    Still("remedies", "What could cure a verdict", DYING, ("space", 200, "F")),
    Still("help", "All keys", {}, ("question_mark",)),
    Still("neurons", "One cell a neuron", DYING, ("space", 40, "4", "z")),
    Still("boundary", "The decision boundary while it forms", MOONS,
          ("space", 120, "4", "v", "z")),
    Still("small", "The lab in 80×24 cells", DYING, ("space", 200), (80, 24)),
    Still("light", "The light theme", DYING, ("space", 200), theme="caveats-light"),
)  # fmt: skip


def shoot(still: Still) -> Picture:
    """The screen as cells."""
    return asyncio.run(_shoot(still))


async def _shoot(still: Still) -> Picture:
    config = RunConfig().changed({**still.changes, "training.device": "cpu"}, still.name)
    app = StagedApp(config, every=still.every, pace=50.0, theme=still.theme)
    app.charts.start()
    try:
        async with app.run_test(size=still.size) as pilot:
            await app.settle()
            for act in still.acts:
                await _act(app, pilot, act)
            return from_app(app)
    finally:
        app.charts.stop()


async def _act(app: StagedApp, pilot: Pilot[None], act: Act) -> None:
    if isinstance(act, str):
        await pilot.press(act)
        await app.settle()
        return
    assert app.session is not None
    for _ in range(0, act, CHUNK):
        app.session.grant(CHUNK)
        await app.settle()
