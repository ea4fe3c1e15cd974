"""Races candidates against each other: a few dozen steps as stacks, then the better half goes on.

The control is the run itself, going on unchanged, and is never left out, so that every result says
what a change is worth. The same start gives the same results. Who goes on and who wins is the rule
of `caveats.remedies.winning`, as in `caveats.curing`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from caveats.config import RunConfig, is_live
from caveats.data import Dataset, load
from caveats.errors import ConfigError
from caveats.facts import RunFacts
from caveats.remedies.candidates import candidates, pairs
from caveats.remedies.winning import halved, ranked, smallest, wins
from caveats.stacks.shape import shape_of, unstackable
from caveats.stacks.stack import Stack
from caveats.training.trainer import check_fit
from caveats.verdicts import Remedy, share_learnt

if TYPE_CHECKING:
    from caveats.run import Run

__all__ = [
    "CONTROL", "Result", "Start", "Stopped", "in_order", "race", "same_run", "winner",
]  # fmt: skip

CONTROL = Remedy({}, "going on as it is")

ROUNDS = 3  # the last half of the candidates is trained for all steps
LOOKS = 20  # at the losses, over all steps: enough for a curve
NEVER = 10**9
LENGTH = frozenset({"training.steps", "training.epochs"})  # a short race says nothing about it
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
    change that scales the target changes their unit."""

    remedy: Remedy
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    learnt: float
    constant: float = 1.0

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
    """A candidate in the race, in its stack."""

    def __init__(self, remedy: Remedy) -> None:
        self.remedy, self.change = remedy, remedy.change
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.learnt = -math.inf
        self.constant = math.nan

    def note(self, step: int, loss: float, accuracy: float, facts: RunFacts) -> None:
        self.steps.append(step)
        self.losses.append(loss if math.isfinite(loss) else math.inf)
        self.learnt = share_learnt(facts, loss, accuracy)
        self.constant = facts.baseline

    def result(self) -> Result:
        steps, losses = tuple(self.steps), tuple(self.losses)
        return Result(self.remedy, steps, losses, self.learnt, self.constant)


def race(
    start: Start,
    tried: Sequence[Remedy] | None = None,
    steps: int = 100,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[tuple[Result, ...]], None] = lambda results: None,
) -> tuple[Result, ...]:
    """The results of all candidates, the best first; `CONTROL` is among them.

    Those that are left out early rank behind those that went on. Without ``tried``, all
    `caveats.remedies.candidates` of the config race, and if no single change wins, pairs of the
    best ones race too. ``stop`` is asked after every step; ``tell`` gets the results so far after
    every look at the losses but the last.

    Raises:
        Stopped: once ``stop`` answers True.
    """
    singles = list(tried) if tried is not None else candidates(start.config)
    found = heat(start, with_control(singles), steps, stop, tell)
    if tried is None and winner(found) is None:
        best = [r.remedy for r in placed(found) if r.change][:BEST]
        found = [*found, *heat(start, pairs(start.config, best), steps, stop, lambda _: None)]
    return placed(found)


def with_control(tried: Iterable[Remedy]) -> list[Remedy]:
    return [CONTROL, *(remedy for remedy in tried if remedy.change.keys() - LENGTH)]


def winner(results: Iterable[Result]) -> Result | None:
    """The smallest change that wins; None if none is clearly better than the control."""
    through = [r for r in longest(results) if r.change]
    control = next(r for r in results if not r.change)
    better = [r for r in through if wins(r, control)]
    return smallest(better) if better else None


def in_order(
    config: RunConfig, remedies: Sequence[Remedy], results: Sequence[Result]
) -> tuple[Remedy, ...]:
    """The ``remedies`` of a verdict in the order of their race: the winner first, also if it is not
    among them, then as they were placed, then those that did not race. The cure of an experiment
    stays before all; without a winner the order stays as it is."""
    best = winner(results) if results else None
    if best is None:
        return tuple(remedies)

    def own(remedy: Remedy) -> Remedy | None:
        return next((r for r in remedies if same_run(config, r, remedy)), None)

    certain = [r for r in remedies if r.certain]
    raced = [r for result in results if (r := own(result.remedy)) is not None]
    order: list[Remedy] = []
    for remedy in (*certain, own(best.remedy) or best.remedy, *raced, *remedies):
        if remedy not in order:
            order.append(remedy)
    return tuple(order)


def same_run(config: RunConfig, a: Remedy, b: Remedy) -> bool:
    """Whether both remedies make the same run of ``config``."""
    present = config.flat()
    one, other = ({key: v for key, v in r.change.items() if present.get(key) != v} for r in (a, b))
    return one == other


def longest(results: Iterable[Result]) -> list[Result]:
    most = max(len(r.losses) for r in results)
    return [r for r in results if len(r.losses) == most]


def placed(results: Sequence[Result]) -> tuple[Result, ...]:
    """Best first: those trained for longest, by the rule of `caveats.remedies.winning`."""
    rounds = sorted({len(r.losses) for r in results}, reverse=True)
    return tuple(
        result
        for count in rounds
        for result in ranked([r for r in results if len(r.losses) == count])
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
    stacks = stacks_of(start, entries)
    running = [entry for _, own in stacks for entry in own]
    look(stacks, 0)
    rounds = [steps * 2**i // 2 ** (ROUNDS - 1) for i in range(ROUNDS)]
    looks = {steps * (i + 1) // LOOKS for i in range(LOOKS)} | set(rounds)
    for made in range(1, steps + 1):
        for stack, _ in stacks:
            stack.advance()
            if stop():
                raise Stopped
        if made not in looks:
            continue
        look(stacks, made, set(running))
        if made == steps:
            break
        tell(placed([entry.result() for entry in entries if entry.losses]))
        if halving and made in rounds:
            running = going_on(running)
            for stack, own in stacks:
                stack.keep([index for index, entry in enumerate(own) if entry in running])
    return [entry.result() for entry in entries if entry.losses]


def going_on(running: Sequence[Entry]) -> list[Entry]:
    changed = [entry for entry in running if entry.change]
    return [entry for entry in running if not entry.change] + halved(changed)


def look(
    stacks: Sequence[tuple[Stack, list[Entry]]], made: int, among: set[Entry] | None = None
) -> None:
    """Note the loss of every entry that is still in the race."""
    for stack, own in stacks:
        facts = [history.facts for history in stack.histories]
        for entry, of_it, score in zip(own, facts, stack.probe_scores(), strict=True):
            if among is None or entry in among:
                entry.note(made, *score, of_it)


def stacks_of(start: Start, entries: Sequence[Entry]) -> list[tuple[Stack, list[Entry]]]:
    """The entries in stacks: those that keep the run's weights apart from those that start afresh.
    A candidate whose config does not fit the data, or that cannot be stacked, is left out."""
    groups: dict[Any, list[tuple[Entry, RunConfig, Dataset]]] = {}
    made = 0 if start.state is None else int(start.state["step"])
    for entry in entries:
        try:
            config = start.config.changed(entry.change)
            data = dataset_of(start, config)
            config = config.fitted(data.rows)
            check_fit(config, data)
        except ConfigError:
            continue
        if unstackable(config) is not None:
            continue
        # The stack must not end before the race does, whatever the run's planned length.
        config = config.changed({"training.steps": max(config.training.steps, made + NEVER)})
        live = start.state is not None and all(is_live(key) for key in entry.change)
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
