"""Moments and spans of time in words."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["age", "clock", "now"]


def now() -> datetime:
    """The present moment, with its time zone."""
    return datetime.now(UTC)


def age(seconds: float) -> str:
    """A span of time in its largest unit: "3 min", "2 h", "5 d"."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def clock(seconds: float) -> str:
    """A duration as "0:07" or "1:02:03"; "> 99 h" for a longer one."""
    if seconds > 99 * 3600:
        return "> 99 h"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
