"""Prepares numbers for an axis: finds gaps, thins points, chooses limits and ticks. Draws
nothing."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from caveats_tui.charts.spec import Floats

__all__ = [
    "Clean",
    "Flag",
    "Limits",
    "clean",
    "decimate",
    "is_axis",
    "limits",
    "tick_label",
    "ticks",
    "upper_step",
]

Limits: TypeAlias = tuple[float, float]
# A larger value counts as not finite, because the difference of two such values would overflow.
_HUGE = 1e300
# An axis spans at least this share of its values' size: if a loss stands still, its last digits are
# noise, and showing them would need labels of ten characters.
_LEAST_SPAN = 0.02

Flag: TypeAlias = tuple[float, Literal["above", "below"]]


@dataclass(frozen=True, slots=True, eq=False)
class Clean:
    """A series split at the points that cannot be drawn. ``flags`` has the x of the first bad point
    of each gap, and the side at which it left: ``below`` for a value of 0 or less on a log axis,
    ``above`` for the rest."""

    segments: tuple[tuple[Floats, Floats], ...]  # each (n_i,), (n_i,)
    flags: tuple[Flag, ...]


def _drawable(x: Floats, y: Floats, log: bool) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    good = (np.abs(x) <= _HUGE) & (np.abs(y) <= _HUGE)  # False for NaN
    if log:
        good &= y > 0
    return good


def clean(x: Floats, y: Floats, *, log: bool = False) -> Clean:
    """Split ``x``, ``y`` (each (n,)) at every point that is not finite or, with ``log``, not
    positive. No returned value is NaN or infinite. Points come back in rising order of x."""
    if np.any(x[1:] < x[:-1]):
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    good = _drawable(x, y, log)
    edges = np.flatnonzero(good[1:] != good[:-1]) + 1
    bounds = [0, *edges.tolist(), good.size]
    segments = []
    flags: list[Flag] = []
    for start, stop in itertools.pairwise(bounds):
        if start == stop:
            continue
        if good[start]:
            segments.append((x[start:stop], y[start:stop]))
        elif abs(x[start]) <= _HUGE:
            below = log and abs(y[start]) <= _HUGE
            flags.append((float(x[start]), "below" if below else "above"))
    return Clean(tuple(segments), tuple(flags))


def is_axis(axis: Limits, *, log: bool = False) -> bool:
    """Whether floats can be placed between these limits: finite, rising by more than rounding, and
    positive with ``log``."""
    low, high = axis
    size = max(abs(low), abs(high))
    if not size <= 10 * _HUGE or (log and not low > 0):
        return False
    return low < high if log else high - low > max(1e-9 * size, 1 / _HUGE)


def decimate(
    x: Floats, y: Floats, columns: int, x_limits: Limits, *, log: bool = False
) -> tuple[Floats, Floats]:
    """Thin a series to what ``columns`` columns can show: (k,), (k,).

    Keeps the lowest and the highest drawable point of each column, and the first and the last
    point, so that no extreme is lost; at most ``2 * columns + 2`` drawable points remain. Where bad
    points lie between two kept points, the first of them is kept, so that `clean` still finds the
    gap. Points outside ``x_limits`` are dropped. Each pass is linear in n: 10,000 points take about
    0.6 ms.
    """
    low, high = x_limits
    inside = ~((x < low) | (x > high))
    if not inside.all():
        x, y = x[inside], y[inside]
    if x.size <= 2 * columns + 2 or columns < 1 or not is_axis(x_limits):
        return x, y
    if np.any(x[1:] < x[:-1]):
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    good = _drawable(x, y, log)
    kept = np.flatnonzero(good)
    if kept.size == 0:
        return x[:1], y[:1]
    if kept.size > 2 * columns + 2:
        kept = kept[_extremes(x[kept], y[kept], columns, low, high)]
    bad = np.flatnonzero(~good)
    gap = np.searchsorted(kept, bad)  # between which kept points each bad one lies
    first = bad[np.flatnonzero(np.diff(gap, prepend=-1))]
    chosen = np.sort(np.concatenate([kept, first]))
    return x[chosen], y[chosen]


def _extremes(
    x: Floats, y: Floats, columns: int, low: float, high: float
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Indices (rising) of each column's lowest and highest point, and of both ends."""
    column = np.minimum(((x - low) / (high - low) * columns).astype(int), columns)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(column)) + 1])
    counts = np.diff(np.append(starts, x.size))
    group = np.repeat(np.arange(starts.size), counts)
    keep = [np.array([0, x.size - 1])]
    for reduce in (np.minimum, np.maximum):
        extreme = reduce.reduceat(y, starts)
        hits = np.flatnonzero(y == extreme[group])
        keep.append(hits[np.flatnonzero(np.diff(group[hits], prepend=-1))])
    return np.unique(np.concatenate(keep))


