"""Pictures made of cells: the neuron map and the decision boundary, as rows.

Unit states and classes differ in shape as well as colour, so that they can be told apart without
colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from caveats.measures import UNIT_STATES
from caveats_tui.charts.figures import evenly
from caveats_tui.charts.palette import layer_colour, series_colour
from caveats_tui.charts.spec import Charset, Look, Row, Rows, Span

if TYPE_CHECKING:
    from caveats.views import Plane

__all__ = ["boundary_map", "neuron_map"]

UnitStates = Sequence[npt.NDArray[np.uint8]]

# By the code in caveats.measures.UNIT_STATES: alive, silent, saturated, dead, unobserved.
_SHAPES: dict[bool, str] = {True: "■▪▣×?", False: "o.S#?"}
# The codes, worst (dead) first; also from codes to ranks: the permutation is its own inverse.
_BADNESS = np.array([3, 2, 1, 0, 4])


def neuron_map(states: UnitStates, names: Sequence[str], look: Look) -> Rows:
    """One cell for each neuron, one row for each layer (wrapped if it is wide), and a legend below,
    worst state first.

    If not all neurons fit, several share a cell, which shows the worst of them; if not all layers
    fit, evenly spaced ones are shown, with the first and the last.
    """
    width, height = look.width, look.height
    shapes = _SHAPES[look.charset != "ascii"]
    grey = series_colour("axis", dark=look.dark)
    label = max((len(name) for name in names), default=0) + 1
    room = max(1, width - label)
    counts = np.bincount(
        np.concatenate([*states, np.zeros(0, np.uint8)]), minlength=len(UNIT_STATES)
    )
    legend = [
        f"{shapes[code]} {UNIT_STATES[code]} {counts[code]}" for code in _BADNESS if counts[code]
    ]
    for lines in (1, 2):  # as few as the legend needs; two only if there is room
        high = max(1, height - lines)
        drawn, shared = arranged(states, room, high)
        below = filled(legend + remarks(len(drawn), len(states), shared), width)
        if len(below) <= lines or height < 8:
            break
    rows: list[Row] = []
    for index in drawn:
        colour = layer_colour(index, len(states), dark=look.dark)
        codes = grouped(states[index], shared)
        for start in range(0, len(codes), room):
            head = names[index].ljust(label) if start == 0 else " " * label
            runs: list[Span] = [(head, grey, None, False)]
            runs += cells_of(codes[start : start + room], shapes, colour, look.dark)
            rows.append(tuple(runs))
    rows = rows[:high] + [()] * (high - len(rows))
    rows += [((line, grey, None, False),) for line in below[:lines]]
    return tuple(rows)


def arranged(states: UnitStates, room: int, high: int) -> tuple[list[int], int]:
    """Which layers are shown in ``high`` rows of ``room`` cells, and how many neurons share a
    cell."""
    drawn = evenly(len(states), high)
    shared = 1
    while shared < 4096 and wrapped([states[i] for i in drawn], shared, room) > high:
        shared += 1
    return drawn, shared


def remarks(drawn: int, layers: int, shared: int) -> list[str]:
    """What the user must know to read the map: layers left out, neurons that share a cell."""
    said = [f"{drawn} of {layers} layers"] if drawn < layers else []
    return [*said, f"{shared} a cell, the worst shown"] if shared > 1 else said


def filled(parts: list[str], width: int) -> list[str]:
    """The parts, joined to lines of at most ``width`` cells."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}  {part}" if lines[-1] else part
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return [line[:width] for line in lines]


def wrapped(states: UnitStates, shared: int, room: int) -> int:
    """How many rows the layers need if ``shared`` neurons share each of ``room`` cells."""
    return sum(-(-cells(len(state), shared) // room) for state in states)


def cells(neurons: int, shared: int) -> int:
    return -(-neurons // shared)


def grouped(state: npt.NDArray[np.uint8], shared: int) -> npt.NDArray[np.uint8]:
    """The worst state in each group of ``shared`` neurons, (cells,)."""
    if shared == 1:
        return state
    padded = np.full(cells(len(state), shared) * shared, 4, np.int64)
    padded[: len(state)] = _BADNESS[state]
    worst: npt.NDArray[np.uint8] = _BADNESS[padded.reshape(-1, shared).min(1)].astype(np.uint8)
    return worst


def cells_of(codes: npt.NDArray[np.uint8], shapes: str, colour: int, dark: bool) -> list[Span]:
    red = 203 if dark else 124
    amber = 214 if dark else 130
    grey = 244 if dark else 245
    paint = (colour, grey, amber, red, grey)
    edges = [0, *(np.flatnonzero(np.diff(codes.astype(int))) + 1).tolist(), len(codes)]
    return [
        (shapes[codes[a]] * (b - a), paint[codes[a]], None, bool(codes[a] == 3))
        for a, b in pairwise(edges)
        if b > a
    ]


# For each class, a pale background of its region and a strong colour of its points.
_REGIONS = ((24, 52, 22, 58, 53, 23), (153, 224, 194, 230, 225, 195))
_POINTS = ((81, 210, 120, 227, 219, 123), (25, 124, 22, 94, 90, 23))


def boundary_map(seen: Plane, *, dark: bool = True, charset: Charset = "braille") -> Rows:
    """The class that the network predicts in each cell of the plane, with rows of data on it.

    A point is × where the network is wrong. In ASCII a region is filled with the small letter of
    its class; a point is the capital letter, or # where the network is wrong.
    """
    classes = seen.classes
    height, width = classes.shape
    plain = charset == "ascii"
    regions, inks = _REGIONS[not dark], _POINTS[not dark]
    text = np.full((height, width), " ")
    ink = np.full((height, width), -1)
    if plain:
        text = np.array(list("abcdefghijklmnopqrstuvwxyz"))[classes % 26]
    column = np.clip((seen.points[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - seen.points[:, 1]) * height).astype(int), 0, height - 1)
    for r, c, label, good in zip(row, column, seen.truth, seen.right, strict=True):
        letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[label % 26] if plain else "•"
        text[r, c] = letter if good else ("#" if plain else "×")
        ink[r, c] = inks[label % len(inks)]
    rows: list[Row] = []
    for r in range(height):
        look = classes[r] * 1000 + ink[r]
        edges = [0, *(np.flatnonzero(np.diff(look)) + 1).tolist(), width]
        rows.append(
            tuple(
                (
                    "".join(text[r, a:b]),
                    None if ink[r, a] < 0 else int(ink[r, a]),
                    None if plain else regions[int(classes[r, a]) % len(regions)],
                    ink[r, a] >= 0,
                )
                for a, b in pairwise(edges)
            )
        )
    return tuple(rows)
