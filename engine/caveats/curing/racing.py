"""Finds the smallest change of settings that cures a failed run, by trying.

The verdict's first remedy is trained to its end. If it cures and changes one setting, nothing else
is tried; if it cures and changes more, all changes of fewer settings race; if it does not cure, all
changes that might do. In a race each is trained with the same seed and data for a tenth of the
steps, the better half for a third, the best four to the end (successive halving, Jamieson &
Talwalkar 2016). Single changes keep half of the places in every round.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats.curing.attempts import Attempt, curable, outcome
from caveats.errors import ConfigError
from caveats.remedies.candidates import candidates
from caveats.verdicts import Remedy, Verdict, judge, learnt

if TYPE_CHECKING:
    from caveats.config import RunConfig
    from caveats.data import Dataset
    from caveats.history import History
    from caveats.run import Run

__all__ = ["Racer", "cure", "race"]

SHARES = (0.1, 0.33, 1.0)  # of the planned steps, after each round
FEWEST = 30  # steps of the first round: most happens in them
FINALISTS = 4
NEARLY = 0.9  # of what the best learnt: a smaller change that gets there wins

Watch = Callable[["Run"], None]


@dataclass
class Racer:
    """A remedy with the run that is trained with it; the run is begun when it is first needed."""

    remedy: Remedy
    run: Run

    @property
    def size(self) -> int:
        return len(self.remedy.change)

    @property
    def learnt(self) -> float:
        return learnt(self.run.history)

    def train(self, until: float, watch: Watch | None) -> None:
        """Train on to the share ``until`` of the planned steps, and measure there."""
        run = self.run
        planned = run.config.training.steps
        last = planned if until >= 1 else min(planned, max(FEWEST, math.ceil(until * planned)))
        while not run.finished and run.step < last:
            run.advance()
            if watch is not None:
                watch(run)
        run.record()


def cure(
    config: RunConfig,
    failed: History,
    verdict: Verdict | None = None,
    watch: Watch | None = None,
    dataset: Dataset | None = None,
) -> Iterator[Attempt]:
    """Yields the smallest change that cures ``failed``; if none does, those that came furthest, the
    best first. Yields nothing where there is nothing to cure.

    The default ``verdict`` is the worst one of ``failed`` that has a remedy; notes do not count.
    ``watch`` is called after every step of every run, for a progress bar. ``dataset`` spares
    reading the config's data again.
    """
    if verdict is None:
        verdict = curable(config, (v for v in judge(failed) if v.severity != "note"))
    if verdict is None:
        return
    first = entered(config, verdict.next[0], dataset)
    attempts: list[Attempt] = []
    remedies = candidates(config, verdict.next)
    if first is not None:
        first.train(1.0, watch)
        attempts.append(told(first, failed))
        if attempts[0].cured and (first.size == 1 or first.remedy.certain):
            yield attempts[0]
            return
        most = first.size - 1 if attempts[0].cured else math.inf
        own = verdict.next[0].change
        remedies = tuple(r for r in remedies if len(r.change) <= most and r.change != own)
    attempts += [told(racer, failed) for racer in race(config, remedies, watch, dataset)]
    cures = [attempt for attempt in attempts if attempt.cured]
    if cures:
        yield smallest(cures)
    else:
        yield from sorted(attempts, key=lambda attempt: -attempt.learnt)


def race(
    config: RunConfig,
    remedies: Iterable[Remedy],
    watch: Watch | None = None,
    dataset: Dataset | None = None,
) -> list[Racer]:
    """The finalists among ``remedies``, trained to their end."""
    racers = [racer for r in remedies if (racer := entered(config, r, dataset)) is not None]
    for share in SHARES:
        for racer in racers:
            racer.train(share, watch)
        racers = survivors(racers, max(FINALISTS, len(racers) // 2))
    return racers


def survivors(racers: list[Racer], places: int) -> list[Racer]:
    """The ones that learnt most; half of the places are kept for single changes."""
    ranked = sorted(racers, key=lambda racer: -racer.learnt)
    singles = [racer for racer in ranked if racer.size == 1][: places // 2]
    others = [racer for racer in ranked if racer not in singles]
    return singles + others[: places - len(singles)]


def smallest(cures: list[Attempt]) -> Attempt:
    """The cure of fewest settings among those that learnt nearly as much as the best."""
    best = max(attempt.learnt for attempt in cures)
    near = [attempt for attempt in cures if attempt.learnt >= NEARLY * best]
    return min(near, key=lambda attempt: (len(attempt.change), -attempt.learnt))


def entered(config: RunConfig, remedy: Remedy, dataset: Dataset | None) -> Racer | None:
    """A racer at step 0; None where data and settings do not fit."""
    from caveats.run import Run

    changed = config.changed(remedy.change)
    same = changed.data.settings() == config.data.settings()
    try:
        return Racer(remedy, Run(changed, dataset if same else None))
    except ConfigError:
        return None


def told(racer: Racer, failed: History) -> Attempt:
    history = racer.run.history
    snapshot = history.snapshot()
    verdicts = judge(history)
    return Attempt(
        racer.remedy.change,
        racer.remedy.reason,
        float(snapshot.scalar("loss")[-1]),
        float(snapshot.scalar("accuracy")[-1]),
        racer.learnt,
        verdicts,
        outcome(failed, history, verdicts),
    )
