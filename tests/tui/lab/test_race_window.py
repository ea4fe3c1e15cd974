"""The window of the remedies shows their race as curves beside the list, in every size."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.containers import Vertical

from caveats.config import RunConfig
from caveats.trials import CONTROL, Result
from caveats.verdicts import Remedy, Verdict
from caveats_tui.bench.race import Offer, Race
from caveats_tui.charts.palette import series_colour
from caveats_tui.charts.race import Course, Lane, lane_colour, race_chart
from caveats_tui.charts.spec import Look
from caveats_tui.charts.widget import RowsView
from caveats_tui.screens.remedies import CHART, RemedyList

SMALLER = Remedy({"optimizer.lr": 0.03}, "smaller steps stay within the valley")
ADAM = Remedy({"optimizer.name": "adam", "optimizer.lr": 0.003}, "Adam divides each gradient")
BOTH = Remedy({**SMALLER.change, "network.normalization": "batch"}, "both together")
OTHER = Remedy({"optimizer.lr": 3.0}, "not proposed by the rules")
CONFIG = RunConfig().changed({"optimizer.lr": 0.3})
VERDICT = Verdict("step_too_large", "step too large", "critical", 3, (), "", {}, "",
                  (BOTH, SMALLER, ADAM))  # fmt: skip


def falling(remedy: Remedy, rate: float, until: int, constant: float = 2.3) -> Result:
    """A loss that falls from that of a constant as exp(−rate·step)."""
    steps = tuple(range(0, until + 1, 10))
    losses = tuple(constant * math.exp(-rate * step) for step in steps)
    return Result(remedy, steps, losses, 1 - losses[-1] / constant, constant)


class Held:
    """A race that has found ``found``, and is over if there is more than a control and one more."""

    problem = ""

    def __init__(self, *found: Result, over: bool = True) -> None:
        self.found, self.over = found, over

    def stop(self) -> None:
        pass


FOUND = (
    falling(BOTH, 0.03, 200), falling(SMALLER, 0.025, 200), falling(ADAM, 0.01, 100),
    falling(OTHER, -0.02, 50), falling(CONTROL, 0.0, 200),
)  # fmt: skip


def offer(*found: Result, over: bool = True) -> Offer:
    return Race(CONFIG, VERDICT.caveat, Held(*found, over=over), 200).offer(VERDICT)


def test_the_order_is_that_of_the_race_and_the_smallest_change_that_wins_is_marked() -> None:
    shown = offer(*FOUND)
    assert [remedy for remedy, _ in shown.remedies] == [SMALLER, BOTH, ADAM]
    assert shown.winner == 1
    assert shown.course is not None
    lanes = {lane.number: lane for lane in shown.course.lanes}
    assert set(lanes) == {0, 1, 2, 3, None}
    assert [number for number, lane in lanes.items() if lane.wins] == [1]
    assert lanes[1].losses == pytest.approx(FOUND[1].losses)


def test_before_the_end_nothing_is_marked_and_the_order_stays() -> None:
    shown = offer(*FOUND, over=False)
    assert [remedy for remedy, _ in shown.remedies] == [BOTH, SMALLER, ADAM]
    assert shown.winner == 0
    assert shown.course is not None
    assert not any(lane.wins for lane in shown.course.lanes)


def test_a_race_that_ended_before_its_first_curve_keeps_no_room_for_one() -> None:
    """Else "the race begins" stands beside "the race was stopped"."""
    race = Race(CONFIG, VERDICT.caveat, Held(over=False), 200)
    assert race.offer(VERDICT).draws
    race.stop()
    shown = race.offer(VERDICT)
    assert shown.race == "the race was stopped, since something else began"
    assert not shown.draws
    raced = Race(CONFIG, VERDICT.caveat, Held(*FOUND, over=False), 200)
    raced.stop()
    assert raced.offer(VERDICT).draws


def test_a_scaled_target_is_drawn_in_the_runs_own_unit() -> None:
    """Half of a constant's loss is half of it in every unit."""
    scaled = falling(SMALLER, math.log(2) / 100, 100, constant=1.0)
    shown = offer(falling(CONTROL, 0.0, 100, constant=50.0), scaled, over=False)
    assert shown.course is not None
    lane = next(lane for lane in shown.course.lanes if lane.number == 2)
    assert lane.losses[-1] == pytest.approx(25.0)


