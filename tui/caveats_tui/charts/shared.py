"""Curves that share cells take turns in them, so that none of them is hidden: a cell has only one
colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caveats_tui.charts.cells import Cells
from caveats_tui.charts.scale import Canvas
from caveats_tui.charts.spec import Curve, Floats

__all__ = ["Parts", "take_turns", "turn", "zeros_below"]

DASH = 2  # cells in a row that one of several curves gets

# The stretches of a curve without a gap, in units of the canvas.
Parts = list[tuple[Floats, Floats]]


def turn(column: int, curves: int) -> int:
    """Which of several curves a column belongs to. Columns are those of the canvas, so that dashes
    stay where they are while curves grow."""
    return column // DASH % curves


def take_turns(
    cells: Cells, drawn: Sequence[tuple[Curve, Parts]], canvas: Canvas, letters: Sequence[str]
) -> None:
    """Give the cells in which several curves lie to each of them by turns. With ``letters``, one
    for each curve, the character of a cell changes too (in ASCII)."""
    if len(drawn) < 2:
        return
    heights = np.stack([sampled(parts, canvas) for _, parts in drawn])  # (curves, 2 × columns)
    pairs = heights.reshape(len(drawn), canvas.columns, 2)
    colours = [curve.colour for curve, _ in drawn]
    ordered = np.sort(heights, axis=0)
    touching = (np.diff(ordered, axis=0) == 0).any(0).reshape(-1, 2).all(1)
    for column in np.flatnonzero(touching).tolist():
        together: dict[tuple[float, float], list[int]] = {}
        for index in range(len(drawn)):
            first, second = pairs[index, column].tolist()
            if first == first and second == second:  # not NaN
                together.setdefault((first, second), []).append(index)
        for rows, group in together.items():
            if len(group) > 1:
                chosen = group[turn(column, len(group))]
                own = {colours[i] for i in group}
                for row in range(int(min(rows)), int(max(rows)) + 1):
                    at = canvas.left + column
                    if cells.ink[row][at] in own and cells.text[row][at] != " ":
                        mark = letters[chosen] if letters else cells.text[row][at]
                        cells.put(row, at, mark, colours[chosen])


def sampled(parts: Parts, canvas: Canvas) -> Floats:
    """The row of a curve, from the top, at two places in each column: (2 × columns,), NaN where it
    is not, or not on the canvas."""
    places = (np.arange(2 * canvas.columns) + 0.5) / (2 * canvas.columns)
    rows = np.full(places.size, np.nan)
    half = 0.5 / canvas.columns
    for px, py in parts:
        inside = (places >= px[0] - half) & (places <= px[-1] + half)
        heights = np.interp(places[inside], px, py)
        found = np.ceil((1 - heights) * canvas.rows) - 1
        rows[inside] = np.where((heights >= 0) & (heights <= 1), found, np.nan)
    return rows


def zeros_below(
    cells: Cells, curves: Sequence[Curve], canvas: Canvas, marks: tuple[str, str]
) -> None:
    """Draw in the lowest row where each curve is 0 (or less): a line in the curve's colour, by
    turns where there are several; dotted where only ghosts are."""
    row, full = canvas.rows - 1, [zero_columns(curve, canvas) for curve in curves]
    for column in range(canvas.columns):
        here = [(c, f[column]) for c, f in zip(curves, full, strict=True) if f[column]]
        live = [c for c, _ in here if c.style != "dots"]
        at = canvas.left + column
        cells.put(row, at, " ", 0)
        if live:
            cells.put(row, at, marks[0], live[turn(column, len(live))].colour)
        elif here and not column % 2:
            cells.put(row, at, marks[1], here[turn(column // 2, len(here))][0].colour)


def zero_columns(curve: Curve, canvas: Canvas) -> list[bool]:
    """In which columns a curve is 0 or less, from each such record to the next one beside it."""
    covered = [False] * canvas.columns
    zero = np.isfinite(curve.x) & np.isfinite(curve.y) & (curve.y <= 0)
    if not zero.any():
        return covered
    place = canvas.x.unit(curve.x)
    zero &= (place >= 0) & (place <= 1)
    edges = np.flatnonzero(np.diff(zero.astype(int), prepend=0, append=0))
    columns = (place[zero.nonzero()[0]] * canvas.columns).astype(int)
    taken = 0
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        run = columns[taken : taken + stop - start]
        taken += stop - start
        for column in range(int(run.min()), int(run.max()) + 1):
            covered[column] = True
    return covered
