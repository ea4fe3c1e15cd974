"""Whether a training has learned so little that what a rule found may be the reason."""

from __future__ import annotations

from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign

__all__ = ["READINGS", "held_up"]

READINGS = 3  # in a row, for a finding that one reading does not prove


@sign
def held_up(e: Evidence) -> bool:
    """Has the run learned little, and does it stand still or has half of it passed?"""
    p = e.progress
    if p.close:
        return False
    return p.stuck or p.failing or (p.stalled and p.settled and p.gain < e.thresholds.little)