def test_what_diverges_does_not_flatten_the_others() -> None:
    wild = Lane(2, (0, 10, 20), (2.3, 1e30, math.inf))
    still = Lane(0, (0, 10, 20), (2.3, 2.3, 2.3))
    drawn = race_chart(Course((wild, still), 20, 2.3), Look(60, 12))
    assert drawn.y_limits is not None
    assert 2.3 < drawn.y_limits[1] < 20
    assert [curve.label for curve in drawn.curves] == ["2", "0"]


def test_numbers_have_the_colour_of_their_curves_and_the_winner_its_own() -> None:
    colours = [lane_colour(n, wins=False, dark=True) for n in (None, *range(7))]
    assert len(set(colours)) == 8
    best = lane_colour(1, wins=True, dark=True)
    assert best == series_colour("loss", dark=True)
    assert best not in colours
    (curve,) = race_chart(Course((Lane(1, (0, 9), (1.0, 0.5), True),), 9), Look(60, 12)).curves
    assert (curve.colour, curve.label) == (best, "1*")
    assert np.array_equal(curve.x, [0.0, 9.0])


class Picture(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    _file_extension = "txt"


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40)], ids=["60x16", "80x24", "120x40"])
def test_the_window_is_as_it_was(
    size: tuple[int, int], drive: Callable[..., None], snapshot: SnapshotAssertion
) -> None:
    seen: list[str] = []

    async def scenario(lab: Any) -> None:
        asked = [offer(*FOUND, over=False)]
        window = RemedyList(VERDICT.title, CONFIG, lambda: asked[0], lab.app.charts, Look(0, 0))
        lab.app.push_screen(window)
        await lab.until(lambda: drawn_in(window))
        asked[0] = offer(*FOUND)
        await lab.until(lambda: any("1*" in text for text in drawn_in(window)))
        await lab.until(lambda: len(drawn_in(window)) == window.query_one(RowsView).size.height)
        box = window.query_one(Vertical).region
        rows = lab.rows[box.y : box.bottom]
        seen.append("".join(f"{row[box.x : box.right]}\n" for row in rows))

    drive(scenario, RunConfig().changed({"data.name": "moons", "network.widths": [4]}), size)
    assert seen[0] == snapshot(extension_class=Picture)


def drawn_in(window: RemedyList) -> list[str]:
    """The rows of the window's chart as text, none before it is there."""
    views = window.query(f"#{CHART}").results(RowsView)
    return ["".join(span[0] for span in row) for view in views for row in view.rows]


def test_a_long_change_goes_on_below_itself_and_not_below_its_number(
    drive: Callable[..., None],
) -> None:
    many = {"network.activation": "elu", "network.init": "xavier_normal", **BOTH.change}
    long = Remedy({**many, "network.residual": True}, "all of it")
    verdict = Verdict("step_too_large", "step too large", "critical", 3, (), "", {}, "", (long,))
    shown = Race(CONFIG, VERDICT.caveat, Held(over=False), 200).offer(verdict)

    async def scenario(lab: Any) -> None:
        window = RemedyList(VERDICT.title, CONFIG, lambda: shown, lab.app.charts, Look(0, 0))
        lab.app.push_screen(window)
        await lab.until("residual")
        first, *more = (row for row in lab.rows if "→" in row and "│" in row)
        column = first.index("activation")
        assert more
        for row in more:
            assert row[column - 5 : column].strip("│ ") == ""
            assert row[column] != " "

    drive(scenario, RunConfig().changed({"data.name": "moons", "network.widths": [4]}), (60, 16))
