"""The lab keeps its runs: what leaving does with them, and that trouble is said once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from caveats.runs import checkpoint
from caveats.runs.manifest import Manifest
from caveats.runs.reader import Reader

SMALL = {"data.name": "moons", "network.widths": [8], "training.steps": 1_000_000}


async def training(lab: Any) -> None:
    await lab.opened()
    await lab.press("space")
    await lab.until(lambda: lab.bench.status.step > 20 and lab.bench.folder is not None)


def kept(place: Path) -> list[Path]:
    return [folder for folder in place.iterdir() if not folder.name.startswith(".")]


def test_leaving_keeps_the_run_whole(
    drive: Callable[..., None], configured: Callable[..., Any], tmp_path: Path
) -> None:
    async def scenario(lab: Any) -> None:
        await training(lab)
        await lab.press("q")
        assert "the run is kept" in lab.text
        await lab.press("y")

    drive(scenario, configured(SMALL), drawing=False, place=tmp_path)
    [folder] = kept(tmp_path)
    end = Manifest.read(folder).standing
    assert end.state == "stopped"
    assert end.step == checkpoint.read(folder).step > 20
    assert Reader(folder).history.version[0] <= end.step


def test_discarding_moves_the_run_to_the_trash(
    drive: Callable[..., None], configured: Callable[..., Any], tmp_path: Path
) -> None:
    async def scenario(lab: Any) -> None:
        await training(lab)
        await lab.press("q", "d")

    drive(scenario, configured(SMALL), drawing=False, place=tmp_path)
    assert not kept(tmp_path)
    [trashed] = (tmp_path / ".trash").iterdir()
    assert Manifest.read(trashed).standing.state == "stopped"


def test_a_run_that_made_no_step_is_not_kept(
    drive: Callable[..., None], configured: Callable[..., Any], tmp_path: Path
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("q")

    drive(scenario, configured(SMALL), drawing=False, place=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_place_that_cannot_be_written_is_reported_once_and_the_run_goes_on(
    drive: Callable[..., None], configured: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("space")
        await lab.until("the run goes on, but is not kept")
        await lab.press("space", "space")  # another key, and the sentence is gone
        step = lab.bench.status.step
        await lab.until(lambda: lab.bench.status.step > step)
        assert "not kept" not in lab.message
        assert [note for note in lab.bench.notes if "not kept" in note] == lab.bench.notes
        assert len(lab.bench.notes) == 1

    drive(scenario, configured(SMALL), size=(160, 40), drawing=False, place=tmp_path / "file" / "x")
