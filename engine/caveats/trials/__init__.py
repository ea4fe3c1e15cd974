"""Trials: short races of changes, from a run's present weights, to see which one helps."""

from caveats.trials.candidates import Candidate, candidates
from caveats.trials.race import Result, Start, race

__all__ = ["Candidate", "Result", "Start", "candidates", "race"]
