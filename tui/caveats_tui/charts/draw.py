"""Draws a chart with plotext and reads the cells back as rows. Runs in the drawing process.

plotext only ever gets numbers between 0 and 1, on a grid of its own pixels. Scaling, logs, ticks
and clipping are done here, for three reasons: a NaN aborts the whole process in plotext; its log
axis ignores explicit limits once ticks are set (6.1.0); and for a far outlier it interpolates a
line with as many points as there are pixels up to it. plotext places, joins and merges the points.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotext

from caveats_tui.charts.series import Limits, clean, decimate, is_axis, limits, ticks
from caveats_tui.charts.spec import Charset, Chart, Curve, Floats, Row, Rows, Span

__all__ = ["draw"]

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
_SGR = re.compile(r"\x1b\[([0-9;]*)m([^\x1b]*)")


@dataclass(frozen=True, slots=True)
class _Scale:
    """One axis: values to pixels. ``pixels`` = cells × pixels a cell."""

    low: float
    high: float
    cells: int
    pixels: int
    log: bool = False

    def unit(self, values: Floats) -> Floats:
        """Where values lie, 0 to 1 on the canvas, centred in their pixel; what lies outside stays
        outside, at most one canvas away."""
        low, high = (
            (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        )
        v = np.log10(values) if self.log else values
        with np.errstate(over="ignore"):  # infinitely far outside is clipped like the rest
            u = np.clip((v - low) / (high - low), -1.0, 2.0)
        n = self.pixels
        centred = (np.minimum(np.floor(u * n), n - 1) + 0.5) / n
        return np.where((u >= 0) & (u <= 1), centred, u)

    def cell(self, value: float) -> int | None:
        """The cell of one value, from the axis' low end; None outside."""
        if not math.isfinite(value) or (self.log and value <= 0):
            return None
        u = float(self.unit(np.array([value]))[0])
        return int(u * self.cells) if 0 <= u <= 1 else None


