"""Whole screens, cell by cell, at four sizes, compared with the text files beside this one.

``pytest tests/tui/lab/test_lab_pictures.py --snapshot-update`` writes them anew; read the diff.
They contain characters only: colours are tested where they are chosen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from caveats.config import RunConfig
from caveats_tui.bench.elapsed import Elapsed


class Picture(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    _file_extension = "txt"


# Few steps, so that what machines round differently stays below what a cell shows.
SMALL = {
    "data.name": "moons", "network.widths": [32, 32], "training.steps": 20,
    "training.device": "cpu",
}  # fmt: skip
NOTHING_HAPPENS = {**SMALL, "network.init": "zeros", "network.activation": "tanh"}
SINE = {**SMALL, "data.name": "sine", "optimizer.lr": 0.01}

Scene = Callable[[Any], Awaitable[None]]


async def at_rest(lab: Any) -> None:
    """Theory is there and drawn, and so is everything else."""
    await lab.until(lambda: lab.bench.forecast is not None and lab.bench.forecast.prediction)
    await lab.drawn()


async def trained(lab: Any) -> None:
    await lab.press("space")
    await lab.state("finished")
    await lab.until("step 20/20")
    await at_rest(lab)


async def looked_at(lab: Any) -> None:
    await trained(lab)
    await lab.press("4", "v")
    await lab.until(lambda: lab.panel(4).has_focus)
    await lab.drawn()


async def across_layers(lab: Any) -> None:
    await trained(lab)
    await lab.press("2", "v", "z")
    await lab.until(lambda: lab.visible() == [2])
    await lab.drawn()


async def choosing(lab: Any) -> None:
    await at_rest(lab)
    await lab.press("a", *"sigm")


async def compared(lab: Any) -> None:
    await trained(lab)
    await lab.press("i", *"xavier_normal", "enter")
    await lab.state("paused")
    await trained(lab)
    await lab.press("right_square_bracket", "3")
    await lab.until(lambda: lab.panel(3).has_focus)
    await at_rest(lab)


async def steady(lab: Any) -> None:
    """Until looks in a row see the same: Textual lays out what was updated a moment later."""
    same, before = 0, None
    while same < 3:
        await lab.pilot.pause(0.05)
        same, before = (same + 1 if lab.rows == before else 0), lab.rows


async def explained(lab: Any) -> None:
    await lab.until("symmetry")
    await at_rest(lab)
    await lab.press("x")
    view = lab.app.screen.query_one("#chart-explain")
    await lab.until(lambda: view.rows)
    await steady(lab)


SCENES: dict[str, tuple[Scene, dict[str, Any], str]] = {
    "trained": (trained, SMALL, "braille"),
    "boundary": (looked_at, SMALL, "braille"),
    "fit": (looked_at, SINE, "braille"),
    "across": (across_layers, SMALL, "braille"),
    "choosing": (choosing, SMALL, "braille"),
    "compared": (compared, SMALL, "braille"),
    "explained": (explained, NOTHING_HAPPENS, "braille"),
    "ascii": (looked_at, SMALL, "ascii"),
}


SMALLEST, USUAL, WIDE, LARGE = (60, 16), (80, 24), (120, 40), (200, 55)
SHOWN = [
    *((scene, size) for size in (SMALLEST, USUAL, WIDE) for scene in SCENES if scene != "ascii"),
    *(("ascii", size) for size in (USUAL, WIDE)),
    *((scene, LARGE) for scene in ("trained", "explained")),
]


@pytest.mark.parametrize(
    ("scene", "size"), [pytest.param(s, wh, id=f"{s}-{wh[0]}x{wh[1]}") for s, wh in SHOWN]
)
def test_the_screen_is_as_it_was(
    scene: str,
    size: tuple[int, int],
    drive: Callable[..., None],
    configured: Callable[..., RunConfig],
    snapshot: SnapshotAssertion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Elapsed, "count", lambda *args: None)  # a slow machine shows seconds
    play, changes, charset = SCENES[scene]
    seen: list[str] = []

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await play(lab)
        seen.append("".join(f"{row.rstrip()}\n" for row in lab.rows))

    drive(scenario, configured(changes), size, every=1, charset=charset)
    assert seen[0] == snapshot(extension_class=Picture)
