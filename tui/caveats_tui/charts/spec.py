"""What a chart shows and what drawing one gives back; knows neither plotext nor Textual.

Both sides of the pipe to the drawing process exchange these, so they are frozen and picklable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Charset", "Chart", "Curve", "Drawn", "Floats", "Look", "Mark", "Row", "Rows", "Span", "Style",
]  # fmt: skip

Floats: TypeAlias = npt.NDArray[np.float64]
Charset: TypeAlias = Literal["braille", "block", "ascii"]
Style: TypeAlias = Literal["line", "dots", "points"]

# A span of cells of one look: text, foreground and background (xterm-256 index, None for the
# widget's own), bold. Plain tuples: they compare and pickle several times faster than dataclasses.
Span: TypeAlias = tuple[str, int | None, int | None, bool]
Row: TypeAlias = tuple[Span, ...]
Rows: TypeAlias = tuple[Row, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One series. ``x`` and ``y`` have shape (n,); whatever is not finite becomes a gap.

    ``style`` is ``line``, ``dots`` (theory: the same line, dotted) or ``points`` (a marker on each
    point, joined by nothing). ``label`` is written where the curve ends, so that layers can be
    told apart without colours: one or two characters.
    """

    x: Floats  # (n,), in rising order
    y: Floats  # (n,)
    colour: int
    style: Style = "line"
    label: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """An event at ``x``: a vertical dotted line with a short label at its top."""

    x: float
    label: str
    colour: int


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A chart of ``width`` × ``height`` cells.

    Curves are drawn in order, so that a later one lies on top: put ghosts first, then theory.
    ``y_limits`` is in the units of ``y`` (also on a log axis); None takes them from the curves.
    ``x_ticks`` replaces the numbers below the axis, as ``((1, "layer 1"), ...)``.
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
    axis_colour: int = 245  # grey that reads on dark and light


@dataclass(frozen=True, slots=True)
class Look:
    """How to draw: the size in cells, the theme's brightness, what the terminal can show."""

    width: int
    height: int
    dark: bool = True
    log: bool = False
    charset: Charset = "braille"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart that came back: its ``key``, its rows, and the seconds that drawing it took."""

    key: str
    rows: Rows
    seconds: float
