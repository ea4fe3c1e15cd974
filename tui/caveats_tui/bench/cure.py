"""A remedy that is being tried in the lab: what it changes, against which verdict, and whether it
cured.

The two histories are compared by the engine's rule; no run is started here.
"""

from __future__ import annotations

from dataclasses import dataclass

from caveats.config import RunConfig
from caveats.curing import clearly_better
from caveats.history import History
from caveats.verdicts import Verdict

__all__ = ["Cure"]


@dataclass(slots=True)
class Cure:
    """One remedy, tried with the same seed and data. ``outcome`` is a sentence once the new run is
    over, empty until then."""

    verdict: Verdict
    change: str
    before: History
    failed: RunConfig  # the setup of the run that is to be cured
    outcome: str = ""

    @property
    def beginning(self) -> str:
        return f"trying to cure {self.verdict.title}: {self.change}"

    def settle(self, after: History, verdicts: tuple[Verdict, ...]) -> None:
        """Fill in the outcome: whether the new run, now over, was cured."""
        old = float(self.before.snapshot().scalar("loss")[-1])
        new = float(after.snapshot().scalar("loss")[-1])
        gone = not any(v.caveat == self.verdict.caveat and v.severity != "note" for v in verdicts)
        better = clearly_better(self.before, after)
        losses = f"loss {old:.3g} → {new:.3g}"
        if gone and better:
            self.outcome = f"cured: {self.change} ended {self.verdict.title} ({losses})"
        elif gone:
            self.outcome = f"not cured: {self.verdict.title} is gone, the loss no better ({losses})"
        else:
            self.outcome = f"not cured: {self.change} left {self.verdict.title} ({losses})"
