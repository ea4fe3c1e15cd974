"""Trials: short races of changes, from a run's present weights, to see which one helps."""

from caveats.trials.order import UNTOLD, changed_by, ordered
from caveats.trials.race import CONTROL, STEPS, Result, Start, race, winner

__all__ = [
    "CONTROL",
    "STEPS",
    "UNTOLD",
    "Result",
    "Start",
    "changed_by",
    "ordered",
    "race",
    "winner",
]
