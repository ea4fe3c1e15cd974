"""Layers × time as a heat map: every layer of a deep network is visible, where curves would hide
one another.

One colour for each cell, from an ordered palette; two layers share a row of half blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from caveats.measures import LAYER_MEASURES
from caveats_tui.charts.lab_charts import short, span
from caveats_tui.charts.palette import HEAT, series_colour
from caveats_tui.charts.series import decade
from caveats_tui.charts.spec import Across, Floats, Look, Row, Rows, Span
from caveats_tui.charts.trace import Trace

__all__ = ["DEEP", "HEAT_MAPS", "HeatMap", "heat_map", "map_axis"]

T = TypeVar("T")

DEEP = 8  # hidden layers from which on the map is shown first
_SHADES = ".:-=+*#"  # in ASCII, one for each colour


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What a map shows: the share of units of each hidden layer that are dead or saturated, or the
    logarithm of a measure of all layers. Where a cell stands for several values, it shows the worst
    of them. An exact 0 of a logarithm has a colour of its own, the darkest."""

    title: str
    measure: str

    @property
    def share(self) -> bool:
        return LAYER_MEASURES[self.measure].counts

    def values(self, trace: Trace) -> Floats:
        """(records, layers), NaN where there is nothing to show, -inf for the logarithm of 0."""
        seen = trace.seen
        values = seen.layers(self.measure)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.share:
                percent: Floats = 100 * values[:, :-1] / seen.layers("units")[:, :-1]
                return percent
            logs: Floats = np.log10(values)
        return np.where(logs == np.inf, np.nan, logs)

    def worst(self, values: Floats, axis: int) -> Floats:
        """Of several records or layers: the most dead units, the smallest gradient or step."""
        reduce = np.fmax if self.share else np.fmin
        found: Floats = reduce.reduce(values, axis=axis)
        return found


HEAT_MAPS: dict[str, HeatMap] = {
    "dead_map": HeatMap("dead neurons by layer", "dead"),
    "saturated_map": HeatMap("saturated neurons by layer", "saturated"),
    "gradient_map": HeatMap("gradient norm", "grad_norm"),
    "delta_map": HeatMap("delta", "delta_rms"),
    "update_map": HeatMap("update/weight", "update_ratio"),
}


