"""Cures a failed run by trying changes of its settings, and says what came of each."""

from caveats.curing.attempts import Attempt, Outcome, advised, curable, outcome
from caveats.curing.racing import cure

__all__ = ["Attempt", "Outcome", "advised", "curable", "cure", "outcome"]
