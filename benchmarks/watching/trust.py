"""How far the verdicts of watched trainings can be trusted: recall, delay and false alarms on the
networks and faults of `benchmarks.watching.zoo`, beside a rule that sees only the outcome and
torchmortem 0.1.1 (`benchmarks.watching.rival`).

Steps are sampled at the distances that are the default, without the budget, so that a busy machine
gives the same table. The delay of a verdict counts from the step at which its fault began.

Two tables: all faults that were put in, and only those that did harm, since batch normalization or
Adam undo many. The rule for harm was fixed before any verdict was looked at. Compare the run with
the same network, seed and optimizer without the fault, by the final loss: the median of its last
fifty losses. The fault did harm if a loss was not finite, or if the final loss is higher than that
of the sound run by more than a tenth of what the sound run's loss fell (from the median of its
first five). Losses that are squares of the inputs (U-Net, autoencoder) are divided by the square
of the factor that the inputs were multiplied by. The losses of Q-learning do not say how good the
outcome is; the error of its values does, before and after, in the same rule. The GAN has no such
number after 400 steps, so its runs are left out of the second table.
"""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.watching.rival import flagged_by_torchmortem
from benchmarks.watching.zoo import FACTOR, FAULTS, ONLY, OTHERS, STEPS, ZOO, train_and_judge

from caveats.watching.instruments import Instruments

__all__ = ["Outcome", "drawn", "harm", "measure", "plan", "table"]

OF_INDICES = frozenset({"gpt"})  # whose inputs have no scale: these faults cannot be put in
OF_INPUTS = frozenset({"unscaled_inputs", "bad_batches", "not_a_number"})
BEGINS = {"bad_batches": 200, "not_a_number": 100}  # the steps of faults that come later
SQUARES = frozenset({"unet", "autoencoder"})  # whose losses grow with the square of their inputs


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: the caveats that were a warning or worse at its end or in it, with the first step of
    any; whether it looks failed by its losses alone; the losses that say what became of it, none
    where they do not; whether torchmortem flags it, None where it was not asked."""

    name: str
    fault: str
    caveats: tuple[str, ...]
    first: int | None
    failed: bool
    problem: str
    seed: int = 0
    optimizer: str = "adam"
    losses: tuple[float, ...] = ()
    rival: bool | None = None

    @property
    def delay(self) -> float | None:
        """From the beginning of the fault to the first verdict, as a share of the run."""
        if self.first is None:
            return None
        return max(0, self.first - BEGINS.get(self.fault, 0)) / STEPS


def measure(
    name: str, fault: str, seed: int, optimizer: str = "adam", rival: bool = False
) -> Outcome:
    instruments = Instruments(share=math.inf)
    instruments.install()
    try:
        losses, error = train_and_judge(name, fault, seed, kind=optimizer)
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
    kept = tuple(loss / unit(name, fault) for loss in losses)
    if name in OTHERS:
        kept = () if error is None else (error[0],) * 50 + (error[1],) * 50
    looks = failed(losses)
    asked = rival and name in ZOO
    other = flagged_by_torchmortem(name, fault, seed, optimizer) if asked else None
    return Outcome(name, fault, tuple(said), first, looks, problem, seed, optimizer, kept, other)


def unit(name: str, fault: str) -> float:
    """What the losses of a run are divided by, so that they compare with those of the sound run."""
    return FACTOR**2 if fault == "unscaled_inputs" and name in SQUARES else 1.0


def harmful(run: Outcome, sound: Outcome) -> bool:
    """Whether the fault of ``run`` made its outcome clearly worse than that of ``sound``."""
    if not np.isfinite(run.losses).all():
        return True
    start, end = float(np.median(sound.losses[:5])), float(np.median(sound.losses[-50:]))
    return float(np.median(run.losses[-50:])) > end + 0.1 * (start - end)


def harm(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """The runs with faults that did harm, and those with faults that did none. Runs are left out
    whose losses do not say it, or without a sound run beside them."""
    sound = {(o.name, o.seed, o.optimizer): o for o in outcomes if o.fault == "none" and o.losses}
    worse, no_worse = [], []
    for run in outcomes:
        beside = sound.get((run.name, run.seed, run.optimizer))
        if run.fault != "none" and beside is not None:
            (worse if harmful(run, beside) else no_worse).append(run)
    return worse, no_worse


def failed(losses: list[float]) -> bool:
    """The rule that sees only the outcome: the loss is not finite, or is not a tenth lower at the
    end than it was at the start."""
    values = np.array(losses)
    if not np.isfinite(values).all():
        return True
    return float(np.median(values[-50:])) > 0.9 * float(np.median(values[:5]))


def table(outcomes: Iterable[Outcome]) -> str:
    """A row for each family of faults, one for the healthy runs, and one for all faults."""
    by_fault: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_fault[outcome.fault].append(outcome)
    everything = [run for fault, runs in by_fault.items() if fault != "none" for run in runs]
    lines = [
        "| runs | number | any warning | median delay | most frequent verdicts "
        "| failed by its loss | torchmortem |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = sorted(by_fault.items(), key=lambda item: item[0] != "none")
    for fault, runs in [*rows, ("all faults", everything)]:
        if runs:
            lines.append(row("healthy" if fault == "none" else fault, runs))
    return "\n".join(lines)


def row(fault: str, runs: Sequence[Outcome]) -> str:
    delays = [run.delay for run in runs if run.delay is not None]
    counts = Counter(caveat for run in runs for caveat in set(run.caveats))
    asked = [run.rival for run in runs if run.rival is not None]
    top = ", ".join(f"{caveat} {count}" for caveat, count in counts.most_common(3))
    return (
        f"| {fault} | {len(runs)} | {sum(bool(run.caveats) for run in runs) / len(runs):.0%} "
        f"| {f'{statistics.median(delays):.1%}' if delays else '–'} | {top or '–'} "
        f"| {sum(run.failed for run in runs) / len(runs):.0%} "
        f"| {f'{sum(asked) / len(asked):.0%}' if asked else '–'} |"
    )


def plan(seeds: Iterable[int]) -> Iterable[tuple[str, str, int, str]]:
    for seed in seeds:
        for name in ZOO:
            yield name, "none", seed, "adam"
            yield name, "none", seed, "sgd"
        for name in OTHERS:
            yield name, "none", seed, "adam"
        for name in [*ZOO, *OTHERS]:
            for fault in FAULTS:
                if possible(name, fault):
                    yield name, fault, seed, "adam"


def drawn(
    runs: Iterable[tuple[str, str, int, str]], each: int, seed: int
) -> list[tuple[str, str, int, str]]:
    """All sound runs, and of each network only ``each`` of those with a fault, by chance; in an
    order by chance, so that the first of them are a fair part of all."""
    chance, faulty = random.Random(seed), defaultdict(list)
    found = []
    for run in runs:
        (found if run[1] == "none" else faulty[run[0]]).append(run)
    for of_one in faulty.values():
        found += chance.sample(of_one, min(each, len(of_one)))
    chance.shuffle(found)
    return found


def possible(name: str, fault: str) -> bool:
    """Whether this fault can be put into this network."""
    if name in OF_INDICES and fault in OF_INPUTS:
        return False
    return fault not in ONLY or name in ONLY[fault]
