"""What each chart of the lab shows: makes a `Chart` from a run's records, and draws nothing.

Layers take the ordered palette, first to last. The ghost comes first and is dim, so that the
present run lies on top.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from caveats.measures import LAYER_MEASURES
from caveats.training.stability import stability_limit
from caveats_tui.charts import seed_bands
from caveats_tui.charts.palette import Series, network_colour, series_colour
from caveats_tui.charts.series import Limits, limits, upper_step
from caveats_tui.charts.spec import Band, Chart, Curve, Floats, Look, Mark, Style
from caveats_tui.charts.trace import Trace
from caveats_tui.charts.yardsticks import (
    accuracy_ticks,
    laid_over,
    unit_of_loss,
    yardstick_lines,
)

if TYPE_CHECKING:
    from caveats.views import FittedCurve

__all__ = [
    "FIGURES",
    "Figure",
    "counted",
    "curves_drawn",
    "evenly",
    "fit",
    "short",
]

# Values that theory predicts, each with a colour.
Expected: TypeAlias = tuple[tuple[float, int], ...]

MOST_POINTS = 20
MOST_CURVES = 10  # more cannot be told apart in a dozen rows, and each takes 10 ms to draw


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart of the lab: its title, and the function that makes it from a run and its ghost."""

    title: str
    make: Callable[[Trace, Trace | None, Look, Limits | None], Chart]
    log: bool = False


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` of ``count`` indices, evenly spaced, with the first and the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / max(1, most - 1)) for i in range(most)})


def curves_drawn(count: int) -> list[int]:
    """Which of ``count`` layers get a curve."""
    return evenly(count, MOST_CURVES)


def by_layer(
    trace: Trace, measure: str, look: Look, *, hidden: bool, ghost: bool = False
) -> list[Curve]:
    """A curve for each layer: steps where it counts units; of a ghost, dim, dotted and without a
    name. A value that is missing though the loss is finite is not known, as in records of a watched
    training: the curve goes on without it, where a number that is not finite would be marked."""
    values = trace.snapshot.layers(measure)  # (records, layers)
    count = values.shape[1] - hidden
    x = trace.snapshot.steps.astype(float)
    sound = np.isfinite(trace.snapshot.scalar("loss"))
    known = ~(np.isnan(values) & sound[:, None])  # (records, layers)
    style: Style = "steps" if LAYER_MEASURES[measure].counts else "line"
    return [
        Curve(
            x[known[:, i]],
            values[known[:, i], i],
            painted(trace, i, look, dim=ghost),
            "dots" if ghost else style,
            "" if ghost else short(trace.layers[i]),
        )
        for i in curves_drawn(count)
    ]


def both(
    trace: Trace, ghost: Trace | None, measure: str, look: Look, *, hidden: bool
) -> seed_bands.Banded:
    """The curves of the ghost, of other seeds, and over them those of the run; and the bands of the
    seeds."""
    dim = [] if ghost is None else by_layer(ghost, measure, look, hidden=hidden, ghost=True)
    drawn = curves_drawn(len(trace.layers) - hidden)
    means, bands = seed_bands.of_layers(trace, measure, drawn, look)
    return dim + means + by_layer(trace, measure, look, hidden=hidden), bands


def painted(trace: Trace, index: int, look: Look, *, dim: bool = False) -> int:
    """The colour of a layer, the same in every chart."""
    return network_colour(index, len(trace.layers) - 1, dark=look.dark, dim=dim)


def short(layer: str) -> str:
    """A layer's name where there is room for a few letters: 3, out."""
    return layer.removeprefix("layer ").replace("output", "out")


def span(traces: list[Trace]) -> Limits:
    """The x axis: from 0, in small steps with the data, and from half of the planned steps on, if
    they are known, to the last of them."""
    newest = max((int(t.snapshot.steps[-1]) for t in traces if len(t.snapshot)), default=0)
    planned = max(t.steps for t in traces)
    if planned and 2 * newest >= planned:
        return 0.0, float(max(planned, newest))
    end = round_up(max(newest, 10))
    return 0.0, float(min(planned, end) if planned else end)


def round_up(steps: int) -> float:
    """The next of 10, 12, 15, 20, 25, …, 100, 120, …: at most a third more. So an axis that grows
    with a run changes its scale ten times in a decade, and not at each frame."""
    power = 10.0 ** math.floor(math.log10(steps))
    return next(m * power for m in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if m * power >= steps)


def fitted(
    curves: list[Curve], log: bool, previous: Limits | None, expected: Expected = ()
) -> Limits | None:
    """Axis limits around what can be drawn; they stay from frame to frame while they fit."""
    values = np.concatenate([np.array([value for value, _ in expected]), *(c.y for c in curves)])
    values = values[np.isfinite(values)]
    if log:
        values = values[values > 0]
    if not values.size:
        return None
    return limits(float(values.min()), float(values.max()), previous, log=log)


def predicted(trace: Trace, measure: str) -> Floats | None:
    """The prediction of a measure at step 0, (layers,); None where theory says nothing."""
    said = trace.prediction
    if said is None:
        return None
    if measure == "dead":
        if said.dead_fraction is None or not len(trace.snapshot):
            return None
        units: Floats = said.dead_fraction * trace.snapshot.layers("units")[0]
        return units
    arrays = {"grad_norm": said.grad_norm, "delta_rms": said.delta_rms}
    return arrays.get(measure)


def expected(trace: Trace, measure: str, look: Look, *, hidden: bool) -> Expected:
    """The value of each layer that theory predicts for step 0, with the layer's colour."""
    values = predicted(trace, measure)
    if values is None:
        return ()
    return tuple(
        (float(values[i]), painted(trace, i, look))
        for i in curves_drawn(len(trace.layers) - hidden)
        if np.isfinite(values[i])
    )


def marks(trace: Trace, look: Look) -> tuple[Mark, ...]:
    colour = series_colour("mark", dark=look.dark)
    labels = {"change": "change", "diverged": "diverged", "spike": "spike"}
    found = [
        Mark(float(e.step), labels[e.kind], colour)
        for e in trace.snapshot.events
        if e.kind in labels
    ]
    if trace.cursor is not None:
        here = series_colour("theory", dark=look.dark)
        step = int(trace.snapshot.steps[trace.cursor])
        found.append(Mark(float(step), f"step {step:,}", here))
    return tuple(found)


def chart(
    trace: Trace, ghost: Trace | None, look: Look, curves: list[Curve], y: Limits | None
) -> Chart:
    return Chart(
        tuple(curves),
        look.width,
        look.height,
        span([trace, *([ghost] if ghost else [])]),
        y,
        log_y=look.log,
        marks=marks(trace, look),
        charset=look.charset,
        axis_colour=series_colour("axis", dark=look.dark),
    )


def counted(measure: str) -> Callable[[Trace, Trace | None, Look, Limits | None], Chart]:
    """A figure with one curve for each hidden layer: a number of units, from 0 up to the largest
    number."""

    def make(trace: Trace, ghost: Trace | None, look: Look, previous: Limits | None) -> Chart:
        curves, bands = both(trace, ghost, measure, look, hidden=True)
        said = expected(trace, measure, look, hidden=True)
        lines = curves + seed_bands.edges(bands)
        if look.log:
            y = fitted(lines, True, previous, said)
        else:
            most = [*(c.y for c in lines), np.array([value for value, _ in said])]
            y = count_axis(most, [t for t in (trace, ghost) if t is not None])
        return replace(chart(trace, ghost, look, curves, y), expected=said, bands=bands)

    return make


def count_axis(counts: list[Floats], traces: list[Trace]) -> Limits:
    """The y axis of numbers of units: from 0, and never above the width of the widest layer, as no
    count can be there."""
    top = float(np.nanmax(np.concatenate(counts), initial=1.0))
    shown = [t.snapshot for t in traces if len(t.snapshot)]
    widths = [float(s.layers("units")[-1, :-1].max(initial=1)) for s in shown]
    return 0.0, min(max(4.0, upper_step(top)), max(widths, default=1.0))


def layerwise(measure: str) -> Callable[[Trace, Trace | None, Look, Limits | None], Chart]:
    """A figure with one curve of a measure for each layer, the output layer too."""

    def make(trace: Trace, ghost: Trace | None, look: Look, previous: Limits | None) -> Chart:
        curves, bands = both(trace, ghost, measure, look, hidden=False)
        said = expected(trace, measure, look, hidden=False)
        y = fitted(curves + seed_bands.edges(bands), look.log, previous, said)
        return replace(chart(trace, ghost, look, curves, y), expected=said, bands=bands)

    return make


def loss(trace: Trace, ghost: Trace | None, look: Look, previous: Limits | None) -> Chart:
    """The loss on the left axis, with the lines of guessing and of what the data allow; the
    accuracy on an axis of its own at the right, from 0 to 100 %; both also dim, of the rows that
    are held out. The ghost's losses are drawn as many times that of a guess as they were in it."""
    losses = held_out(trace, "validation_loss", look)
    for one, dim in ((ghost, True), (trace, False)):
        if one is not None:
            colour = series_colour("loss_dim" if dim else "loss", dark=look.dark)
            x = one.snapshot.steps.astype(float)
            values = one.snapshot.scalar("loss") * unit_of_loss(trace.history, one.history)
            style: Style = "dots" if dim else "line"
            losses.append(Curve(x, values, colour, style, "" if dim else "loss"))
    newest = float(trace.snapshot.steps[-1]) if len(trace.snapshot) else 0.0
    lines = yardstick_lines(trace, look, newest)
    means, bands = seed_bands.of_scalar(trace, "loss", look, "loss")
    lines += means
    y = fitted(losses + lines + seed_bands.edges(bands), look.log, previous)
    if y is not None and not look.log:
        y = (min(0.0, y[0]), y[1])
    curves = [*lines, *losses]
    if y is not None:
        curves += [
            replace(curve, y=laid_over(curve.y, y, look.log))
            for curve in held_out(trace, "validation_accuracy", look)
        ]
    right: tuple[tuple[float, str], ...] = ()
    for one, dim in ((ghost, True), (trace, False)):
        if one is not None and y is not None:
            accuracy = one.snapshot.scalar("accuracy")
            if np.isfinite(accuracy).any():
                colour = series_colour("accuracy_dim" if dim else "accuracy", dark=look.dark)
                x = one.snapshot.steps.astype(float)
                heights = laid_over(accuracy, y, look.log)
                style = "dots" if dim else "line"
                curves.append(Curve(x, heights, colour, style, "" if dim else "accuracy"))
                right = accuracy_ticks(y, look.log)
    if y is not None:
        means, shares = seed_bands.of_scalar(trace, "accuracy", look, "accuracy")
        curves = [replace(c, y=laid_over(c.y, y, look.log)) for c in means] + curves
        bands += tuple(
            replace(band, low=laid_over(band.low, y, look.log),
                    high=laid_over(band.high, y, look.log))
            for band in shares
        )  # fmt: skip
    made = chart(trace, ghost, look, curves, y)
    colour = series_colour("accuracy", dark=look.dark)
    return replace(made, right_ticks=right, right_colour=colour, bands=bands)


def sharpness(trace: Trace, ghost: Trace | None, look: Look, previous: Limits | None) -> Chart:
    """The sharpness where it was read, and dotted the limit above which the optimizer's steps
    overshoot (2/lr for plain descent), at the present learning rate."""
    curves, bands = seed_bands.of_scalar(trace, "sharpness", look, "loss")
    for one, dim in ((ghost, True), (trace, False)):
        if one is None:
            continue
        values = one.snapshot.scalar("sharpness")
        read = np.isfinite(values)
        colour = series_colour("loss_dim" if dim else "loss", dark=look.dark)
        x = one.snapshot.steps[read].astype(float)
        style: Style = "dots" if dim else "line"
        curves.append(Curve(x, values[read], colour, style, "" if dim else "sharpness"))
        if read.sum() <= MOST_POINTS:  # a line through few readings would hide where they are
            curves.append(Curve(x, values[read], colour, "points"))
    most = steepest(trace)
    if math.isfinite(most) and len(trace.snapshot):
        x = np.linspace(0.0, max(float(trace.snapshot.steps[-1]), 1.0), 9)
        colour = series_colour("theory", dark=look.dark)
        curves.insert(0, Curve(x, np.full(9, most), colour, "dots", "limit"))
    y = fitted(curves + seed_bands.edges(bands), look.log, previous)
    return replace(chart(trace, ghost, look, curves, y), bands=bands)


def steepest(trace: Trace) -> float:
    """The limit of the sharpness for a run's optimizer; NaN where no formula is known."""
    facts = None if trace.history is None else trace.history.facts.optimizer
    if facts is None:
        return math.nan
    options = {"momentum": facts.momentum, "betas": facts.betas or (0.9, 0.999)}
    return stability_limit(facts.kind, facts.lr, options)


def held_out(trace: Trace, name: str, look: Look) -> list[Curve]:
    """The curve of a scalar of the rows held out; none where there are no such rows."""
    values = trace.snapshot.scalar(name)
    if not np.isfinite(values).any():
        return []
    series: Series = "held_out" if name == "validation_loss" else "held_out_accuracy"
    label = "held out" if name == "validation_loss" else ""
    x = trace.snapshot.steps.astype(float)
    return [Curve(x, values, series_colour(series, dark=look.dark), label=label)]


def profile(measure: str) -> Callable[[Trace, Trace | None, Look, Limits | None], Chart]:
    """A figure of a measure against the layer: now, at step 0 (dim), and what is expected at step
    0: dotted, in a band that holds about 95 % of networks where it is known."""

    def make(trace: Trace, ghost: Trace | None, look: Look, previous: Limits | None) -> Chart:
        values = trace.seen.layers(measure)  # (records, layers)
        count = len(trace.layers) - (measure == "dead")
        x = np.arange(1, count + 1, dtype=float)
        bands: tuple[Band, ...] = ()
        if trace.prediction is not None and measure == "grad_norm" and trace.prediction.band:
            low, high = (edge[:count] for edge in trace.prediction.band)
            bands = (Band(x, low, high, series_colour("band", dark=look.dark)),)
        curves, seeds = seed_bands.across_layers(trace, measure, count, look)
        bands += seeds
        said = predicted(trace, measure)
        if said is not None:
            dotted = series_colour("theory", dark=look.dark)
            curves.append(Curve(x, said[:count], dotted, "dots", "expected"))
        if len(trace.snapshot):
            first = series_colour("first", dark=look.dark)
            now = series_colour("accuracy", dark=look.dark)
            curves.append(Curve(x, values[0, :count], first, "line", "step 0"))
            curves.append(Curve(x, values[-1, :count], now, "line", "now"))
        lines = curves + seed_bands.edges(bands)
        y = fitted(lines, look.log, previous)
        if LAYER_MEASURES[measure].counts and not look.log:
            y = count_axis([np.empty(0), *(curve.y for curve in lines)], [trace])
        return replace(across_layers(curves, count, look, y), bands=bands)

    return make


def across_layers(curves: list[Curve], count: int, look: Look, y: Limits | None) -> Chart:
    every = max(1, -(-count // 8))
    ticks = tuple((float(i), str(i)) for i in range(1, count + 1, every))
    return Chart(
        tuple(curves),
        look.width,
        look.height,
        (0.5, count + 0.5),
        y,
        log_y=look.log,
        x_ticks=ticks,
        x_label="layer",
        charset=look.charset,
        axis_colour=series_colour("axis", dark=look.dark),
    )


def activations(trace: Trace, ghost: Trace | None, look: Look, previous: Limits | None) -> Chart:
    """The mean of each hidden layer's activation, layer by layer, with one standard deviation
    around it: the newest record, and dim behind it the first."""
    snapshot = trace.seen
    count = len(trace.layers) - 1
    curves, bands = seed_bands.across_layers(trace, "activation_mean", count, look)
    x = np.arange(1, count + 1, dtype=float)
    for record, dim in ((0, True), (-1, False)):
        if not len(snapshot):
            continue
        mean = snapshot.layers("activation_mean")[record, :count]
        std = snapshot.layers("activation_std")[record, :count]
        colour = series_colour("loss_dim" if dim else "theory", dark=look.dark)
        below, above = ("", "") if dim else ("mean - std", "mean + std")
        curves += [
            Curve(x, mean - std, colour, "dots", below),
            Curve(x, mean + std, colour, "dots", above),
        ]
        if dim:
            curves.append(Curve(x, mean, colour, "line", "at step 0"))
        else:
            paint = series_colour("accuracy", dark=look.dark)
            curves.append(Curve(x, mean, paint, "line", "mean"))
    y = fitted(curves + seed_bands.edges(bands), look.log, previous)
    return replace(across_layers(curves, count, look, y), bands=bands)


def fit(seen: FittedCurve, look: Look) -> Chart:
    """A regression on one input: the network's output as a line, and on top of it the targets as
    points."""
    colour = series_colour("accuracy", dark=look.dark)
    line = Curve(seen.grid, seen.output, colour, "line", "prediction")
    points = Curve(seen.x, seen.y, series_colour("loss", dark=look.dark), "points", "targets")
    low, high = float(seen.grid.min()), float(seen.grid.max())
    return Chart(
        (line, points), look.width, look.height, (low, high),
        fitted([line, points], False, None), charset=look.charset,
        axis_colour=series_colour("axis", dark=look.dark),
    )  # fmt: skip


FIGURES: dict[str, Figure] = {
    "dead": Figure("dead neurons by layer", counted("dead")),
    "gradient": Figure("gradient norm", layerwise("grad_norm"), log=True),
    "loss": Figure("loss", loss, log=True),
    "activations": Figure("activation mean ± std by layer", activations),
    "gradient_profile": Figure("gradient norm across layers", profile("grad_norm"), log=True),
    "delta": Figure("delta", layerwise("delta_rms"), log=True),
    "delta_profile": Figure("delta across layers", profile("delta_rms"), log=True),
    "dead_profile": Figure("dead neurons across layers", profile("dead")),
    "update": Figure("update/weight", layerwise("update_ratio"), log=True),
    "sharpness": Figure("sharpness", sharpness, log=True),
}
