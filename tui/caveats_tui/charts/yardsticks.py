"""What the loss chart is measured against: the loss of guessing, the loss that the data allow, and
the accuracy's own axis at the right."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from caveats_tui.charts.palette import series_colour
from caveats_tui.charts.series import Limits
from caveats_tui.charts.spec import Curve, Floats, Look
from caveats_tui.charts.trace import Trace

if TYPE_CHECKING:
    from caveats.history import History

__all__ = ["accuracy_ticks", "far_yardsticks", "laid_over", "unit_of_loss", "yardstick_lines"]

NEAR = 10.0  # a line farther from every loss than this factor is not drawn
SHARES = (0.0, 0.5, 1.0)  # of the accuracy's axis that are labelled


def yardstick_lines(trace: Trace, look: Look, newest: float) -> list[Curve]:
    """Dotted lines from step 0 to ``newest``: the loss of the best network that ignores its input
    ("guess"), and that of kernel regression on the same rows ("data allow"); those that are known
    and lie within a decade of the run's own losses. Farther ones would flatten its curve."""
    colour = series_colour("axis", dark=look.dark)
    x = np.linspace(0.0, max(newest, 1.0), 9)
    return [
        Curve(x, np.full(9, value), colour, "dots", label)
        for label, value, near in known_yardsticks(trace)
        if near
    ]


def far_yardsticks(trace: Trace) -> list[tuple[str, float]]:
    """The names and values of those that have no line."""
    return [(label, value) for label, value, near in known_yardsticks(trace) if not near]


def known_yardsticks(trace: Trace) -> list[tuple[str, float, bool]]:
    """Name, loss, and whether it lies within a decade of the run's own losses."""
    if trace.history is None:
        return []
    facts = trace.history.facts
    losses = trace.snapshot.scalar("loss")
    losses = losses[np.isfinite(losses) & (losses > 0)]
    low, high = (losses.min() / NEAR, losses.max() * NEAR) if losses.size else (0.0, math.inf)
    return [
        (label, value, bool(low <= value <= high))
        for label, value in (("guess", facts.baseline), ("data allow", facts.reachable))
        if math.isfinite(value) and value > 0
    ]


def unit_of_loss(history: History | None, other: History | None) -> float:
    """By what the losses of ``other`` must be multiplied to compare them with those of ``history``:
    a standardized target, weighted classes and another loss give a guess another loss. 1 where that
    is not known."""
    guesses = [math.nan if run is None else run.facts.baseline for run in (history, other)]
    if not all(0 < guess < math.inf for guess in guesses) or math.isclose(*guesses, rel_tol=1e-6):
        return 1.0
    return guesses[0] / guesses[1]


def accuracy_ticks(y: Limits, log: bool) -> tuple[tuple[float, str], ...]:
    """Where 0, 50 and 100 % of the accuracy lie on the loss's axis."""
    shares = np.array(SHARES)
    heights = laid_over(shares, y, log)
    return tuple((float(h), f"{s:.0%}") for h, s in zip(heights, shares, strict=True))


def laid_over(share: Floats, y: Limits, log: bool) -> Floats:
    """Values from 0 to 1 as heights on another axis: 0 at its bottom, 1 at its top."""
    low, high = y
    if log:
        heights: Floats = low * (high / low) ** share
    else:
        heights = low + (high - low) * share
    return heights
