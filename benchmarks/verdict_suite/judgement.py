"""What the verdicts under test say of a kept history: all that the benchmark asks of them."""

from __future__ import annotations

from caveats.history import History
from caveats.verdicts import Judge, Verdict

__all__ = ["judgement"]

FLAGGED = ("warning", "critical")


def judgement(history: History) -> tuple[list[Verdict], dict[str, int]]:
    """The verdicts at warning or critical when the run ended, the worst first; and of each caveat
    that was there at any time, the first step."""
    judge = Judge()
    return [v for v in judge.look(history) if v.severity in FLAGGED], judge.first_flagged
