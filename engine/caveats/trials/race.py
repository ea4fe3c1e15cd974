"""Races candidates against each other: a few dozen steps as stacks, then the better half goes on.

The control is the run itself, going on unchanged, and is never left out, so that every result says
what a change is worth. The same start gives the same results. Who goes on and who wins is the rule
of `caveats.remedies.winning`, as in `caveats.curing`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from caveats.config import RunConfig, is_live
from caveats.data import Dataset, load
from caveats.errors import ConfigError
from caveats.facts import RunFacts
from caveats.remedies.candidates import candidates, pairs, parts
from caveats.remedies.ranking import LENGTH
from caveats.remedies.winning import halved, ranked, smallest, wins
from caveats.stacks.shape import shape_of, unstackable
from caveats.stacks.stack import Stack
from caveats.training.trainer import check_fit
from caveats.trials.alone import Alone
from caveats.verdicts import Remedy, share_learnt

if TYPE_CHECKING:
    from caveats.run import Run

__all__ = ["CONTROL", "STEPS", "Result", "Start", "Stopped", "race", "winner"]

CONTROL = Remedy({}, "going on as it is")

STEPS = 200  # of a race, unless another number is asked for
LOOKS = 20  # at the losses, over the whole length: enough for a curve
HALVINGS = (LOOKS // 4, LOOKS // 2)  # after which looks the better half goes on
NEVER = 10**9
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

    @classmethod
    def on_cpu(cls, run: Run) -> Start:
        """As `of`, of a run that may train on a GPU, to go on on the CPU (with other dropout)."""
        state = run.trainer.state()
        if run.trainer.device.type != "cpu":
            state = on_cpu(state)
            seed = run.config.training.seed
            state["dropout"] = torch.Generator().manual_seed(seed).get_state()
        return cls(run.config.changed({"training.device": "cpu"}), run.dataset, state)


def on_cpu(state: Any) -> Any:
    if isinstance(state, torch.Tensor):
        return state.cpu()
    if isinstance(state, dict):
        return {key: on_cpu(value) for key, value in state.items()}
    return state


def restored(config: dict[str, Any], dataset: Dataset, state: Mapping[str, Any] | None) -> Start:
    return Start(RunConfig.from_dict(config), dataset, state)


@dataclass(frozen=True, slots=True)
class Result:
    """How one candidate did. ``losses`` are those on the probe rows: at its start, at some steps of
    each round that it took part in, and at the round's end, at ``steps`` of its own; infinite once
    it has diverged. ``learnt`` is what `caveats.verdicts.learnt` gives at the last of them.
    ``constant`` is the loss of the best constant on its data: the unit of its losses, since a
    change that scales the target changes their unit. ``share`` is the part of the race that it
    took part in: 1 at its end, less once it is left out."""

    remedy: Remedy
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    learnt: float
    constant: float = 1.0
    share: float = 1.0

    @property
    def change(self) -> Mapping[str, Any]:
        return self.remedy.change

    @property
    def loss(self) -> float:
        return self.losses[-1]

    @property
    def fall(self) -> float:
        """The share of its loss at the start that it removed; negative if the loss rose."""
        first = self.losses[0]
        return 1 - self.loss / first if 0 < first < math.inf else math.nan


class Entry:
    """A candidate in the race."""

    def __init__(self, remedy: Remedy) -> None:
        self.remedy, self.change = remedy, remedy.change
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.learnt = -math.inf
        self.constant = math.nan
        self.share = 0.0

    def note(self, step: int, loss: float, accuracy: float, facts: RunFacts) -> None:
        self.steps.append(step)
        self.losses.append(loss if math.isfinite(loss) else math.inf)
        self.learnt = share_learnt(facts, loss, accuracy)
        self.constant = facts.baseline

    def result(self) -> Result:
        steps, losses = tuple(self.steps), tuple(self.losses)
        return Result(self.remedy, steps, losses, self.learnt, self.constant, self.share)


@dataclass
class Group:
    """Entries that train together, for ``length`` steps; ``made`` are the steps so far."""

    stack: Stack | Alone
    entries: list[Entry]
    length: int
    made: int = 0

    def train(self, share: float, stop: Callable[[], bool]) -> None:
        """Train on to a ``share`` of the length."""
        while self.made < int(share * self.length):
            self.stack.advance()
            self.made += 1
            if stop():
                raise Stopped

    def look(self, share: float, running: Collection[Entry]) -> None:
        """Note the losses of the entries that are still in the race."""
        facts = [history.facts for history in self.stack.histories]
        for entry, known, score in zip(self.entries, facts, self.stack.probe_scores(), strict=True):
            if entry in running:
                entry.share = share
                if entry.steps[-1:] != [self.made]:
                    entry.note(self.made, *score, known)

    def keep(self, running: Collection[Entry]) -> None:
        self.stack.keep([i for i, entry in enumerate(self.entries) if entry in running])


def race(
    start: Start,
    tried: Sequence[Remedy] | None = None,
    steps: int = STEPS,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[tuple[Result, ...]], None] = lambda results: None,
) -> tuple[Result, ...]:
    """The results of all candidates, the best first; `CONTROL` is among them.

    Each is trained for ``steps`` steps; from step 0 not beyond the length of its own run. Those
    that are left out early rank behind those that went on. Without ``tried``, all
    `caveats.remedies.candidates` of the config race. Then the parts of a winner that changes
    several settings race too, or pairs of the best if none wins. ``stop`` is asked after every
    step; ``tell`` gets the results so far after every look at the losses but the last.

    Raises:
        Stopped: once ``stop`` answers True.
    """
    singles = list(tried) if tried is not None else candidates(start.config)
    found = heat(start, with_control(start, singles, steps), steps, stop, tell)
    best = winner(found)
    if best is None:
        again = pairs(start.config, [r.remedy for r in placed(found) if r.change][:BEST])
    else:
        again = parts(start.config, best.change)
    known = [result.change for result in found]
    if again := tuple(remedy for remedy in again if remedy.change not in known):
        first = tuple(found)
        found += heat(start, again, steps, stop, lambda more: tell(placed([*first, *more])))
    return placed(found)


def with_control(start: Start, tried: Iterable[Remedy], steps: int) -> list[Remedy]:
    """`CONTROL` and ``tried``, less changes of the run's length where they make no longer race."""
    planned = start.config.fitted(start.dataset.rows).training.steps
    fixed = start.state is not None or planned >= steps
    return [CONTROL, *(r for r in tried if not fixed or r.change.keys() - LENGTH)]


