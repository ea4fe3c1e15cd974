"""A sign: a named yes-or-no question about a record, answered once for each record.

Rules are short lists of signs. `benchmarks.thresholds` makes a sign always answer no, to find the
signs that change no verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from caveats.verdicts.evidence import Evidence

__all__ = ["SIGNS", "sign"]

Sign = Callable[[Evidence], bool]

SIGNS: dict[str, str] = {}  # "dying_relu.cuts": its question


def sign(ask: Sign) -> Sign:
    """Makes a sign of a function that answers one question about a record."""
    name = f"{ask.__module__.rpartition('.')[2]}.{ask.__name__}"
    SIGNS[name] = (ask.__doc__ or "").strip()

    @wraps(ask)
    def answer(e: Evidence) -> bool:
        if name in e.without:
            return False
        if name not in e.answers:
            e.answers[name] = bool(ask(e))
        return e.answers[name]

    return answer
