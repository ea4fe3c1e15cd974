"""Judges a run: which caveats it shows, how bad they are, why, and what to do next.

`judge` reads a finished history, a `Judge` follows a growing one. Neither needs torch.
"""

from caveats.verdicts.catalogue import CAVEATS
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.judge import Judge, judge, learnt, share_learnt, worth_a_trial
from caveats.verdicts.verdict import SEVERITIES, Finding, Remedy, Severity, Verdict

__all__ = [
    "CAVEATS",
    "SEVERITIES",
    "Caveat",
    "Finding",
    "Judge",
    "Remedy",
    "Severity",
    "Verdict",
    "judge",
    "learnt",
    "share_learnt",
    "worth_a_trial",
]
