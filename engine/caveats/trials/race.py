"""Races candidates against each other: a few dozen steps as stacks, then the better half goes on.

The control is the run itself, going on unchanged, and is never left out, so that every result says
what a change is worth. The same start gives the same results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveats.config import RunConfig
from caveats.data import Dataset, load
from caveats.errors import ConfigError
from caveats.stacks.shape import NOT_STACKED, shape_of
from caveats.stacks.stack import Stack
from caveats.training.trainer import check_fit
from caveats.trials.candidates import CONTROL, Candidate, candidates, pairs

if TYPE_CHECKING:
    from caveats.run import Run

__all__ = ["Result", "Start", "Stopped", "race"]

ROUNDS = 3  # the last half of the candidates is trained for all steps
NEVER = 10**9
BETTER = 0.2  # of the control's loss that a change must remove to be worth it
NEAR = 0.05  # losses this close are equal: then the smaller change ranks first
BEST = 3  # single changes that are tried in pairs


class Stopped(Exception):  # noqa: N818 - it is no error
    """A race was interrupted."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a race starts: a run's config, its data, and its `Trainer.state` (None: at step 0). It
    can be sent to another process."""

    config: RunConfig
    dataset: Dataset
    state: Mapping[str, Any] | None = None

    def __reduce__(self) -> Any:
        # A config's options are read-only views, which cannot be sent.
        return restored, (self.config.to_dict(), self.dataset, self.state)

    @classmethod
    def of(cls, run: Run) -> Start:
        """The present state of a run, a copy."""
        return cls(run.config, run.dataset, run.trainer.state())


def restored(config: dict[str, Any], dataset: Dataset, state: Mapping[str, Any] | None) -> Start:
    return Start(RunConfig.from_dict(config), dataset, state)


@dataclass(frozen=True, slots=True)
class Result:
    """How one candidate did. ``losses`` are those on the probe rows: at its start, and after each
    round that it took part in, at ``steps`` of its own; infinite once it has diverged."""

    candidate: Candidate
    steps: tuple[int, ...]
    losses: tuple[float, ...]

    @property
    def loss(self) -> float:
        return self.losses[-1]

    @property
    def fall(self) -> float:
        """The share of its loss at the start that it removed; negative if the loss rose."""
        first = self.losses[0]
        return 1 - self.loss / first if 0 < first < math.inf else math.nan


class Entry:
    """A candidate in the race, in its stack."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.steps: list[int] = []
        self.losses: list[float] = []

    def result(self) -> Result:
        return Result(self.candidate, tuple(self.steps), tuple(self.losses))


def race(
    start: Start,
    tried: Sequence[Candidate] | None = None,
    steps: int = 100,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Result, ...]:
    """The results of all candidates, by default `caveats.trials.candidates` of the config, the best
    first; `CONTROL` is among them.

    Those that are left out early rank behind those that went on. If no single change is clearly
    better than the control, pairs of the best ones race too. ``stop`` is asked after every step.

    Raises:
        Stopped: once ``stop`` answers True.
    """
    singles = list(tried) if tried is not None else candidates(start.config)
    found = heat(start, with_control(singles), steps, stop)
    control = next(result for result in found if result.candidate == CONTROL)
    if tried is None and not any(worth(result, control) for result in found):
        best = [r.candidate for r in ranked(found) if r.candidate != CONTROL][:BEST]
        more = heat(start, pairs(start.config, best), steps, stop)
        found = [*found, *more]
    return tuple(ranked(found))


def with_control(tried: Iterable[Candidate]) -> list[Candidate]:
    return [CONTROL, *(candidate for candidate in tried if candidate != CONTROL)]


def worth(result: Result, control: Result) -> bool:
    """Whether a change is clearly better than going on."""
    limit = control.loss if math.isfinite(control.loss) else control.losses[0]
    return result.loss < (1 - BETTER) * limit


def ranked(results: Sequence[Result]) -> list[Result]:
    """Best first: those trained for longest, by their loss; of losses that are nearly equal the
    smaller change first, and the control before any change."""
    order = sorted(results, key=lambda r: (-len(r.losses), r.loss, r.candidate.parts))
    placed: list[Result] = []
    while order:
        best = order[0]
        near = [
            r
            for r in order
            if len(r.losses) == len(best.losses) and r.loss <= best.loss * (1 + NEAR)
        ] or [best]
        chosen = min(near, key=lambda r: (r.candidate.parts, r.loss))
        order.remove(chosen)
        placed.append(chosen)
    return placed


def heat(
    start: Start, tried: Sequence[Candidate], steps: int, stop: Callable[[], bool]
) -> list[Result]:
    """One race by successive halving (Jamieson and Talwalkar 2016): after each round, twice as long
    as the one before, the better half goes on."""
    entries = [Entry(candidate) for candidate in tried]
    stacks = stacks_of(start, entries)
    running = [entry for _, own in stacks for entry in own]
    look(stacks, 0)
    made = 0
    for until in (steps * 2**i // 2 ** (ROUNDS - 1) for i in range(ROUNDS)):
        while made < until:
            for stack, _ in stacks:
                stack.advance()
                if stop():
                    raise Stopped
            made += 1
        look(stacks, made, set(running))
        running = better_half(running)
        for stack, own in stacks:
            stack.keep([index for index, entry in enumerate(own) if entry in running])
    return [entry.result() for entry in entries if entry.losses]


def better_half(running: Sequence[Entry]) -> list[Entry]:
    ordered = sorted(running, key=lambda e: (e.losses[-1], e.candidate.parts))
    kept = ordered[: max(1, math.ceil(len(ordered) / 2))]
    controls = [e for e in running if e.candidate == CONTROL and e not in kept]
    return kept + controls


def look(
    stacks: Sequence[tuple[Stack, list[Entry]]], made: int, among: set[Entry] | None = None
) -> None:
    """Note the loss of every entry that is still in the race."""
    for stack, own in stacks:
        for entry, loss in zip(own, stack.probe_losses(), strict=True):
            if among is None or entry in among:
                entry.steps.append(made)
                entry.losses.append(loss if math.isfinite(loss) else math.inf)


def stacks_of(start: Start, entries: Sequence[Entry]) -> list[tuple[Stack, list[Entry]]]:
    """The entries in stacks: those that keep the run's weights apart from those that start afresh.
    A candidate whose config does not fit the data, or that cannot be stacked, is left out."""
    groups: dict[Any, list[tuple[Entry, RunConfig, Dataset]]] = {}
    made = 0 if start.state is None else int(start.state["step"])
    for entry in entries:
        try:
            config = start.config.changed(entry.candidate.change)
            data = dataset_of(start, config)
            config = config.fitted(data.rows)
            check_fit(config, data)
        except ConfigError:
            continue
        if config.optimizer.name in NOT_STACKED:
            continue
        # The stack must not end before the race does, whatever the run's planned length.
        config = config.changed({"training.steps": max(config.training.steps, made + NEVER)})
        live = start.state is not None and entry.candidate.live
        groups.setdefault((live, shape_of(config, data)), []).append((entry, config, data))
    stacks = []
    for (live, _), own in groups.items():
        stack = Stack([config for _, config, _ in own], [data for _, _, data in own], every=NEVER)
        if live and start.state is not None:
            stack.fork(start.config, start.state)
        stacks.append((stack, [entry for entry, _, _ in own]))
    return stacks


def dataset_of(start: Start, config: RunConfig) -> Dataset:
    same = config.data.settings() == start.config.data.settings()
    return start.dataset if same else load(config.data.settings())
