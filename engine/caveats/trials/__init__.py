"""Trials: short races of changes, to see which one helps, and trials of a run's steps, as proof for
the verdicts about them."""

from caveats.trials.race import CONTROL, Result, Start, race, winner
from caveats.trials.steps import prove

__all__ = ["CONTROL", "Result", "Start", "prove", "race", "winner"]
