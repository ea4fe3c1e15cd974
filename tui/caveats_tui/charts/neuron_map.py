"""The neuron map: every hidden unit as a cell with the symbol of its state, or, where several share
a cell, the share of them in the worst state.

States differ in shape as well as colour, so that they can be told apart without colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from caveats.measures import UNIT_STATES
from caveats_tui.charts.lab_charts import evenly
from caveats_tui.charts.palette import HEAT, layer_colour, series_colour
from caveats_tui.charts.spec import Floats, Look, Row, Rows, Span

__all__ = ["UnitStates", "neuron_map"]

UnitStates = Sequence[npt.NDArray[np.uint8]]

Rates = Sequence[Floats]
# The cells of a layer: characters, colours, whether bold, each (cells,).
Line = tuple[npt.NDArray[np.str_], npt.NDArray[np.int64], npt.NDArray[np.bool_]]

# By the code in caveats.measures.UNIT_STATES: alive, silent, saturated, dead, unobserved.
_SHAPES = {True: [*"■▪▣×?"], False: [*"o.S#?"]}
# The codes, worst first.
_WORST_FIRST = (3, 2, 1, 0, 4)
# Where units share a cell: none of them in the worst state, …, all of them.
_SHARES = {True: [*"▁▂▃▄▅▆▇█"], False: [*".:-=+*#"]}
LEAST = 4  # cells of a row that are not given up for what stands at its end
_RATES = [*"░▒▓█"]  # of the rows on which an alive unit fires: up to a quarter, …, more than three


def neuron_map(states: UnitStates, names: Sequence[str], look: Look, rates: Rates = ()) -> Rows:
    """One cell for each neuron, one row for each layer (wrapped if it is wide), and a legend below,
    worst state first. With ``rates``, of each layer (units,) or (0,) where unknown, the cell of an
    alive unit is filled by the share of rows on which it fires.

    If not all neurons fit, several share a cell, which shows by colour and height how many of them
    are in the worst state that occurs; at the end of a layer stands how many of all are. If not all
    layers fit, evenly spaced ones are shown, with the first and the last.
    """
    width, height = look.width, look.height
    grey = series_colour("axis", dark=look.dark)
    label = max((len(name) for name in names), default=0) + 1
    counts = np.bincount(
        np.concatenate([*states, np.zeros(0, np.uint8)]), minlength=len(UNIT_STATES)
    )
    worst = next((code for code in _WORST_FIRST[:3] if counts[code]), 0)
    for lines in (1, 2):  # as few as the legend needs; two only if there is room
        layout = arranged(states, max(1, width - label), max(1, height - lines), worst)
        shaded = rates if layout.shared == 1 and look.charset != "ascii" else ()
        parts = legend(counts, worst, layout.shared, look, rated=any(map(len, shaded)))
        if len(layout.drawn) < len(states):
            parts.append(f"{len(layout.drawn)} of {len(states)} layers")
        below = filled(parts, width)
        if len(below) <= lines or height < 8:
            break
    rows: list[Row] = []
    for index in layout.drawn:
        colour = layer_colour(index, len(states), dark=look.dark)
        if layout.shared > 1:
            line = by_share(states[index], worst, layout.shared, look, colour)
        else:
            line = by_unit(states[index], shaded[index] if shaded else None, look, colour)
        rows += layer_rows(line, names[index].ljust(label), layout, index, grey)
    high = max(1, height - lines)
    rows = rows[:high] + [()] * (high - len(rows))
    rows += [((line, grey, None, False),) for line in below[:lines]]
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which layers are ``drawn`` in rows of ``room`` cells, how many neurons are ``shared`` by a
    cell, and what stands at the end of each layer: ``told``, () if nothing."""

    drawn: list[int]
    shared: int
    room: int
    told: tuple[str, ...] = ()


def arranged(states: UnitStates, room: int, high: int, worst: int) -> Layout:
    """The layout with the fewest neurons a cell that fits into ``high`` rows of ``room`` cells."""
    drawn = evenly(len(states), high)
    shared = fewest(states, drawn, room, high)
    if shared == 1:
        return Layout(drawn, 1, room)
    told = tuple(tally(state, worst) for state in states)
    left = room - 1 - max(map(len, told))
    if left < LEAST:
        return Layout(drawn, shared, room)
    return Layout(drawn, fewest(states, drawn, left, high), left, told)


