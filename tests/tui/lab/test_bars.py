"""The header says how far a run has come, and what is left at its present speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from caveats.config import RunConfig
from caveats_tui.screens.lab.bars import ahead
from caveats_tui.screens.lab.panel import whole


@pytest.mark.parametrize(
    ("step", "steps", "speed", "said"),
    [
        (420, 1000, 10.0, "42 %  0:58 left"),
        (0, 3600, 1.0, "0 %  1:00:00 left"),
        (1000, 1000, 10.0, "100 %  0:00 left"),
        (2000, 1000, 10.0, "100 %  0:00 left"),  # the number of steps was lowered
        (10, 1000, 0.0, ""),
        (10, 0, 5.0, ""),
    ],
)
def test_what_is_done_and_what_is_left(step: int, steps: int, speed: float, said: str) -> None:
    assert ahead(step, steps, speed) == said


def test_the_step_moves_between_two_records(
    drive: Callable[..., None], configured: Callable[..., RunConfig]
) -> None:
    """With a record every million steps: the charts stand still, and the header counts."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("space")
        seen: set[str] = set()

        def counts() -> bool:
            seen.add(lab.rows[0].rpartition("step ")[2].partition("/")[0])
            return len(seen) > 3

        await lab.until(counts)
        await lab.until(" left ")
        assert len(lab.bench.trace().snapshot) == 1

    settings = {"data.name": "moons", "network.widths": [8], "training.steps": 10**8}
    drive(scenario, configured(settings), every=10**6, drawing=False)


@pytest.mark.parametrize(
    ("room", "title"),
    [
        (50, "2 gradient norm (log): layer 1 0.45 · out 2.3"),
        (42, "2 gradient norm (log): 0.45 · out 2.3"),
        (34, "2 gradient norm: 0.45 · out 2.3"),
    ],
)
def test_the_title_of_a_chart_is_never_cut_before_its_value(room: int, title: str) -> None:
    assert whole("2 gradient norm", " (log)", "layer 1 0.45 · out 2.3", room) == title


def test_a_narrow_chart_names_its_counts() -> None:
    assert whole("1 dead neurons by layer", "", "188 of 192", 26) == "1 dead neurons: 188 of 192"
    assert whole("1 dead neurons by layer", "", "188 of 192", 20) == "1 dead: 188 of 192"


def test_no_key_is_silent(drive: Callable[..., None], configured: Callable[..., RunConfig]) -> None:
    """A key that can do nothing says why."""

    async def scenario(lab: Any) -> None:
        await lab.press("g")
        assert "no curves yet" in lab.message or lab.bench.ghost is not None
        await lab.opened()
        await lab.press("3", "v")
        await lab.until("chart 3 has only this view")
        await lab.press("space")
        await lab.state("finished")
        for key in ("s", "space"):
            lab.bench.notice = ""
            await lab.press(key)
            assert "the run is over" in lab.message
        await lab.press("u")
        assert "nothing to undo" in lab.message

    settings = {"data.name": "moons", "network.widths": [8], "training.steps": 20}
    drive(scenario, configured(settings), drawing=False)
