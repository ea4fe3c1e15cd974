"""The gallery draws what each experiment and its cure cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rich.text import Text

from caveats.experiments import experiments
from caveats_tui.charts.spec import Look
from caveats_tui.charts.widget import RowsView
from caveats_tui.screens.gallery import fitting
from caveats_tui.screens.pictures import Bars, pictures, spark_lines

BARS = "▁▂▃▄▅▆▇█×"  # × stands for a loss that is not finite
CURED = [experiment.name for experiment in experiments().values() if experiment.cure]


def bars(name: str, room: int = 100) -> list[str]:
    lines = [line.renderable for line in spark_lines(name, plain=False)]
    return [line.text(room).plain for line in lines if isinstance(line, Bars)]


def words(name: str) -> list[str]:
    lines = [line.renderable for line in spark_lines(name, plain=False)]
    return [line.plain for line in lines if isinstance(line, Text)]


@pytest.mark.parametrize("name", CURED)
def test_every_cure_ends_lower_than_the_run_that_it_cures(name: str) -> None:
    """Also where the cure measures the loss in another unit, or weighs classes anew."""
    bad, good = (BARS.index(line[-1]) for line in bars(name))
    assert good < bad


@pytest.mark.parametrize("room", [5, 21, 30, 60])
def test_small_pictures_fit_the_room_and_keep_first_and_last(room: int) -> None:
    for whole, line in zip(bars("mass_extinction"), bars("mass_extinction", room), strict=True):
        assert len(line) == min(room, len(whole))
        assert (line[0], line[-1]) == (whole[0], whole[-1])


def test_where_rows_are_held_out_the_loss_is_theirs() -> None:
    assert all("held-out loss" in line for line in words("learnt_by_heart"))
    assert not any("held-out" in line for line in words("one_in_twenty"))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("unscaled", "target_in_dollars"),
        ("class imb", "one_in_twenty"),
        ("overfit", "learnt_by_heart"),
    ],
)
def test_an_experiment_is_found_by_its_caveat(typed: str, name: str) -> None:
    assert name in [experiment.name for experiment in fitting(typed)]


@pytest.mark.parametrize("name", list(experiments()))
def test_each_experiment_has_two_charts_of_its_run_and_of_its_cure(name: str) -> None:
    experiment = experiments()[name]
    kinds = {"bad", "cured"} if experiment.cure else {"bad"}
    loss, measure = pictures(name)
    for picture in (loss, measure):
        assert set(picture.curves) == kinds
        for kind in kinds:
            steps, values = picture.curves[kind]
            assert steps.shape == values.shape
            assert (np.diff(steps) > 0).all()
            if kind == "cured":  # a run that diverges ends early
                assert steps[-1] == experiment.cured.training.steps
        chart = picture.chart(Look(60, 12))
        assert len(chart.curves) == len(kinds)
        assert chart.y_limits is not None


def test_the_measure_tells_the_caveat_from_its_cure() -> None:
    """More units are dead; the flattest layer is flatter; less of the gradient is left."""
    for experiment in experiments().values():
        _, measure = pictures(experiment.name)
        if experiment.caveat == "dying_relu":
            bad, cured = (measure.curves[kind][1].max() for kind in ("bad", "cured"))
            assert bad > cured, experiment.name
        elif experiment.caveat in ("saturation", "vanishing_gradient"):
            bad, cured = (measure.curves[kind][1].min() for kind in ("bad", "cured"))
            assert bad < cured, experiment.name


def test_what_is_only_observed_is_marked(drive: Callable[..., None]) -> None:
    async def scenario(lab: Any) -> None:
        await lab.press("e")
        await lab.until("○ edge_of_stability")
        assert "○ to observe, not to cure" in lab.text
        assert "○ mass_extinction" not in lab.text

    drive(scenario, size=(120, 60), drawing=False)


def test_charts_where_there_is_room_small_pictures_where_not(drive: Callable[..., None]) -> None:
    async def roomy(lab: Any) -> None:
        await lab.press("e", *"mass")
        screen = lab.app.screen
        await lab.until(lambda: all(view.rows for view in screen.query(RowsView)))
        assert "loss (1 = a guess):  as it is 1.01   with the cure 6.52e-04" in lab.text
        assert "dead units, %:  as it is" in lab.text
        assert "lesson" in lab.text
        assert not any(bar in lab.text for bar in "▂▄▇")

    async def small(lab: Any) -> None:
        await lab.press("e", *"mass")
        await lab.until("█▃▂▁▁")
        assert "dead units" not in lab.text

    async def narrow(lab: Any) -> None:
        await lab.press("e", *"mass")
        await lab.until("█▆▆")
        assert sum("▆▆" in row for row in lab.rows) == 1
        assert "○ to observe · enter loads · escape leaves" in lab.text

    drive(roomy, size=(120, 40))
    drive(small, size=(80, 24), drawing=False)
    drive(narrow, size=(60, 16), drawing=False)


def test_a_click_looks_and_a_double_click_loads(drive: Callable[..., None]) -> None:
    async def scenario(lab: Any) -> None:
        await lab.press("e")
        screen = lab.app.screen
        await lab.until("raw_pixels")
        [y] = [y for y, row in enumerate(lab.rows) if "raw_pixels" in row]
        await lab.pilot.click(offset=(8, y))
        await lab.until("The variance rules of initialisers")
        assert lab.app.screen is screen
        await lab.pilot.click(offset=(8, y), times=2)
        await lab.until(lambda: lab.app.screen is lab.app.lab)
        assert lab.bench.config == experiments()["raw_pixels"].config

    drive(scenario, size=(120, 40), drawing=False)
