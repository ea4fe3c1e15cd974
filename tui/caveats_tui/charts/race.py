"""The chart of a race of remedies: the loss of each candidate over the steps of the race."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from caveats_tui.charts.palette import layer_colour, series_colour
from caveats_tui.charts.series import limits
from caveats_tui.charts.spec import Chart, Curve, Look

__all__ = ["CONTROL", "WINS", "Course", "Lane", "lane_colour", "race_chart"]

CONTROL = 0  # the number of the run that goes on unchanged
WINS = "*"  # marks the winner, in every character set
PLACES = 6  # colours of numbered curves
ROOM = 8  # columns right of the last step, for labels side by side
TOP = 3.0  # times the loss at the start or of a constant: what climbs beyond is cut off


@dataclass(frozen=True, slots=True)
class Lane:
    """The losses of one candidate at ``steps``, in the unit of the run's own. ``number`` is its
    place in the list of remedies, from 1 on, `CONTROL` for the control, None if it is not
    listed."""

    number: int | None
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    wins: bool = False


@dataclass(frozen=True, slots=True)
class Course:
    """A race of ``steps`` steps so far; ``constant`` is the loss of the best constant, a guess."""

    lanes: tuple[Lane, ...]
    steps: int
    constant: float = math.nan


def lane_colour(number: int | None, wins: bool, *, dark: bool) -> int:
    """The colour of a curve and of its number in the list."""
    if wins:
        return series_colour("loss", dark=dark)
    if number is None:
        return series_colour("output_dim", dark=dark)
    if number == CONTROL:
        return series_colour("output", dark=dark)
    return layer_colour(min(number, PLACES) - 1, PLACES, dark=dark)


def race_chart(course: Course, look: Look) -> Chart:
    """Dim curves for what is not listed, the control dotted, the winner on top."""
    order = sorted(course.lanes, key=lambda lane: (lane.wins, lane.number is not None))
    curves = [
        Curve(
            np.array(lane.steps, float),
            np.array(lane.losses, float),
            lane_colour(lane.number, lane.wins, dark=look.dark),
            "dots" if lane.number == CONTROL else "line",
            "" if lane.number is None else f"{lane.number}{WINS if lane.wins else ''}",
        )
        for lane in order
    ]
    known = math.isfinite(course.constant)
    return Chart(
        tuple(curves),
        look.width,
        look.height,
        (0.0, course.steps * (1 + ROOM / max(2 * ROOM, look.width))),
        heights(course),
        log_y=True,
        x_label="step",
        charset=look.charset,
        right_ticks=((course.constant, "guess"),) if known and look.width > 40 else (),
        right_colour=series_colour("axis", dark=look.dark),
        axis_colour=series_colour("axis", dark=look.dark),
    )


def heights(course: Course) -> tuple[float, float] | None:
    """The limits of the loss axis: a candidate that diverges does not flatten the others."""
    losses = [loss for lane in course.lanes for loss in lane.losses if 0 < loss < math.inf]
    if not losses:
        return None
    starts = [lane.losses[0] for lane in course.lanes if lane.number == CONTROL]
    usual = [loss for loss in (*starts, course.constant) if 0 < loss < math.inf]
    top = TOP * max(usual, default=max(losses))
    return limits(min(losses), max(min(losses), min(top, max(losses))), log=True)