def layer_rows(line: Line, name: str, layout: Layout, index: int, grey: int) -> list[Row]:
    """The rows of one layer: its name, its cells, and at the end what is told of it."""
    count, room = len(line[0]), layout.room
    rows: list[Row] = []
    for start in range(0, count, room):
        head = name if start == 0 else " " * len(name)
        runs: list[Span] = [(head, grey, None, False), *spans(line, start, start + room)]
        if layout.told and start + room >= count:
            tail = 1 + max(map(len, layout.told))
            end = " " * (start + room - count) + layout.told[index].rjust(tail)
            runs.append((end, grey, None, False))
        rows.append(tuple(runs))
    return rows


def tally(state: npt.NDArray[np.uint8], worst: int) -> str:
    """How many of a layer's units are in the worst state: 44/64; none if all are alive."""
    return f"{np.count_nonzero((state == worst) & (worst > 0))}/{len(state)}"


def legend(
    counts: npt.NDArray[np.int64], worst: int, shared: int, look: Look, *, rated: bool
) -> list[str]:
    """What the symbols mean, with the number of units in each state."""
    shapes = _SHAPES[look.charset != "ascii"]
    found = [code for code in _WORST_FIRST if counts[code]]
    if shared > 1:
        shares = _SHARES[look.charset != "ascii"]
        parts = [f"{UNIT_STATES[code]} {counts[code]}" for code in found]
        share = f"{''.join(shares)} {UNIT_STATES[worst]}, " if worst else ""
        return [f"{share}{shared} a cell", *parts]
    parts = [f"{shapes[code]} {UNIT_STATES[code]} {counts[code]}" for code in found]
    if rated and counts[0]:
        alive = found.index(0)
        parts[alive] = f"{''.join(_RATES)} alive {counts[0]}, by firing rate"
    return parts


def by_unit(state: npt.NDArray[np.uint8], rates: Floats | None, look: Look, colour: int) -> Line:
    """One cell for each unit."""
    shapes = _SHAPES[look.charset != "ascii"]
    red, amber = (203, 214) if look.dark else (124, 130)
    grey = 244 if look.dark else 245
    text = np.array(shapes)[state]
    if rates is not None and len(rates) == len(state):
        levels = np.clip(np.ceil(4 * rates).astype(int) - 1, 0, 3)
        text = np.where(state == 0, np.array(_RATES)[levels], text)
    return text, np.array([colour, grey, amber, red, grey])[state], state == 3


def by_share(
    state: npt.NDArray[np.uint8], worst: int, shared: int, look: Look, colour: int
) -> Line:
    """One cell for each ``shared`` units: the share of them in the worst state as height and
    colour; a cell without any has the layer's colour."""
    marks = _SHARES[look.charset != "ascii"]
    starts = np.arange(0, len(state), shared)
    bad = np.add.reduceat((state == worst) & (worst > 0), starts, dtype=int)
    sizes = np.minimum(shared, len(state) - starts)
    # The lowest mark is for none and the highest for all of them, and only for these.
    levels = np.where(bad > 0, 1 + (len(marks) - 2) * bad // sizes, 0)
    hot = np.array(HEAT)[2 + (len(HEAT) - 3) * levels // (len(marks) - 1)]
    return np.array(marks)[levels], np.where(levels > 0, hot, colour), levels < 0


def spans(line: Line, start: int, stop: int) -> list[Span]:
    """Some cells of a line, neighbouring ones of one look as one span."""
    text, ink, bold = (part[start:stop] for part in line)
    look = 2 * ink.astype(int) + bold
    edges = [0, *(np.flatnonzero(look[1:] != look[:-1]) + 1).tolist(), len(text)]
    words, inks, bolds = "".join(text.tolist()), ink.tolist(), bold.tolist()
    return [(words[a:b], inks[a], None, bolds[a]) for a, b in pairwise(edges) if b > a]


def fewest(states: UnitStates, drawn: list[int], room: int, high: int) -> int:
    """How many neurons must share a cell so that the layers fit."""
    units = [len(states[i]) for i in drawn]
    shared = 1
    while shared < 4096 and wrapped(units, shared, room) > high:
        shared += 1
    return shared


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


def wrapped(units: list[int], shared: int, room: int) -> int:
    """How many rows layers of so many units need if ``shared`` of them share each of ``room``
    cells."""
    return sum(-(-count // (shared * room)) for count in units)
