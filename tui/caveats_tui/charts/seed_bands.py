"""What other seeds of the setup did: the mean of each curve, dotted, in a band from the lowest to
the highest."""

from __future__ import annotations

import numpy as np

from caveats_tui.charts.palette import Series, network_colour, series_colour
from caveats_tui.charts.spec import Band, Curve, Floats, Look
from caveats_tui.charts.trace import Trace

__all__ = ["Banded", "across_layers", "edges", "of_layers", "of_scalar"]

# The curves of the means, and the bands around them.
Banded = tuple[list[Curve], tuple[Band, ...]]


def of_layers(trace: Trace, measure: str, layers: list[int], look: Look) -> Banded:
    """Of each of these layers over the steps."""
    if trace.seeds is None:
        return [], ()
    x = trace.seeds.steps.astype(float)
    hidden = len(trace.layers) - 1
    curves, bands = [], []
    for i in layers:
        mean, low, high = trace.seeds.layers[measure][:, :, i]  # (records,) each
        curves.append(Curve(x, mean, network_colour(i, hidden, dark=look.dark), "dots"))
        bands.append(band(x, low, high, look))
    return curves, tuple(bands)


def of_scalar(trace: Trace, name: str, look: Look, paint: Series) -> Banded:
    """Of a scalar over the steps at which some seed has it."""
    if trace.seeds is None:
        return [], ()
    values = trace.seeds.scalars[name]  # (3, records)
    known = np.isfinite(values[0])
    if not known.any():
        return [], ()
    x = trace.seeds.steps[known].astype(float)
    mean, low, high = values[:, known]
    curve = Curve(x, mean, series_colour(paint, dark=look.dark), "dots")
    return [curve], (band(x, low, high, look),)


def across_layers(trace: Trace, measure: str, count: int, look: Look) -> Banded:
    """Of the first ``count`` layers, at the record that is shown."""
    if trace.seeds is None or not len(trace.snapshot):
        return [], ()
    at = int(np.searchsorted(trace.seeds.steps, trace.seen.steps[-1], side="right")) - 1
    x = np.arange(1, count + 1, dtype=float)
    mean, low, high = trace.seeds.layers[measure][:, at, :count]
    curve = Curve(x, mean, series_colour("accuracy", dark=look.dark), "dots", "seeds")
    return [curve], (band(x, low, high, look),)


def band(x: Floats, low: Floats, high: Floats, look: Look) -> Band:
    """One colour for all: many layers' bands overlap, and the dots tell them apart."""
    return Band(x, low, high, series_colour("seeds", dark=look.dark))


def edges(bands: tuple[Band, ...]) -> list[Curve]:
    """The lower and upper lines of bands, for an axis that shows all of them."""
    return [Curve(band.x, line, 0) for band in bands for line in (band.low, band.high)]
