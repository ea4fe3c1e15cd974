"""What trying is worth: the verdicts about the step with and without a trial of other steps, the
remedies in the order of the rules and in that of their race.

    python -m benchmarks.step_trials [--cache DIR] [--part held-out|dev] [--limit N]
                                     [--verdicts-only] [--json]

The networks are those of `benchmarks.verdict_suite.sampling`, labelled without the verdicts
(`verdict_suite.labels`). As in the lab, other steps are tried for 100 to 300 steps on a run that
ended far from what its data allow, and the remedies of its worst verdict race for 200 steps from
step 0. With ``--cache`` nothing is trained twice. The races and the remedies take most of the time:
``--verdicts-only`` leaves them out. On one core 64 networks take an hour.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from benchmarks.trials import after_race
from benchmarks.verdict_suite.interventions import FAULTY, gain
from benchmarks.verdict_suite.judgement import judgement
from benchmarks.verdict_suite.labels import FAMILY, Label, label
from benchmarks.verdict_suite.sampling import drawn, sampled
from benchmarks.verdict_suite.training import Sample, Store, key_of

from caveats.config import RunConfig
from caveats.facts import Trial
from caveats.remedies.candidates import candidates
from caveats.remedies.ranking import MOST
from caveats.run import Run
from caveats.runs.trial_lines import read_trial, trial_text
from caveats.trials import Start
from caveats.trials.steps import trial_event, tried_steps
from caveats.verdicts import Verdict, worth_a_trial

HELD_OUT = 20261158  # the seed of networks held out, fixed before the first was drawn
GOALS = {
    "precision": 0.93, "recall": 0.93, "first": 0.95, "any": 0.99, "single": 0.6,
}  # fmt: skip

Change = dict[str, Any]


class Tries:
    """Trials and races of the networks of a `Store`, kept beside its results."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._log = store.folder / "tries.jsonl"
        self._kept: dict[str, Any] = {}
        if self._log.exists():
            self._kept = dict(json.loads(line) for line in self._log.read_text().splitlines())

    def trial(self, config: RunConfig) -> Trial:
        """The trial at the end of a run of ``config``."""

        def make() -> Any:
            run = Run(config, self._store.dataset(config), every=config.training.steps)
            while not run.finished:
                run.advance()
            trial = tried_steps(Start.on_cpu(run))
            return [trial.step, json.loads(trial_text(trial))]

        return read_trial(*self._once(f"trial {key_of(config)}", make))

    def order(self, config: RunConfig, verdict: Verdict) -> list[Change]:
        """The changes that the lab offers for a verdict after the race."""
        tried = candidates(config, verdict.next)

        def make() -> Any:
            remedies = after_race(config, self._store.dataset(config), verdict)
            return [dict(r.change) for r in remedies]

        asked = json.dumps([dict(r.change) for r in tried])
        found: list[Change] = self._once(f"race {key_of(config)} {asked}", make)
        return found

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
            with self._log.open("a") as log:
                log.write(json.dumps([key, self._kept[key]]) + "\n")
        return self._kept[key]


@dataclass(frozen=True)
class Found:
    """What was said of a network: the caveats at warning or worse, and the changes offered."""

    flags: frozenset[str]
    offered: tuple[Change, ...]


@dataclass(frozen=True)
class Case:
    sample: Sample
    label: Label
    guessed: Found  # by rules alone
    tried: Found  # with a trial and a race


def guessed(case: Case) -> Found:
    return case.guessed


def tried(case: Case) -> Found:
    return case.tried


def case_of(config: RunConfig, store: Store, tries: Tries, races: bool = True) -> Case:
    sample = store.sample(config)
    shown = label(sample, store)
    before, _ = judgement(sample.history)
    if worth_a_trial(sample.history):
        sample.history.note(trial_event(tries.trial(config)))
    after, _ = judgement(sample.history)
    asked = races and after and shown.kind == "faulty"
    raced = tries.order(config, after[0]) if asked else []
    return Case(sample, shown, found(before), found(after, raced))


