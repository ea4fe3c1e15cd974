"""Finds the smallest change of settings that cures a failed run, by trying.

The verdict's first remedy is trained to its end. If it cures and changes one setting, nothing else
is tried; if it cures and changes more, all changes of fewer settings race; if it does not cure, all
changes that might do. The parts of a cure that changes several settings race last. In a race each
is trained with the same seed and data for a tenth of the steps, the better half for a third, the
better half of those to the end, but never fewer than four (successive halving, Jamieson & Talwalkar
2016). `caveats.remedies.winning` says who goes on and who wins.

`caveats.trials` races the same candidates by the same rule, for some dozen to some hundred steps
and as stacks. Here every run is a single one: a cure is judged by its verdicts at the end, those of
the very run that the user then makes, and a stack's losses differ in the last digits. Some settings
(`caveats.stacks.shape.NOT_STACKED`) cannot be stacked at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveats.curing.attempts import Attempt, curable, outcome
from caveats.errors import ConfigError
from caveats.remedies.candidates import candidates, parts
from caveats.remedies.winning import halved, smallest
from caveats.verdicts import Remedy, Verdict, judge, learnt

if TYPE_CHECKING:
    from caveats.config import RunConfig
    from caveats.data import Dataset
    from caveats.history import History
    from caveats.run import Run

__all__ = ["Racer", "cure", "race"]

SHARES = (0.1, 0.33, 1.0)  # of the planned steps, after each round
FEWEST = 30  # steps of the first round: most happens in them
FINALISTS = 4  # at least

Watch = Callable[["Run"], None]


@dataclass
class Racer:
    """A remedy with the run that is trained with it."""

    remedy: Remedy
    run: Run

    @property
    def change(self) -> Mapping[str, Any]:
        return self.remedy.change

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
        if attempts[0].cured and (len(first.change) == 1 or first.remedy.certain):
            yield attempts[0]
            return
        most = len(first.change) - 1 if attempts[0].cured else math.inf
        remedies = tuple(r for r in remedies if len(r.change) <= most and r.change != first.change)
    attempts += [told(racer, failed) for racer in race(config, remedies, watch, dataset)]
    cures = [attempt for attempt in attempts if attempt.cured]
    if not cures:
        yield from sorted(attempts, key=lambda attempt: -attempt.learnt)
        return
    known = [attempt.change for attempt in attempts]
    rest = [r for r in parts(config, smallest(cures).change) if r.change not in known]
    cures += [a for r in race(config, rest, watch, dataset) if (a := told(r, failed)).cured]
    yield smallest(cures)


def race(
    config: RunConfig,
    remedies: Iterable[Remedy],
    watch: Watch | None = None,
    dataset: Dataset | None = None,
) -> list[Racer]:
    """The finalists among ``remedies``, all that were trained to their end."""
    racers = [racer for r in remedies if (racer := entered(config, r, dataset)) is not None]
    for share in SHARES:
        for racer in racers:
            racer.train(share, watch)
        if share < 1:
            racers = halved(racers, FINALISTS)
    return racers


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
        racer.change,
        racer.remedy.reason,
        float(snapshot.scalar("loss")[-1]),
        float(snapshot.scalar("accuracy")[-1]),
        racer.learnt,
        verdicts,
        outcome(failed, history, verdicts),
    )
