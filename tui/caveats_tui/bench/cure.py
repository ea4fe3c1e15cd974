"""A remedy that is being tried in the lab: what it changes, against which verdict, and what came
of it.

The two histories are compared by the engine's rule; no run is started here.
"""

from __future__ import annotations

from dataclasses import dataclass

from caveats.config import RunConfig
from caveats.curing import outcome
from caveats.history import History
from caveats.verdicts import Verdict

__all__ = ["Cure"]


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
        """Fill in the outcome: whether the new run, now over, is cured, better, or no better."""
        apart = self.verdict.caveat == "overfitting"  # it costs nothing on the training rows
        measure = "validation_loss" if apart else "loss"
        old = float(self.before.snapshot().scalar(measure)[-1])
        new = float(after.snapshot().scalar(measure)[-1])
        losses = f"{'held-out ' * apart}loss {old:.3g} → {new:.3g}"
        left = [verdict.title for verdict in verdicts if verdict.severity != "note"]
        found = outcome(self.before, after, verdicts)
        if found == "cured":
            self.outcome = f"cured: {self.change} ended {self.verdict.title} ({losses})"
        elif left:
            self.outcome = f"{found}: {self.change} left {', '.join(left)} ({losses})"
        else:
            self.outcome = f"{found}: less than half of what can be learnt was learnt ({losses})"