def _step(least: float) -> float:
    """The smallest of 1, 2, 5 × 10ⁿ that is at least ``least`` (> 0)."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((m * power for m in (1, 2, 5) if m * power >= least * (1 - 1e-9)), 10 * power)


def upper_step(value: float) -> float:
    """The smallest of 1, 2, 5 × 10ⁿ that is not below ``value``. With it, an axis from 0 that grows
    with a run changes its scale a few times instead of at each frame."""
    return max(_step(value), value) if value > 0 else 1.0


def limits(low: float, high: float, previous: Limits | None = None, *, log: bool = False) -> Limits:
    """Axis limits around the data; they keep ``previous`` while it fits.

    Limits move in steps (whole decades with ``log``, else multiples of 1, 2 or 5 × 10ⁿ), and shrink
    only when the data would fill less than two fifths of the old axis. So most cells of a chart
    stay the same from frame to frame. Raises ValueError when a bound is beyond ±1e300, NaN, or not
    positive with ``log``.
    """
    if not -_HUGE <= low <= high <= _HUGE or (log and low <= 0):
        raise ValueError(f"no axis from {low} to {high}")
    fresh = _decades(low, high) if log else _multiples(low, high)
    if previous is None or not (previous[0] <= low and high <= previous[1]):
        return fresh
    if log:
        held = math.log10(previous[1]) - math.log10(previous[0])
        used = math.log10(fresh[1]) - math.log10(fresh[0])
    else:
        held, used = previous[1] - previous[0], fresh[1] - fresh[0]
    return fresh if used < 0.4 * held else previous


def _power(exponent: int) -> float:
    return 10.0 ** max(-323, min(308, exponent))


def _decades(low: float, high: float) -> Limits:
    bottom, top = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return min(_power(bottom), low), max(_power(max(top, bottom + 1)), high)


def _multiples(low: float, high: float) -> Limits:
    size = max(-low, high)
    if size < 1 / _HUGE:
        return min(low, 0.0), 1.0
    if (missing := _LEAST_SPAN * size - (high - low)) > 0:
        low, high = low - missing / 2, high + missing / 2
    step = _step((high - low) / 4)
    return min(math.floor(low / step) * step, low), max(math.ceil(high / step) * step, high)


def tick_label(value: float, step: float) -> str:
    """A value on an axis whose labels are ``step`` apart: 400, 12.5k, 1e-5."""
    size = max(abs(value), abs(step))
    if value == 0:
        return "0"
    if size >= 1e9 or abs(step) < 1e-4:
        text = f"{value:.1e}".replace(".0e", "e").replace("e+", "e")
        mantissa, exponent = text.split("e")
        return f"{mantissa}e{int(exponent)}"
    for unit, scale in (("M", 1e6), ("k", 1e3)):
        if size >= 10 * scale or (size >= scale and unit == "M"):
            return f"{value / scale:.{_decimals(step / scale)}f}{unit}"
    return f"{value:.{_decimals(step)}f}"


def _decimals(step: float) -> int:
    return min(6, max(0, -math.floor(math.log10(step) + 1e-9)))


def ticks(axis: Limits, most: int, *, log: bool = False) -> tuple[tuple[float, str], ...]:
    """At most ``most`` pairs (value, short label) inside ``axis``; with ``log``, whole decades."""
    low, high = axis
    if most < 1 or not is_axis(axis, log=log):
        return ()
    if not log:
        step = _fit(low, high, most)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return tuple((k * step, tick_label(k * step, step)) for k in range(first, last + 1))
    first = math.ceil(math.log10(low) - 1e-9)
    last = math.floor(math.log10(high) + 1e-9)
    stride = max(1, math.ceil((last - first + 1) / most))
    # strides are counted from 1e0, so that they stay where they are when the axis grows
    decades = [e for e in range(first, last + 1) if e % stride == 0] or [first]
    return tuple((_power(e), decade(e)) for e in decades)


def decade(exponent: int) -> str:
    """A power of ten on an axis: 0.1, 1, 10, 1e2."""
    return {-1: "0.1", 0: "1", 1: "10"}.get(exponent, f"1e{exponent}")


def _fit(low: float, high: float, most: int) -> float:
    """The smallest 1, 2, 5 × 10ⁿ step that puts at most ``most`` multiples into the axis."""
    step = _step((high - low) / most)
    while math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) + 1 > most:
        step = _step(step * 1.5)
    return step
