"""The pictures of the gallery: the course of the loss in each experiment and in its cure, and that
of the measure that shows its caveat best.

They are drawn from `caveats/experiments/pictures.json`, which `python -m benchmarks.experiments`
writes from real runs; nothing is trained here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from caveats_tui.charts.lab_charts import evenly
from caveats_tui.charts.palette import layer_colour, series_colour
from caveats_tui.charts.series import limits
from caveats_tui.charts.spec import Chart, Curve, Floats, Look
from caveats_tui.text.numbers import number, spark

__all__ = ["AS_IT_IS", "CURED", "Bars", "Picture", "colour", "pictures", "spark_lines"]

AS_IT_IS, CURED = "bad", "cured"  # as the file calls the two runs
DECADES = 30.0  # a curve that goes over more than this factor gets a logarithmic axis


@cache
def recorded() -> dict[str, Any]:
    text = (files("caveats.experiments") / "pictures.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@dataclass(frozen=True, slots=True)
class Bars:
    """Losses as bars from 0 to ``top`` in one line: all of them, or as many evenly spaced ones as
    there is room for."""

    losses: Sequence[float | None]
    top: float
    plain: bool
    style: str

    def text(self, room: int) -> Text:
        shown = [self.losses[i] for i in evenly(len(self.losses), room)]
        return Text(spark(shown, self.top, self.plain), self.style)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text(options.max_width)


def spark_lines(name: str, plain: bool) -> list[Padding]:
    """The loss of the experiment, and below it the loss of its cure, each as a share of a
    constant's: standardized targets and weighted classes have another one."""
    picture = recorded().get(name)
    if picture is None:
        return []
    shares = {key: shares_of(run["loss"], run["baseline"]) for key, run in picture.items()}
    seen = [v for values in shares.values() for v in values if v is not None]
    # At most twice a constant's loss: a first loss of 800 would flatten all the rest.
    top = min(max(seen, default=1.0), 2.0) or 1.0
    lines: list[RenderableType] = []
    for key, label in ((AS_IT_IS, "as it is"), (CURED, "with cure")):
        if key in picture:
            run = picture[key]
            accuracy = run["accuracy"]
            ending = "" if accuracy is None else f", accuracy {accuracy:.0%}"
            rows = "held-out " if run["held_out"] else ""
            lines.append(Text(f"{label}: {rows}loss{ending}", style="dim"))
            lines.append(Bars(shares[key], top, plain, "bold" if key == AS_IT_IS else ""))
    return [Padding(line, (0, 0, 0, 2)) for line in lines]


def shares_of(losses: list[float | None], baseline: float) -> list[float | None]:
    return [None if loss is None else loss / baseline for loss in losses]


def colour(kind: str, dark: bool) -> int:
    return layer_colour((AS_IT_IS, CURED).index(kind), 2, dark=dark)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One chart: for each run its steps and its values, (records,)."""

    title: str
    curves: Mapping[str, tuple[Floats, Floats]]

    def ends(self, kind: str) -> str:
        """How a run ends, as a label: " 0.12"; "" where the last value is not finite."""
        last = float(self.curves[kind][1][-1])
        return f" {number(last)}" if np.isfinite(last) else " not finite"

    def chart(self, look: Look) -> Chart:
        curves = tuple(
            Curve(steps, values, colour(kind, look.dark))
            for kind, (steps, values) in self.curves.items()
        )
        seen = np.concatenate([curve.y for curve in curves])
        seen = seen[np.isfinite(seen)]
        low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
        log = 0 < low < high / DECADES
        if self.title.endswith("%"):
            low, high, log = 0.0, 100.0, False
        newest = max(float(curve.x[-1]) for curve in curves)
        return Chart(
            curves, look.width, look.height, (0.0, newest), limits(low, high, None, log=log),
            log_y=log, charset=look.charset, axis_colour=series_colour("axis", dark=look.dark),
        )  # fmt: skip


def pictures(name: str) -> tuple[Picture, Picture]:
    """The loss of an experiment as a share of a constant's, and the measure of its caveat."""
    runs = recorded()[name]
    title = "held-out loss" if runs[AS_IT_IS]["held_out"] else "loss"
    losses = {
        kind: (numbers(run["steps"]), numbers(run["loss"]) / run["baseline"])
        for kind, run in runs.items()
    }
    values = {kind: (numbers(run["steps"]), numbers(run["values"])) for kind, run in runs.items()}
    measure = runs[AS_IT_IS]["measure"]
    return Picture(f"{title} (1 = a guess)", losses), Picture(measure, values)


def numbers(values: list[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