def winner(results: Iterable[Result]) -> Result | None:
    """The smallest change that wins; None if none is clearly better than the control."""
    through = [r for r in longest(results) if r.change]
    control = next(r for r in results if not r.change)
    better = [r for r in through if wins(r, control)]
    return smallest(better) if better else None


def longest(results: Iterable[Result]) -> list[Result]:
    most = max(r.share for r in results)
    return [r for r in results if r.share == most]


def placed(results: Sequence[Result]) -> tuple[Result, ...]:
    """Best first: those trained for longest, by the rule of `caveats.remedies.winning`."""
    shares = sorted({r.share for r in results}, reverse=True)
    return tuple(
        result for share in shares for result in ranked([r for r in results if r.share == share])
    )


def heat(
    start: Start,
    tried: Sequence[Remedy],
    steps: int,
    stop: Callable[[], bool],
    tell: Callable[[tuple[Result, ...]], None],
    halving: bool = True,
) -> list[Result]:
    """One race by successive halving (Jamieson and Talwalkar 2016): after each round, twice as long
    as the one before, the better half goes on. Without ``halving`` all are trained to the end."""
    entries = [Entry(remedy) for remedy in tried]
    groups = groups_of(start, entries, steps)
    running = [entry for group in groups for entry in group.entries]
    running.sort(key=entries.index)
    for look in range(LOOKS + 1):
        share = look / LOOKS
        for group in groups:
            group.train(share, stop)
            group.look(share, set(running))
        if 0 < look < LOOKS:
            tell(placed([entry.result() for entry in entries if entry.losses]))
        if halving and look in HALVINGS:
            running = going_on(running)
            for group in groups:
                group.keep(set(running))
    return [entry.result() for entry in entries if entry.losses]


def going_on(running: Sequence[Entry]) -> list[Entry]:
    changed = [entry for entry in running if entry.change]
    return [entry for entry in running if not entry.change] + halved(changed)


def groups_of(start: Start, entries: Sequence[Entry], steps: int) -> list[Group]:
    """The entries in groups that can train together: those that keep the run's weights apart from
    those that start afresh. A candidate whose config does not fit the data is left out."""
    together: dict[Any, list[tuple[Entry, RunConfig, Dataset]]] = {}
    made = 0 if start.state is None else int(start.state["step"])
    for entry in entries:
        try:
            config = start.config.changed(entry.change)
            data = dataset_of(start, config)
            config = config.fitted(data.rows)
            check_fit(config, data)
        except ConfigError:
            continue
        length = steps if start.state is not None else min(steps, config.training.steps)
        # The stack must not end before the race does, whatever the run's planned length.
        config = config.changed({"training.steps": max(config.training.steps, made + NEVER)})
        live = start.state is not None and all(is_live(key) for key in entry.change)
        shape = entry if unstackable(config) else shape_of(config, data)
        together.setdefault((live, length, shape), []).append((entry, config, data))
    groups = []
    for (live, length, shape), own in together.items():
        _, config, data = own[0]
        stack: Stack | Alone
        if isinstance(shape, Entry):
            stack = Alone(config, data)
        else:
            stack = Stack([config for _, config, _ in own], [rows for *_, rows in own], every=NEVER)
        if live and start.state is not None:
            stack.fork(start.config, start.state)
        groups.append(Group(stack, [entry for entry, *_ in own], length))
    return groups


def dataset_of(start: Start, config: RunConfig) -> Dataset:
    same = config.data.settings() == start.config.data.settings()
    return start.dataset if same else load(config.data.settings())