def heat_map(kind: HeatMap, trace: Trace, look: Look) -> Rows:
    """The map in ``look.height`` rows: the first layer at the top, steps to the right, and below
    them the steps and the scale."""
    values = kind.values(trace)
    names = layer_names(trace, values.shape[1], look)
    _, end, label, width = map_axis(kind, trace, look)
    high = max(1, look.height - 2)
    halves = 1 if look.charset == "ascii" else 2
    cells = over_time(kind, values, trace.seen.steps.astype(float), end, width).T  # (layers, width)
    shared = -(-len(cells) // (halves * high)) if len(cells) else 1
    tall = max(1, halves * high // max(1, len(cells)))
    merged = [
        kind.worst(cells[start : start + shared], 0) for start in range(0, len(cells), shared)
    ]
    low, top = (0.0, 100.0) if kind.share else decades(values)
    zeros = bool(np.isneginf(values).any())
    lines = [line for layer in merged for line in [levels(layer, low, top, zeros)] * tall]
    tags = [name for name in names[::shared] for name in (name, *[""] * (tall - 1))]
    grey = series_colour("axis", dark=look.dark)
    rows: list[Row] = []
    for at in range(0, len(lines), halves):
        pair = lines[at : at + halves]
        tag = next((name for name in tags[at : at + halves] if name), "")
        head: Span = (tag.rjust(label - 1) + " ", grey, None, False)
        rows.append((head, *(shaded(pair[0]) if halves == 1 else half_blocks(pair))))
    rows = rows[:high] + [()] * (high - len(rows))
    ends = "0 %", f"100 % {kind.measure}"
    if not kind.share:
        ends = decade(round(low)), decade(round(top))
    colours = scale(ends, zeros, plain=halves == 1, grey=grey)
    said = f"{shared} layers a row, the worst" if shared > 1 else ""
    if sum(len(text) for text, *_ in colours) + 2 + len(said) <= look.width:
        rows.append((below(end, "", label, width, grey),))
        rows.append((*colours, (f"  {said}", grey, None, False)) if said else (*colours,))
    else:
        rows.append((below(end, said, label, width, grey),))
        rows.append((*colours,))
    return tuple(rows[: look.height])


def below(end: float, said: str, label: int, width: int, grey: int) -> Span:
    """The line of the steps: 0, the last one, and between them what is ``said``, as far as there is
    room."""
    steps = f"{end:,.0f}"
    room = max(0, width - 1 - len(steps))
    middle = next((s for s in (said, said.replace("layers ", "")) if len(s) + 2 <= room), "")
    return (f"{'':{label}}0{middle:^{room}}{steps}", grey, None, False)


def layer_names(trace: Trace, count: int, look: Look) -> list[str]:
    return [cut(short(name), look.width // 4) for name in trace.layers[:count]]


def map_axis(kind: HeatMap, trace: Trace, look: Look) -> Across:
    """The steps that the columns of a map stand for."""
    names = layer_names(trace, len(trace.layers) - kind.share, look)
    label = max((len(name) for name in names), default=0) + 1
    return Across(0.0, span([trace])[1], label, max(1, look.width - label))


def cut(name: str, room: int) -> str:
    """The end of a name that is too long: in a watched model it tells most."""
    room = max(3, room)
    return name if len(name) <= room else f"..{name[2 - room :]}"


def over_time(kind: HeatMap, values: Floats, steps: Floats, end: float, width: int) -> Floats:
    """The worst value of each layer in each of ``width`` equal spans of steps up to ``end``, and
    the last one before a span without a record: (width, layers), NaN after the newest record."""
    cells = np.full((width, values.shape[1]), np.nan)
    places = np.searchsorted(steps, np.linspace(0.0, end, width + 1))
    places[-1] = len(steps)
    for column, (start, stop) in enumerate(pairwise(places.tolist())):
        if stop > start:
            cells[column] = kind.worst(values[start:stop], 0)
        elif 0 < start < len(steps):
            cells[column] = values[start - 1]
    return cells


def decades(values: Floats) -> tuple[float, float]:
    """The whole decades around all values, at least two."""
    found = values[np.isfinite(values)]
    if not found.size:
        return -2.0, 0.0
    high = float(np.ceil(found.max()))
    return min(float(np.floor(found.min())), high - 2), high


def levels(values: Floats, low: float, high: float, zeros: bool) -> list[int]:
    """The index in the palette of each value, -1 for none; with ``zeros``, 0 for -inf alone."""
    part = zeros + (values - low) / (high - low) * (len(HEAT) - zeros)
    least = np.where(np.isneginf(values), 0, int(zeros))
    level = np.clip(np.nan_to_num(part, neginf=0.0), least, len(HEAT) - 1).astype(int)
    return [int(one) for one in np.where(np.isnan(values), -1, level)]


def half_blocks(pair: list[list[int]]) -> list[Span]:
    """One row of cells, the first line in their upper halves, the second in the lower ones."""
    upper, lower = pair[0], pair[1] if len(pair) > 1 else [-1] * len(pair[0])
    spans: list[Span] = []
    for (above, below), count in runs(list(zip(upper, lower, strict=True))):
        top, bottom = (None if level < 0 else HEAT[level] for level in (above, below))
        if top is None:
            spans.append((("▄" if bottom is not None else " ") * count, bottom, None, False))
        else:
            spans.append(("▀" * count, top, bottom, False))
    return spans


def shaded(line: list[int]) -> list[Span]:
    return [
        ((" " if level < 0 else _SHADES[level]) * count, None, None, False)
        for level, count in runs(line)
    ]


def runs(cells: list[T]) -> list[tuple[T, int]]:
    """Neighbouring cells that are equal, and how many they are."""
    edges = [0, *(i for i in range(1, len(cells)) if cells[i] != cells[i - 1]), len(cells)]
    return [(cells[a], b - a) for a, b in pairwise(edges) if b > a]


def scale(ends: tuple[str, str], zeros: bool, *, plain: bool, grey: int) -> list[Span]:
    """The palette between the values at its ends; with ``zeros``, the colour of 0 before them."""
    cells: list[Span] = [(ch, None, None, False) for ch in _SHADES]
    if not plain:
        cells = [("█", colour, None, False) for colour in HEAT]
    low, high = (f"{ends[0]} ", grey, None, False), (f" {ends[1]}", grey, None, False)
    if not zeros:
        return [low, *cells, high]
    return [("0 ", grey, None, False), cells[0], ("  ", None, None, False), low, *cells[1:], high]
