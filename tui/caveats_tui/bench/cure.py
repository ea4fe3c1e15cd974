"""A remedy that is being tried in the lab: what it changes, against which verdict, and what came
of it.

The two histories are compared by the engine's rule; no run is started here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caveats.config import RunConfig
from caveats.curing import outcome
from caveats.documents import counted
from caveats.history import History, Snapshot
from caveats.verdicts import Verdict
from caveats_tui.charts.yardsticks import unit_of_loss

__all__ = ["Cure"]

TENTH = 0.1  # of the hidden units: what is still left of a caveat is told above this

# What a caveat does to single units: the measure that counts them, and the word for them.
UNITS = {
    "dying_relu": ("dead", "dead"),
    "saturation": ("saturated", "saturated"),
    "dormant": ("dormant", "dormant"),
}


@dataclass(slots=True)
class Cure:
    """One remedy, tried with the same seed and data. ``why`` says in a few words why this one, ""
    where there was no race. ``outcome`` is a sentence once the new run is over, empty until then.
    """

    verdict: Verdict
    change: str
    before: History
    failed: RunConfig  # the setup of the run that is to be cured
    why: str = ""
    outcome: str = ""

    @property
    def beginning(self) -> str:
        why = f" ({self.why})" if self.why else ""
        return f"trying to cure {self.verdict.title}: {self.change}{why}"

    def settle(self, after: History, verdicts: tuple[Verdict, ...]) -> None:
        """Fill in the outcome: whether the new run, now over, is cured, better, or no better.

        A caveat has *ended* only where at most a tenth of the hidden units still has it.
        """
        apart = self.verdict.caveat == "overfitting"  # it costs nothing on the training rows
        measure = "validation_loss" if apart else "loss"
        old = float(self.before.snapshot().scalar(measure)[-1])
        new = float(after.snapshot().scalar(measure)[-1])
        told = ""
        if unit_of_loss(after, self.before) != 1:  # else two units would be compared
            old, new = old / self.before.facts.baseline, new / after.facts.baseline
            told = " times that of a guess"
        losses = f"{'held-out ' * apart}loss {old:.3g} → {new:.3g}{told}"
        left = [verdict.title for verdict in verdicts if verdict.severity != "note"]
        still = still_left(self.verdict.caveat, after.snapshot())
        found = outcome(self.before, after, verdicts)
        if found == "cured" and still:
            self.outcome = f"cured: with {self.change} the network learns ({losses}); {still}"
        elif found == "cured":
            self.outcome = f"cured: {self.change} ended {self.verdict.title} ({losses})"
        elif left:
            self.outcome = f"{found}: {self.change} left {', '.join(left)} ({losses})"
        else:
            self.outcome = f"{found}: less than half of what can be learnt was learnt ({losses})"


def still_left(caveat: str, snapshot: Snapshot) -> str:
    """How many hidden units the newest record still counts, where that is more than a tenth of
    them; else ""."""
    if caveat not in UNITS or not len(snapshot):
        return ""
    measure, word = UNITS[caveat]
    units = snapshot.layers("units")[-1, :-1]
    having = float(np.nansum(snapshot.layers(measure)[-1, :-1]))
    total = float(np.nansum(units))
    if not total or having / total <= TENTH:
        return ""
    return f"{having:.0f} of {counted(round(total), 'unit')} still {word}"
