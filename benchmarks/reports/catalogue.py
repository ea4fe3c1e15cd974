"""All rebuilt reports, and which of them are held out."""

from __future__ import annotations

import hashlib

from benchmarks.reports.network import NETWORK
from benchmarks.reports.output import OUTPUT
from benchmarks.reports.scale import SCALE
from benchmarks.reports.steps import STEPS

__all__ = ["HELD_OUT", "REPORTS"]

REPORTS = (*SCALE, *STEPS, *NETWORK, *OUTPUT)


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


# The third whose names hash lowest: chance chose it, and no rule may be developed on it.
HELD_OUT = frozenset(sorted((r.name for r in REPORTS), key=digest)[: len(REPORTS) // 3])
