"""How far the verdicts of watched trainings can be trusted: recall, delay and false alarms on the
networks and faults of `benchmarks.watching.zoo`, beside a rule that sees only the outcome."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from benchmarks.watching.zoo import FAULTS, OTHERS, ZOO, train

from caveats.watching.instruments import Instruments

__all__ = ["Outcome", "measure", "table"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: the caveats that were a warning or worse at its end or in it, with the first step of
    any; whether it looks failed by its losses alone."""

    name: str
    fault: str
    caveats: tuple[str, ...]
    first: int | None
    failed: bool
    problem: str


def measure(name: str, fault: str, seed: int, optimizer: str = "adam") -> Outcome:
    instruments = Instruments(every=10)
    instruments.install()
    try:
        losses = train(name, fault, seed, kind=optimizer)
    finally:
        instruments.remove()
    said: list[str] = []
    first: int | None = None
    problem = instruments.problem
    for training in instruments.trainings:
        problem = problem or training.problem
        for caveat, step in training.judge.first_flagged.items():
            said.append(caveat)
            first = step if first is None else min(first, step)
    return Outcome(name, fault, tuple(said), first, failed(losses), problem)


def failed(losses: list[float]) -> bool:
    """The rule that sees only the outcome: the loss is not finite, or is not a tenth lower at the
    end than it was at the start."""
    values = np.array(losses)
    if not np.isfinite(values).all():
        return True
    return float(np.median(values[-50:])) > 0.9 * float(np.median(values[:5]))


def table(outcomes: Iterable[Outcome]) -> str:
    """A row for each family of faults, and one for the healthy runs."""
    by_fault: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_fault[outcome.fault].append(outcome)
    lines = [
        "| runs | number | any warning | median first step | most frequent verdicts "
        "| by outcome only |",
        "|---|---|---|---|---|---|",
    ]
    for fault, runs in sorted(by_fault.items(), key=lambda item: item[0] != "none"):
        flagged = [run for run in runs if run.caveats]
        firsts = [run.first for run in flagged if run.first is not None]
        counts: dict[str, int] = defaultdict(int)
        for run in runs:
            for caveat in set(run.caveats):
                counts[caveat] += 1
        top = sorted(counts.items(), key=lambda item: -item[1])[:3]
        lines.append(
            f"| {'healthy' if fault == 'none' else fault} | {len(runs)} "
            f"| {len(flagged) / len(runs):.0%} "
            f"| {statistics.median(firsts) if firsts else '–'} "
            f"| {', '.join(f'{caveat} {count}' for caveat, count in top) or '–'} "
            f"| {sum(run.failed for run in runs) / len(runs):.0%} |"
        )
    return "\n".join(lines)


def plan(seeds: Iterable[int]) -> Iterable[tuple[str, str, int, str]]:
    for seed in seeds:
        for name in ZOO:
            yield name, "none", seed, "adam"
            yield name, "none", seed, "sgd"
        for name in OTHERS:
            yield name, "none", seed, "adam"
        for name in [*ZOO, *OTHERS]:
            for fault in FAULTS:
                yield name, fault, seed, "adam"