def found(verdicts: Sequence[Verdict], raced: list[Change] | None = None) -> Found:
    own = [dict(r.change) for r in verdicts[0].next] if verdicts else []
    offered = own if raced is None else raced
    return Found(frozenset(v.caveat for v in verdicts), tuple(offered[:MOST]))


def judged(cases: Sequence[Case], of: Callable[[Case], Found]) -> dict[str, Any]:
    """What the verdicts of one column are worth; each share is a pair (count, of how many)."""
    family, hits, flagged, true = set(FAMILY), 0, 0, 0
    for case in cases:
        if case.label.kind not in ("healthy", "faulty"):
            continue
        said, shown = bool(of(case).flags & family), bool(case.label.caveats & family)
        if not shown and case.label.undecided & family:
            continue
        hits += said and shown
        flagged += said
        true += shown
    kinds = {kind: [c for c in cases if c.label.kind == kind] for kind in ("healthy", "faulty")}
    return {
        "precision": (hits, flagged), "recall": (hits, true),
        **{
            f"{kind} flagged": (sum(bool(of(c).flags) for c in some), len(some))
            for kind, some in kinds.items()
        },
    }  # fmt: skip


def cured(cases: Sequence[Case], of: Callable[[Case], Found], store: Store) -> dict[str, Any]:
    """What the remedies of one column are worth to the faulty networks; pairs as in `judged`."""
    faulty = [case for case in cases if case.label.kind == "faulty"]
    places = [cured_by(case, of(case), store) for case in faulty]
    single = [len(changed(case, of(case).offered[0])) == 1 for case in faulty if of(case).offered]
    return {
        "first": (places.count(0), len(faulty)),
        "any": (sum(place is not None for place in places), len(faulty)),
        "single": (sum(single), len(faulty)),
    }


def changed(case: Case, change: Change) -> Change:
    present = case.sample.config.flat()
    return {key: value for key, value in change.items() if present.get(key) != value}


def cured_by(case: Case, said: Found, store: Store) -> int | None:
    """The place of the first remedy that cures, as `verdict_suite.scoring` counts cures."""
    for place, change in enumerate(said.offered):
        reached = gain(store.changed(case.sample.config, change)) / case.label.reference
        if reached >= max(FAULTY, max(case.label.score, 0) + 0.1):
            return place
    return None


def show(columns: dict[str, dict[str, Any]]) -> None:
    print(f"{'':20}" + "".join(f"{name:>24}" for name in columns) + f"{'goal':>8}")
    for row in next(iter(columns.values())):
        cells = "".join(f"{told(*figures[row]):>24}" for figures in columns.values())
        print(f"{row:20}{cells}{GOALS.get(row, ''):>8}")


def told(count: int, of: int) -> str:
    return f"{count / of:.2f}  ({count} of {of})" if of else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", type=Path, help="where trained runs are kept")
    parser.add_argument("--part", choices=("held-out", "dev"), default="held-out")
    parser.add_argument("--limit", type=int, default=64, help="only the first N networks")
    parser.add_argument("--verdicts-only", action="store_true", help="no races and no remedies")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    torch.set_num_threads(1)
    store = Store(options.cache or Path(tempfile.mkdtemp(prefix="caveats-step-trials-")))
    tries, races = Tries(store), not options.verdicts_only
    cases = []
    networks = sampled("dev") if options.part == "dev" else drawn(HELD_OUT)
    for config in networks[: options.limit]:
        cases.append(case_of(config, store, tries, races))
        print(f"\r{len(cases)}/{options.limit}", end="", file=sys.stderr, flush=True)
    kinds = [case.label.kind for case in cases]
    counts = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    columns = {}
    for name, of in {"rules alone": guessed, "with trials": tried}.items():
        columns[name] = judged(cases, of) | (cured(cases, of, store) if races else {})
    if options.json:
        print(json.dumps({"networks": counts, **columns}, indent=1))
        return
    print("\n" + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    show(columns)


if __name__ == "__main__":
    main()