def draw(chart: Chart) -> Rows:
    """The chart as exactly ``chart.height`` rows of exactly ``chart.width`` cells.

    Any numbers are accepted; what cannot be drawn is left out and marked at the edge of the canvas.
    """
    if chart.width < 1 or chart.height < 1:
        return ()
    _, across, down, *_ = _DRAWN_WITH[chart.charset]
    x_axis, y_axis = _x_limits(chart), _y_limits(chart)
    framed = chart.width >= _LEAST_WIDTH and chart.height >= _LEAST_HEIGHT
    lined = framed and chart.height >= _LINE_HEIGHT
    rows = chart.height - framed - lined
    y_ticks = ticks(y_axis, max(2, min(6, rows // 2)), log=chart.log_y) if framed else ()
    title = chart.x_label[:_LONGEST_TITLE] if framed else ""
    margin = max(4, len(title), *(len(label) for _, label in y_ticks)) if framed else 0
    columns = chart.width - margin - framed
    right = max((len(label) for _, label in chart.right_ticks), default=-1) + 1 if framed else 0
    if right and columns > 3 * right:  # the curves end before the labels at the right edge
        low, high = x_axis
        x_axis = low, low + (high - low) * columns / (columns - right)
    x = _Scale(*x_axis, columns, columns * across)
    y = _Scale(*y_axis, rows, rows * down, chart.log_y)

    figure = _blank(chart)
    if framed:
        figure.axes(True, pixel=chart.axis_colour, axis="y", side="left")
        figure.axes(lined, pixel=chart.axis_colour, axis="x", side="lower")
        _set_ticks("y", y, tuple((value, label.rjust(margin)) for value, label in y_ticks))
        _set_ticks("x", x, _x_ticks(chart, x))
    for mark in chart.marks:
        if (cell := x.cell(mark.x)) is not None:
            figure.line((cell + 0.5) / columns, orientation=1, pixel=mark.colour, style="dotted")
    for curve in chart.curves:
        _add(curve, chart, x, y)
    matrix = figure.build()
    _annotate(chart, x, y, _Notes(matrix, margin + framed, columns))
    if title:
        word = plotext.colorize(title.rjust(margin)).fill(chart.axis_colour)
        matrix.insert(0, chart.height - 1, word)
    text = matrix.string()
    return _rows(text.translate(_ASCII_AXES) if chart.charset == "ascii" else text)


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


def _annotate(chart: Chart, x: _Scale, y: _Scale, notes: _Notes) -> None:
    """Write the names of marks at their top and the names of curves at their end."""
    for mark in chart.marks:
        if (cell := x.cell(mark.x)) is not None:
            notes.write(0, cell + 1, mark.label, mark.colour)
    for value, label in chart.right_ticks:
        if x.cells > 3 * len(label) and (cell := y.cell(value)) is not None:
            notes.write(y.cells - 1 - cell, x.cells - len(label), label, chart.right_colour)
    for curve in chart.curves:
        if curve.label and (end := _end(curve, chart, x, y)) is not None:
            row, column = end
            column = min(column + 1, x.cells - len(curve.label))
            notes.write(row, column, curve.label, curve.colour)


class _Notes:
    """Words on the canvas of a built chart, none over another."""

    def __init__(self, matrix: Any, left: int, columns: int) -> None:
        self._matrix = matrix
        self._left = left
        self._columns = columns
        self._taken: set[tuple[int, int]] = set()

    def write(self, row: int, column: int, text: str, colour: int) -> None:
        """Write at a cell of the canvas, or at the next free one to its right; write nothing if
        there is no room."""
        length = len(text)
        for start in range(max(0, column), self._columns - length + 1):
            cells = {(row, start + k) for k in range(length)}
            if cells and not cells & self._taken:
                self._taken |= cells
                word = plotext.colorize(text).fill(colour)
                self._matrix.insert(self._left + start, row, word)
                return


def _end(curve: Curve, chart: Chart, x: _Scale, y: _Scale) -> tuple[int, int] | None:
    """The cell (row from the top, column) in which a curve ends."""
    good = clean(curve.x, curve.y, log=chart.log_y).segments
    if not good:
        return None
    column, height = x.cell(float(good[-1][0][-1])), y.cell(float(good[-1][1][-1]))
    return None if column is None or height is None else (y.cells - 1 - height, column)


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


def _x_ticks(chart: Chart, scale: _Scale) -> tuple[tuple[float, str], ...]:
    if chart.x_ticks is None:
        every = ticks((scale.low, scale.high), max(2, min(8, scale.cells // 9)))
        return tuple(
            tick for tick in every if tick[0] <= chart.x_limits[1] or not chart.right_ticks
        )
    shown, free = [], -1  # the first column without a label
    for value, label in chart.x_ticks:
        cell = scale.cell(value)
        if cell is None or cell - len(label) // 2 < free:
            continue
        shown.append((value, label))
        free = cell + len(label) // 2 + 2
    return tuple(shown)


def _set_ticks(axis: str, scale: _Scale, marks: tuple[tuple[float, str], ...]) -> None:
    placed = {cell: label for value, label in marks if (cell := scale.cell(value)) is not None}
    positions = [(cell + 0.5) / scale.cells for cell in placed]
    plotext.figure.ruler(axis).ticks(positions, list(placed.values()))


def _add(curve: Curve, chart: Chart, x: _Scale, y: _Scale) -> None:
    line, _, _, pitch, point, above, below = _DRAWN_WITH[chart.charset]
    if chart.charset == "ascii" and curve.style == "line":
        line = _letter(curve.label) or line
    thin = decimate(curve.x, curve.y, x.cells, (x.low, x.high), log=chart.log_y)
    cleaned = clean(*thin, log=chart.log_y)
    parts = [(x.unit(px), y.unit(py)) for px, py in cleaned.segments]
    if curve.style == "dots":
        _scatter([_dotted(px, py, x.pixels, pitch) for px, py in parts], line, curve.colour)
    elif curve.style == "points":
        _scatter(parts, point, curve.colour)
    else:
        _join([_bends(px, py) for px, py in parts], line, curve.colour)
    for side, symbol, height in (
        ("above", above, 1 - 0.5 / y.cells),
        ("below", below, 0.5 / y.cells),
    ):
        at = np.array([value for value, where in cleaned.flags if where == side])
        if at.size:
            _scatter([(x.unit(at), np.full(at.size, height))], symbol, curve.colour)


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


def _rows(text: str) -> Rows:
    """plotext's coloured text as rows of spans. Only its foreground colours are used. Blanks join
    the span before them, whatever its colour: fewer spans, fewer bytes to the terminal."""
    return tuple(_row(line) for line in text.removesuffix("\n").split("\n"))


def _row(line: str) -> Row:
    runs: list[Span] = []
    colour: int | None = None
    for codes, text in _SGR.findall(line):
        if codes == "0":
            colour = None
        elif codes.startswith("38;5;"):
            colour = int(codes[5:])
        if not text:
            continue
        if runs and (runs[-1][1] == colour or text.isspace()):
            runs[-1] = (runs[-1][0] + text, runs[-1][1], None, False)
        else:
            runs.append((text, None if text.isspace() else colour, None, False))
    return tuple(runs)
