"""The atlas from the lab: m asks for axes, enter trains the cell with the curve of the map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caveats.config import RunConfig
from caveats.sweeps import Plan, Sweep, parse_axis
from caveats.sweeps.work import work
from caveats_tui.screens.atlas.axes import AskAxes
from caveats_tui.screens.atlas.screen import AtlasScreen

BASE = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 60},
        "network": {"widths": [4]},
        "training": {"steps": 30, "batch_size": 20, "device": "cpu"},
    }
)


def test_enter_trains_the_cell_with_the_same_curve_and_m_goes_back(
    drive: Callable[..., None], tmp_path: Path
) -> None:
    axes = [parse_axis(text, BASE) for text in ("optimizer.lr=0.1,0.2", "network.width=3,5")]
    sweep = Sweep.create(tmp_path / "s", Plan.of(BASE, axes))
    for task in sweep.missing():
        assert work(str(sweep.folder), task) == "done"
    losses = {cell: outcome.loss for cell, outcome, _ in sweep.results()}

    async def scenario(lab: Any) -> None:
        await lab.until(lambda: isinstance(lab.app.screen, AtlasScreen))
        await lab.until("4 of 4")
        assert "optimizer.lr 0.2   network.width 5" in lab.text
        await lab.press("down", "enter")
        await lab.state("finished")
        assert lab.bench.config == BASE.changed({"optimizer.lr": 0.2, "network.widths": [3]})
        loss = lab.bench.session.run.history.snapshot().scalar("loss")[-1]
        assert loss == pytest.approx(losses[2], rel=1e-5)
        await lab.press("m")
        assert isinstance(lab.app.screen, AtlasScreen)
        # Another cell trains too, although the run before it is over.
        await lab.press("down", "left", "enter")
        await lab.until(lambda: lab.bench.status.run_number == 3)
        await lab.state("finished")
        loss = lab.bench.session.run.history.snapshot().scalar("loss")[-1]
        assert loss == pytest.approx(losses[0], rel=1e-5)
        await lab.press("m", "escape", "m")
        assert isinstance(lab.app.screen, AskAxes)

    drive(scenario, BASE, drawing=False, sweep=sweep)


def test_m_asks_for_axes_and_shows_an_empty_map(
    drive: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AtlasScreen, "_start", lambda screen: None)  # it would train

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("m", "enter", "enter")
        await lab.until("not trained yet")
        assert "network.depth" in lab.text
        folders = list((tmp_path / "atlases").iterdir())
        assert len(folders) == 1
        assert len(Sweep(folders[0]).plan.cells) == 16 * 8

    drive(scenario, BASE, (80, 24), drawing=False, place=tmp_path / "runs")
