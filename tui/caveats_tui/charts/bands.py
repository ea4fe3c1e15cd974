"""Shades a region of a drawn chart between two lines."""

from __future__ import annotations

import numpy as np

from caveats_tui.charts.cells import Cells
from caveats_tui.charts.scale import Canvas
from caveats_tui.charts.spec import Band, Floats

__all__ = ["shade"]

ASCII_SHADE = ":"  # in the blank cells of a band, where there are no background colours


def shade(cells: Cells, band: Band, canvas: Canvas, plain: int | None) -> None:
    """Colour the background of the cells of a band; in ASCII, fill its blank ones with colons in
    the colour ``plain``."""
    low, high = (_rows(line, band.x, canvas) for line in (band.low, band.high))
    for column, (lower, upper) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        if lower != lower or upper != upper:  # NaN: the band does not reach this column
            continue
        for row in range(max(0, int(upper)), min(canvas.y.cells - 1, int(lower)) + 1):
            at = canvas.left + column
            if plain is None:
                cells.paper[row, at] = band.colour
            elif cells.text[row][at] == " ":
                cells.put(row, at, ASCII_SHADE, plain)


def _rows(line: Floats, x: Floats, canvas: Canvas) -> Floats:
    """The row of a line in each column, (columns,), NaN where it is not."""
    good = np.isfinite(line) & np.isfinite(x) & ((line > 0) | (not canvas.y.log))
    places = (np.arange(canvas.columns) + 0.5) / canvas.columns
    rows = np.full(canvas.columns, np.nan)
    if good.any():
        px, py = canvas.x.unit(x[good]), canvas.y.unit(line[good])
        half = 0.5 / canvas.columns
        inside = (places >= px[0] - half) & (places <= px[-1] + half)
        heights = np.interp(places[inside], px, py)
        rows[inside] = np.floor((1 - heights) * canvas.y.cells)
    return rows
