"""Numbers as the rules' sentences say them: no "nan", no "-0%", no "0.0%" of what is not 0."""

from __future__ import annotations

import math

__all__ = ["TINY", "as_hard_as", "percent", "times_constant"]

TINY = 1e-6  # a share that is told as less than one in a million


def percent(share: float) -> str:
    """A share of 0 or more: "87%", "0.21%", "less than 0.0001%"; "an unknown share" for NaN."""
    if math.isnan(share):
        return "an unknown share"
    if share <= 0:
        return "0%"
    if share < TINY:
        return "less than 0.0001%"
    if share > 10:
        return "more than 1,000%"
    digits = 0 if share >= 0.0995 else 1 - math.floor(math.log10(100 * share))
    return f"{100 * share:.{max(0, digits)}f}%"


def as_hard_as(ratio: float) -> str:
    """How one force compares with another: "as hard as", "2.3 times as hard as"."""
    if ratio > 1000:
        return "more than 1,000 times as hard as"
    return "as hard as" if 0.95 <= ratio < 1.05 else f"{ratio:.2g} times as hard as"


def times_constant(loss: float, constant: float) -> str:
    """How a loss compares with that of a constant: "4.9 times that of a constant", "about that of
    a constant"; "" if it is lower, or if the constant's is not above 0."""
    if not constant > 0 or not loss / constant >= 0.95:
        return ""
    ratio = loss / constant
    if ratio < 1.05:
        return "about that of a constant"
    if ratio > 1000:
        return "more than 1,000 times that of a constant"
    return f"{ratio:.2g} times that of a constant"
