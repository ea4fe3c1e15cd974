"""The view of the noise scale beside the size of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caveats_tui.charts.lab_charts import MOST_POINTS, chart, fitted
from caveats_tui.charts.palette import series_colour
from caveats_tui.charts.series import Limits
from caveats_tui.charts.spec import Chart, Curve, Floats, Look
from caveats_tui.charts.trace import Trace

__all__ = ["NoiseReadings", "noise"]


@dataclass(frozen=True, slots=True, eq=False)
class NoiseReadings:
    """The noise scales, in rows, that a run's network has told so far: ``values`` (n,) at ``steps``
    (n,), and the rows of a ``batch``."""

    steps: Floats
    values: Floats
    batch: int


def noise(seen: NoiseReadings, trace: Trace, look: Look, previous: Limits | None) -> Chart:
    """The noise scale where it was read, and dotted the size of a batch: below the noise scale a
    batch's gradient is mostly noise."""
    colour = series_colour("loss", dark=look.dark)
    dotted = series_colour("theory", dark=look.dark)
    x = np.linspace(0.0, max(float(seen.steps[-1]), 1.0), 9)
    curves = [
        Curve(x, np.full(9, float(seen.batch)), dotted, "dots", "batch"),
        Curve(seen.steps, seen.values, colour, "line", "noise scale"),
    ]
    if len(seen.steps) <= MOST_POINTS:  # as of the sharpness
        curves.append(Curve(seen.steps, seen.values, colour, "points"))
    return chart(trace, None, look, curves, fitted(curves, look.log, previous))
