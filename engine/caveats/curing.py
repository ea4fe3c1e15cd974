"""Tries a verdict's remedies on a run that failed: same seed, same data, one remedy at a time.

A remedy has cured the run when the verdict is gone and the loss is clearly better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from caveats.experiments import experiments
from caveats.verdicts import Remedy, Verdict, judge

if TYPE_CHECKING:
    from caveats.config import RunConfig
    from caveats.experiments import Experiment
    from caveats.history import History
    from caveats.run import Run

__all__ = [
    "ATTEMPTS",
    "Attempt",
    "advised",
    "clearly_better",
    "curable",
    "cure",
    "cured",
    "outcome",
]

ATTEMPTS = 5
BETTER = 0.2  # of the loss between the constant predictor and what the data allow
SHARE = 0.5  # or of the failed run's own loss


@dataclass(frozen=True, slots=True)
class Attempt:
    """One remedy that was tried. ``loss`` and ``accuracy`` are those of the last record: the loss
    is NaN where the run diverged, the accuracy is NaN also where there are no classes.
    ``verdicts`` are those of the new run."""

    change: Mapping[str, Any]
    reason: str
    loss: float
    accuracy: float
    verdicts: tuple[Verdict, ...]
    cured: bool

    @property
    def sentence(self) -> str:
        """One sentence that says whether the remedy cured the run."""
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


def clearly_better(failed: History, treated: History) -> bool:
    """Whether the treated run's loss is below that of the constant predictor and clearly below the
    failed run's loss.

    Clearly: lower by a fifth of what there is to learn (measured on the treated run's targets, as
    a remedy may change them), or by half of the failed run's loss. If the failed loss was not
    finite, a loss below that of the constant predictor is enough.
    """
    new, old = outcome(treated)[0], outcome(failed)[0]
    if not math.isfinite(new):
        return False
    facts = treated.facts
    below = not facts.baseline > 0 or new < facts.baseline
    if not math.isfinite(old):
        return below
    gained = old - new
    clearly = gained >= BETTER * (facts.baseline - facts.reachable) or gained >= SHARE * old
    return below and gained > 0 and clearly


def cured(verdict: Verdict, failed: History, treated: History) -> bool:
    """Whether ``verdict`` is gone (it may remain as a note) and the loss is clearly better."""
    still = any(v.caveat == verdict.caveat and v.severity != "note" for v in judge(treated))
    return not still and clearly_better(failed, treated)


def advised(config: RunConfig, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """``verdicts``; if ``config`` is that of an experiment (device and seed may differ), the
    experiment's cure becomes the first remedy of the caveat that it shows."""
    found = []
    for verdict in verdicts:
        for experiment in experiments().values():
            if experiment.caveat == verdict.caveat and same_but_for_chance(config, experiment):
                own = Remedy(experiment.cure, f"the cure of {experiment.name}")
                others = tuple(r for r in verdict.next if r.change != own.change)
                verdict = replace(verdict, next=(own, *others) if own.change else others)
        found.append(verdict)
    return tuple(found)


def curable(config: RunConfig, verdicts: Iterable[Verdict]) -> Verdict | None:
    """The first of ``verdicts`` (worst first) that has a remedy after `advised`; None if none
    has one."""
    return next((verdict for verdict in advised(config, verdicts) if verdict.next), None)


def same_but_for_chance(config: RunConfig, experiment: Experiment) -> bool:
    own = experiment.config.training
    training = replace(config.training, device=own.device, seed=own.seed)
    return replace(config, training=training) == experiment.config


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
    """Train ``config`` with one remedy of ``verdict`` after another until one cures, and yield each
    attempt when it ends. Yields nothing where there is nothing to cure.

    The default ``verdict`` is the worst one of ``failed`` that has a remedy; notes do not count.

    ``watch`` is called after every step of an attempt, for a progress bar.
    """
    if verdict is None:
        verdict = curable(config, (v for v in judge(failed) if v.severity != "note"))
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
