"""Where a value lies on a chart: scales of two axes, and the canvas that they span."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from caveats_tui.charts.spec import Floats

__all__ = ["Canvas", "Scale"]


@dataclass(frozen=True, slots=True)
class Scale:
    """One axis: values to pixels. ``pixels`` = cells × pixels a cell."""

    low: float
    high: float
    cells: int
    pixels: int
    log: bool = False

    def unit(self, values: Floats) -> Floats:
        """Where values lie, 0 to 1 on the scale, centred in their pixel; what lies outside stays
        outside, at most one length away."""
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


@dataclass(frozen=True, slots=True)
class Canvas:
    """The cells between the axes of a drawn chart: ``left`` cells stand before them. ``strip`` rows
    below the scale ``y`` hold what a log axis has no place for."""

    x: Scale
    y: Scale
    left: int
    strip: int = 0

    @property
    def columns(self) -> int:
        return self.x.cells

    @property
    def rows(self) -> int:
        return self.y.cells + self.strip

    def lifted(self, unit: Floats) -> Floats:
        """Heights on the scale ``y``, 0 to 1, as heights on the whole canvas."""
        return (self.strip + unit * self.y.cells) / self.rows if self.strip else unit

    def row(self, value: float) -> int | None:
        """The row of a value, from the top; None outside."""
        if self.strip and value <= 0:
            return self.rows - 1
        cell = self.y.cell(value)
        return None if cell is None else self.y.cells - 1 - cell
