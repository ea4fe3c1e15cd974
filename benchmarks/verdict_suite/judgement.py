"""What the verdicts under test say about a kept history."""

from __future__ import annotations

from caveats.history import History
from caveats.verdicts import Judge, Verdict

__all__ = ["judgement"]

FLAGGED = ("warning", "critical")


def judgement(history: History) -> tuple[list[Verdict], dict[str, int]]:
    """The verdicts at warning or critical when the run ended, the worst first; and for each caveat
    that was flagged at any time, the first step at which it was."""
    judge = Judge()
    return [v for v in judge.look(history) if v.severity in FLAGGED], judge.first_flagged
