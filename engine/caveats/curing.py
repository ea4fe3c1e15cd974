"""Tries a verdict's remedies on a run that failed: same seed, same data, one change at a time.

A remedy has cured when the verdict is gone and the loss is clearly better. It trains (so it needs
torch); the verdicts themselves do not know of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveats.verdicts import Remedy, Verdict, judge

if TYPE_CHECKING:
    from caveats.config import RunConfig
    from caveats.history import History
    from caveats.run import Run

__all__ = ["ATTEMPTS", "Attempt", "cure", "cured", "outcome"]

ATTEMPTS = 5
BETTER = 0.2  # of the constant predictor's loss
SHARE = 0.5  # or of the failed run's own loss


@dataclass(frozen=True, slots=True)
class Attempt:
    """One remedy, tried. ``loss`` and ``accuracy`` are those of the last record, NaN where
    diverged or without classes; ``verdicts`` what the new run shows."""

    change: Mapping[str, Any]
    reason: str
    loss: float
    accuracy: float
    verdicts: tuple[Verdict, ...]
    cured: bool

    @property
    def sentence(self) -> str:
        """Whether it cured, in one sentence."""
        changes = ", ".join(f"{key} → {value}" for key, value in self.change.items())
        if self.cured:
            return f"{changes} cured it: loss {self.loss:.3g}"
        why = "it diverged" if not math.isfinite(self.loss) else f"loss {self.loss:.3g}"
        return f"{changes} did not cure it: {why}"


def outcome(history: History) -> tuple[float, float]:
    """Loss and accuracy of the last record."""
    snapshot = history.snapshot()
    if not len(snapshot):
        return math.nan, math.nan
    return float(snapshot.scalar("loss")[-1]), float(snapshot.scalar("accuracy")[-1])


def cured(verdict: Verdict, failed: History, treated: History) -> bool:
    """Whether ``verdict`` is gone and the loss clearly better: by a fifth of the constant
    predictor's loss (whichever run's targets it is taken from, as a remedy may change them), or by
    half of its own height above 0, from a finite loss or not."""
    still = any(v.caveat == verdict.caveat and v.severity != "note" for v in judge(treated))
    new, old = outcome(treated)[0], outcome(failed)[0]
    if still or not math.isfinite(new):
        return False
    scale = treated.facts.baseline
    below = not scale > 0 or new < scale
    if not math.isfinite(old):
        return below
    gained = old - new
    return below and gained > 0 and (gained >= BETTER * scale or gained >= SHARE * old)


def train(config: RunConfig, watch: Callable[[Run], None] | None = None) -> Run:
    from caveats.run import Run

    run = Run(config)
    while not run.finished:
        run.advance()
        if watch is not None:
            watch(run)
    return run


def cure(
    config: RunConfig,
    failed: History,
    verdict: Verdict | None = None,
    attempts: int = ATTEMPTS,
    watch: Callable[[Run], None] | None = None,
) -> Iterator[Attempt]:
    """Train ``config`` with each remedy of ``verdict`` (by default the worst of ``failed``) until
    one cures; yields every attempt as it ends. Nothing where there is nothing to cure.

    ``watch`` is called after every step of an attempt, for a progress bar.
    """
    if verdict is None:
        verdict = next((v for v in judge(failed) if v.severity != "note"), None)
    if verdict is None:
        return
    for remedy in verdict.next[:attempts]:
        attempt = attempted(config, remedy, verdict, failed, watch)
        yield attempt
        if attempt.cured:
            return


def attempted(
    config: RunConfig,
    remedy: Remedy,
    verdict: Verdict,
    failed: History,
    watch: Callable[[Run], None] | None,
) -> Attempt:
    history = train(config.changed(remedy.change), watch).history
    loss, accuracy = outcome(history)
    verdicts = judge(history)
    done = cured(verdict, failed, history)
    return Attempt(remedy.change, remedy.reason, loss, accuracy, verdicts, done)
