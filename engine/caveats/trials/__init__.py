"""Trials: short races of changes, to see which one helps, and trials of a run's steps, as proof for
the verdicts about them."""

from caveats.trials.order import UNTOLD, changed_by, ordered
from caveats.trials.race import CONTROL, STEPS, Result, Start, race, winner
from caveats.trials.steps import prove

__all__ = [
    "CONTROL",
    "STEPS",
    "UNTOLD",
    "Result",
    "Start",
    "changed_by",
    "ordered",
    "prove",
    "race",
    "winner",
]
