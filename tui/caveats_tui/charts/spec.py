"""What a chart shows, and what the drawing process gives back; needs neither plotext nor Textual.

The app and the drawing process send these to each other, so they are frozen and picklable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Across", "Band", "Charset", "Chart", "Curve", "Drawn", "Floats", "Look", "Mark", "Row",
    "Rows", "Span", "Style",
]  # fmt: skip

Floats: TypeAlias = npt.NDArray[np.float64]
Charset: TypeAlias = Literal["braille", "block", "ascii"]
Style: TypeAlias = Literal["line", "steps", "dots", "points"]

# Neighbouring cells that look the same: text, foreground and background (xterm-256 index, None for
# the widget's own), bold. Plain tuples compare and pickle several times faster than dataclasses.
Span: TypeAlias = tuple[str, int | None, int | None, bool]
Row: TypeAlias = tuple[Span, ...]
Rows: TypeAlias = tuple[Row, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One series. ``x`` and ``y`` have shape (n,); values that are not finite become gaps.

    ``style`` is ``line``, ``steps`` (level from each point to the next: of counts), ``dots``
    (ghosts and theory: a dotted line) or ``points`` (a marker on each point, no line). ``label`` is
    written where the curve ends: a few characters, so that layers can be told apart without
    colours, or a word.
    """

    x: Floats  # (n,), in rising order
    y: Floats  # (n,)
    colour: int
    style: Style = "line"
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A shaded region between two lines, each (n,) over ``x`` (n,)."""

    x: Floats
    low: Floats
    high: Floats
    colour: int  # of the background


@dataclass(frozen=True, slots=True)
class Mark:
    """An event at ``x``: a vertical dotted line with a short label at its top."""

    x: float
    label: str
    colour: int


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A chart of ``width`` × ``height`` cells.

    Curves are drawn in order, so that a later one lies on top: put ghosts first. Where several
    lines share cells, they take turns in them. On a log axis, exact zeros stand in a row of their
    own below it.
    ``y_limits`` is in the units of ``y`` (also on a log axis); None takes them from the curves.
    ``x_ticks`` replaces the numbers below the axis, as ``((1, "layer 1"), ...)``. ``right_ticks``
    are labels at the right edge, at heights in the units of ``y``; no curve is drawn there.
    ``expected`` are values in the units of ``y``, each with a colour, marked on the y axis with
    that word.
    """

    curves: tuple[Curve, ...]
    width: int
    height: int
    x_limits: tuple[float, float]
    y_limits: tuple[float, float] | None = None
    log_y: bool = False
    marks: tuple[Mark, ...] = ()
    x_label: str = ""
    x_ticks: tuple[tuple[float, str], ...] | None = None
    charset: Charset = "braille"
    right_ticks: tuple[tuple[float, str], ...] = ()
    right_colour: int = 245
    expected: tuple[tuple[float, int], ...] = ()
    bands: tuple[Band, ...] = ()
    axis_colour: int = 245  # a grey that can be read on dark and on light


@dataclass(frozen=True, slots=True)
class Look:
    """How to draw: the size in cells, the theme's brightness, what the terminal can show."""

    width: int
    height: int
    dark: bool = True
    log: bool = False
    charset: Charset = "braille"


class Across(NamedTuple):
    """The x axis as it was drawn: ``cells`` cells after the first ``left`` ones hold the values
    ``low`` to ``high``."""

    low: float
    high: float
    left: int
    cells: int

    def value(self, column: int) -> float | None:
        """The value in the middle of a column of the chart, None outside of the axis."""
        cell = column - self.left
        if not 0 <= cell < self.cells:
            return None
        return self.low + (cell + 0.5) / self.cells * (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawn chart: its ``key``, its rows, how many seconds the drawing took, and its x axis, None
    where that holds no numbers."""

    key: str
    rows: Rows
    seconds: float
    across: Across | None
