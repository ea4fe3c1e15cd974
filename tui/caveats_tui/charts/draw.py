"""Draws a chart with plotext and reads the cells back as rows. Runs in the drawing process.

plotext only ever gets numbers between 0 and 1, on a grid of its own pixels. Scaling, logs, ticks
and clipping are done here, for three reasons: a NaN aborts the whole process in plotext; its log
axis ignores explicit limits once ticks are set (6.1.0); and for a far outlier it interpolates a
line with as many points as there are pixels up to it. plotext places, joins and merges the points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotext

from caveats_tui.charts.bands import shade
from caveats_tui.charts.cells import Cells
from caveats_tui.charts.labels import label_room, write_labels
from caveats_tui.charts.scale import Canvas, Scale
from caveats_tui.charts.series import Limits, clean, decimate, is_axis, limits, tick_label, ticks
from caveats_tui.charts.shared import Parts, take_turns, zeros_below
from caveats_tui.charts.spec import Across, Charset, Chart, Curve, Floats, Rows

__all__ = ["across", "draw"]

# plotext's marker, its pixels a cell (across, down), the pixels between two dots of a dotted line,
# and the characters for a point, for what left above (not finite) and below (0 on a log axis)
_DRAWN_WITH: dict[Charset, tuple[str, int, int, int, str, str, str]] = {
    "braille": ("braille", 2, 4, 3, "•", "×", "▾"),
    "block": ("hd", 2, 2, 3, "•", "×", "▾"),
    "ascii": ("*", 1, 1, 2, "o", "x", "v"),
}
_ASCII_AXES = str.maketrans("│─└┴┬┤├┼┊", "|-++++++:")
# without axes below these sizes: labels would leave no room for the curve
_LEAST_WIDTH, _LEAST_HEIGHT, _LINE_HEIGHT = 20, 5, 9
_LONGEST_TITLE = 8  # the axis title stands in the corner below the y labels
_STRIP_HEIGHT = 4  # rows from which on exact zeros get one of their own
_ZERO = {False: ("━", "╌"), True: ("=", "-")}  # what is drawn there: of the run, of a ghost


def draw(chart: Chart) -> Rows:
    """The chart as exactly ``chart.height`` rows of exactly ``chart.width`` cells.

    Any numbers are accepted; what cannot be drawn is left out and marked at the edge of the canvas.
    """
    if chart.width < 1 or chart.height < 1:
        return ()
    framed, lined, title = _frame(chart)
    canvas, y_ticks = _canvas(chart, chart.height - framed - lined, framed, len(title))
    figure = _blank(chart)
    if framed:
        figure.axes(True, pixel=chart.axis_colour, axis="y", side="left")
        figure.axes(lined, pixel=chart.axis_colour, axis="x", side="lower")
        heights = [(canvas.row(value), label) for value, label in y_ticks]
        _set_ticks("y", {canvas.rows - 1 - r: t for r, t in heights if r is not None}, canvas.rows)
        columns = [(canvas.x.cell(value), label) for value, label in _x_ticks(chart, canvas.x)]
        _set_ticks("x", {c: label for c, label in columns if c is not None}, canvas.columns)
    for mark in chart.marks:
        if (cell := canvas.x.cell(mark.x)) is not None:
            place = (cell + 0.5) / canvas.columns
            figure.line(place, orientation=1, pixel=mark.colour, style="dotted")
    drawn = [(curve, _add(curve, chart, canvas)) for curve in chart.curves]
    matrix = figure.build()
    if title:
        word = plotext.colorize(title.rjust(canvas.left - 1)).fill(chart.axis_colour)
        matrix.insert(0, chart.height - 1, word)
    text = matrix.string()
    cells = Cells.read(text.translate(_ASCII_AXES) if chart.charset == "ascii" else text)
    _finish(cells, chart, canvas, [(c, p) for c, p in drawn if c.style in ("line", "steps")])
    return cells.rows()


def across(chart: Chart) -> Across | None:
    """Which values of x the columns of the drawn chart hold; None where words stand below it."""
    framed, lined, title = _frame(chart)
    if chart.width < 1 or chart.height < 1 or chart.x_ticks is not None:
        return None
    canvas, _ = _canvas(chart, chart.height - framed - lined, framed, len(title))
    return Across(canvas.x.low, canvas.x.high, canvas.left, canvas.columns)


def _frame(chart: Chart) -> tuple[bool, bool, str]:
    """Whether there is room for axes, whether for a line below the canvas, and the axis title."""
    framed = chart.width >= _LEAST_WIDTH and chart.height >= _LEAST_HEIGHT
    lined = framed and chart.height >= _LINE_HEIGHT
    return framed, lined, chart.x_label[:_LONGEST_TITLE] if framed else ""


def _canvas(
    chart: Chart, rows: int, framed: bool, title: int
) -> tuple[Canvas, tuple[tuple[float, str], ...]]:
    """The canvas of ``rows`` rows, and the values with labels at its left."""
    _, across, down, *_ = _DRAWN_WITH[chart.charset]
    x_axis, y_axis = _x_limits(chart), _y_limits(chart)
    strip = int(chart.log_y and rows >= _STRIP_HEIGHT and any(map(_has_zero, chart.curves)))
    rows -= strip
    y_ticks = ticks(y_axis, max(2, min(6, rows // 2)), log=chart.log_y) if framed else ()
    if strip and framed:
        negative = any((c.y[np.isfinite(c.y)] < 0).any() for c in chart.curves)
        below = "<=0" if chart.charset == "ascii" else "≤0"
        y_ticks = ((0.0, below if negative else "0"), *y_ticks)
    margin = max(4, title, *(len(label) for _, label in y_ticks)) if framed else 0
    columns = chart.width - margin - framed
    room = label_room(chart, columns)
    if framed:
        room = max((len(label) for _, label in chart.right_ticks), default=-1) + 1 + room
    if room and columns > 3 * room:  # the curves end before what stands at the right edge
        low, high = x_axis
        x_axis = low, low + (high - low) * columns / (columns - room)
    x = Scale(*x_axis, columns, columns * across)
    y = Scale(*y_axis, rows, rows * down, chart.log_y)
    padded = tuple((value, label.rjust(margin)) for value, label in y_ticks)
    return Canvas(x, y, margin + framed, strip), padded


def _has_zero(curve: Curve) -> bool:
    """Whether a curve has a finite value that a log axis has no place for."""
    return bool((np.isfinite(curve.y) & (curve.y <= 0)).any())


def _finish(
    cells: Cells, chart: Chart, canvas: Canvas, lines: list[tuple[Curve, Parts]]
) -> None:  # fmt: skip
    """What plotext does not know: turns in shared cells, zeros, bands, and words."""
    plain = chart.charset == "ascii"
    line, *_ = _DRAWN_WITH[chart.charset]
    letters = [_letter(curve.label) or line for curve, _ in lines] if plain else []
    take_turns(cells, lines, canvas, letters)
    if canvas.strip:
        zeros_below(cells, chart.curves, canvas, _ZERO[plain])
    for band in chart.bands:
        shade(cells, band, canvas, chart.axis_colour if plain else None)
    write_labels(cells, chart, canvas)


def _blank(chart: Chart) -> Any:
    """plotext's only figure, emptied, with the chart's size and hidden axes from 0 to 1."""
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.plot_size(chart.width, chart.height)
    figure.canvas("default")
    figure.legend(False)
    figure.axes(False)
    for axis in ("x", "y"):
        figure.ruler(axis).alignment(lim="edge").lim(0, 1).pixel(chart.axis_colour).ticks([])
    return figure


def _x_limits(chart: Chart) -> Limits:
    if is_axis(chart.x_limits):
        return chart.x_limits
    low = chart.x_limits[0]
    return (low, low + 1.0) if is_axis((low, low + 1.0)) else (0.0, 1.0)


def _y_limits(chart: Chart) -> Limits:
    if chart.y_limits is not None and is_axis(chart.y_limits, log=chart.log_y):
        return chart.y_limits
    values = [
        part
        for curve in chart.curves
        for _, part in clean(curve.x, curve.y, log=chart.log_y).segments
    ]
    if not values:
        return (1e-3, 1.0) if chart.log_y else (0.0, 1.0)
    joined = np.concatenate(values)
    return limits(float(joined.min()), float(joined.max()), log=chart.log_y)


def _x_ticks(chart: Chart, scale: Scale) -> tuple[tuple[float, str], ...]:
    if chart.x_ticks is None:
        every = ticks((scale.low, scale.high), max(2, min(8, scale.cells // 9)))
        end = max(chart.x_limits[1], scale.low)
        found = tuple(tick for tick in every if tick[0] <= end)
        if len(found) < 2 and is_axis((scale.low, end)):
            found = (*found, (end, tick_label(end, (end - scale.low) / 100)))
        return found
    shown, free = [], -1  # the first column without a label
    for value, label in chart.x_ticks:
        cell = scale.cell(value)
        if cell is None or cell - len(label) // 2 < free:
            continue
        shown.append((value, label))
        free = cell + len(label) // 2 + 2
    return tuple(shown)


def _set_ticks(axis: str, labels: dict[int, str], cells: int) -> None:
    """Labels on an axis, by the cell from its low end."""
    positions = [(cell + 0.5) / cells for cell in labels]
    plotext.figure.ruler(axis).ticks(positions, list(labels.values()))


def _add(curve: Curve, chart: Chart, canvas: Canvas) -> Parts:
    """Give a curve to plotext; returns its stretches in units of the canvas."""
    line, _, _, pitch, point, above, below = _DRAWN_WITH[chart.charset]
    x, y = canvas.x, canvas.y
    if chart.charset == "ascii" and curve.style in ("line", "steps"):
        line = _letter(curve.label) or line
    thin = decimate(curve.x, curve.y, x.cells, (x.low, x.high), log=chart.log_y)
    cleaned = clean(*thin, log=chart.log_y)
    parts = [(x.unit(px), canvas.lifted(y.unit(py))) for px, py in cleaned.segments]
    if curve.style == "dots":
        _scatter([_dotted(px, py, x.pixels, pitch) for px, py in parts], line, curve.colour)
    elif curve.style == "points":
        _scatter(parts, point, curve.colour)
    else:
        if curve.style == "steps":
            parts = [(np.repeat(px, 2)[1:], np.repeat(py, 2)[:-1]) for px, py in parts]
        _join([_bends(px, py) for px, py in parts], line, curve.colour)
    sides = [("above", above, 1 - 0.5 / canvas.rows), ("below", below, 0.5 / canvas.rows)]
    for side, symbol, height in sides[: 1 if canvas.strip else 2]:
        at = np.array([value for value, where in cleaned.flags if where == side])
        if at.size:
            _scatter([(x.unit(at), np.full(at.size, height))], symbol, curve.colour)
    return parts


def _letter(label: str) -> str:
    """The character that draws a named curve in ASCII, where its shape replaces colour: the last
    digit of a layer, the first letter of a word."""
    letter = label[-1:] if label[-1:].isdigit() else label[:1]
    return letter if letter.isascii() else ""


def _bends(px: Floats, py: Floats) -> tuple[Floats, Floats]:
    """The points without those inside level stretches: the same pixels from fewer points (plotext's
    cost is linear in points)."""
    if px.size < 3:
        return px, py
    level = (py[1:-1] == py[:-2]) & (py[1:-1] == py[2:])
    keep = np.concatenate([[True], ~level, [True]])
    return px[keep], py[keep]


def _dotted(px: Floats, py: Floats, pixels: int, pitch: int) -> tuple[Floats, Floats]:
    """A dot at every ``pitch``-th pixel column. The columns are fixed to the canvas, so that a
    dotted line does not move as the curve grows. A stretch between two such columns keeps its first
    point."""
    columns = (np.arange(0, pixels, pitch) + 0.5) / pixels
    columns = columns[(columns >= px[0]) & (columns <= px[-1])]
    if columns.size == 0:
        return px[:1], py[:1]
    return columns, np.interp(columns, px, py)


def _scatter(parts: list[tuple[Floats, Floats]], symbol: str, colour: int) -> None:
    if parts:
        px, py = np.concatenate([p for p, _ in parts]), np.concatenate([p for _, p in parts])
        marker = plotext.marker(symbol, pixel=colour)
        _draw_signal(plotext.figure.signal(px.tolist(), py.tolist(), marker=marker))


def _join(parts: list[tuple[Floats, Floats]], symbol: str, colour: int) -> None:
    """Lines through each part, none between parts."""
    if not parts:
        return
    px, py = np.concatenate([p for p, _ in parts]), np.concatenate([p for _, p in parts])
    marker = plotext.marker(symbol, pixel=colour)
    signal = plotext.figure.signal(px.tolist(), py.tolist(), marker=marker)
    signal.lines(True)
    for index in np.cumsum([0] + [p.size for p, _ in parts[:-1]]).tolist():
        signal.line(index, False)
    _draw_signal(signal)


def _draw_signal(signal: Any) -> None:
    # plotext searches every point for colours that its automatic palette should avoid. That takes
    # half of the time, and the palette is not used here.
    signal._get_unique_pixels = list
    plotext.figure.draw(signal)
