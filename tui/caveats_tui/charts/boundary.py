"""The decision boundary: the class that a network predicts over the plane of two inputs, at two
points a cell, with axes and rows of the data.

Classes differ in shape (in ASCII by letters) where colours cannot be told apart.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from caveats_tui.charts.palette import series_colour
from caveats_tui.charts.series import ticks
from caveats_tui.charts.spec import Look, Row, Rows, Span

if TYPE_CHECKING:
    from caveats.views import Plane

__all__ = ["boundary_map", "grid_size"]

# For each class the backgrounds of its region, from unsure to sure, on dark and on light, and a
# strong colour of its points.
_REGIONS: tuple[tuple[tuple[int, int, int], ...], ...] = (
    ((17, 18, 25), (52, 88, 124), (22, 22, 28), (58, 58, 100), (53, 90, 127), (23, 23, 30)),
    ((189, 153, 117), (224, 217, 210), (194, 157, 120), (230, 229, 228), (225, 219, 213),
     (195, 159, 123)),
)  # fmt: skip
_POINTS = ((81, 210, 120, 227, 219, 123), (25, 124, 22, 94, 90, 23))
_LEVELS = (1 / 3, 2 / 3)  # of the way from a guess to certainty, between the three backgrounds
_MARGIN = 6  # cells for the labels at the left and their axis
_LEAST = 20, 6  # columns and rows without which there are no axes


def grid_size(look: Look) -> tuple[int, int]:
    """How many points of the plane are shown, across and down: two in a cell, one in ASCII."""
    left, below = _edges(look)
    rows = look.height - below
    return look.width - left, rows if look.charset == "ascii" else 2 * rows


def _edges(look: Look) -> tuple[int, int]:
    framed = look.width >= _LEAST[0] and look.height >= _LEAST[1]
    return (_MARGIN, 1) if framed else (0, 0)


def boundary_map(seen: Plane, look: Look) -> Rows:
    """The class that the network predicts at each point of a plane of `grid_size`, the stronger the
    surer it is, with rows of data on it.

    A point is × where the network is wrong. In ASCII a region is filled with the small letter of
    its class; a point is the capital letter, or # where the network is wrong.
    """
    left, _ = _edges(look)
    plain = look.charset == "ascii"
    halves = 1 if plain else 2
    papers = regions(seen, look)
    height, width = papers.shape[0] // halves, papers.shape[1]
    upper, lower = papers[::halves], papers[halves - 1 :: halves]
    if plain:
        text = np.array([*"abcdefghijklmnopqrstuvwxyz"])[seen.classes % 26]
        ink, paper = np.full((height, width), -1), np.full((height, width), -1)
    else:
        # Cells of one colour are blanks on it: neighbours join although other halves differ.
        text = np.where(upper == lower, " ", "▀")
        ink, paper = np.where(upper == lower, -1, upper), lower.copy()
    bold = np.zeros((height, width), bool)
    inks = _POINTS[not look.dark]
    column = np.clip((seen.points[:, 0] * width).astype(int), 0, width - 1)
    line = np.clip(((1 - seen.points[:, 1]) * height * halves).astype(int), 0, len(papers) - 1)
    for y, x, label, good in zip(line, column, seen.truth, seen.right, strict=True):
        r = y // halves
        letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[label % 26] if plain else "•"
        text[r, x] = letter if good else ("#" if plain else "×")
        ink[r, x], bold[r, x] = inks[label % len(inks)], True
        if not plain:
            paper[r, x] = papers[y, x]
    rows = [_spans(text[r], ink[r], paper[r], bold[r]) for r in range(height)]
    return _with_axes(rows, seen, look) if left else tuple(rows)


def regions(seen: Plane, look: Look) -> npt.NDArray[np.int64]:
    """The background of each point, by class and by how sure the network is of it."""
    palette = np.array(_REGIONS[not look.dark])
    guess = 1 / max(2, seen.outputs)
    sure = (seen.confidence - guess) / (1 - guess)
    levels = np.searchsorted(_LEVELS, np.nan_to_num(sure))
    found: npt.NDArray[np.int64] = palette[seen.classes % len(palette), levels]
    return found


def _spans(
    text: npt.NDArray[np.str_],
    ink: npt.NDArray[np.int64],
    paper: npt.NDArray[np.int64],
    bold: npt.NDArray[np.bool_],
) -> Row:
    look = (ink + 1) * 1000 + (paper + 1) * 2 + bold
    edges = [0, *(np.flatnonzero(look[1:] != look[:-1]) + 1).tolist(), len(text)]
    words, inks, papers, bolds = "".join(text.tolist()), ink.tolist(), paper.tolist(), bold.tolist()
    inks, papers = ([None if i < 0 else i for i in part] for part in (inks, papers))
    return tuple((words[a:b], inks[a], papers[a], bolds[a]) for a, b in pairwise(edges))


def _with_axes(rows: list[Row], seen: Plane, look: Look) -> Rows:
    """The map with the values of the first input below it, and of the second at its left."""
    grey = series_colour("axis", dark=look.dark)
    plain = look.charset == "ascii"
    (low_x, low_y), (high_x, high_y) = seen.corners.tolist()
    height, width = len(rows), look.width - _MARGIN
    at_row = {
        min(height - 1, int((high_y - value) / (high_y - low_y) * height)): label
        for value, label in ticks((low_y, high_y), max(2, height // 3))
    }
    bar, tick = ("|", "+") if plain else ("│", "┤")
    made: list[Row] = []
    for r, row in enumerate(rows):
        label = at_row.get(r, "")[: _MARGIN - 1]
        head: Span = (f"{label:>{_MARGIN - 1}}{tick if label else bar}", grey, None, False)
        made.append((head, *row))
    below = [" "] * look.width
    free = 0
    for value, label in ticks((low_x, high_x), max(2, width // 9)):
        start = _MARGIN + int((value - low_x) / (high_x - low_x) * width) - len(label) // 2
        start = min(start, look.width - len(label))
        if start >= free:
            below[start : start + len(label)] = label
            free = start + len(label) + 1
    return (*made, (("".join(below), grey, None, False),))
