"""Tries the verdicts on 7,600 sampled networks whose faults are known by other means.

    python -m benchmarks.verdicts [--cache DIR] [--part dev|held-out|both] [--limit N] [--json]

The samples are drawn and split by fixed seeds (`verdict_suite.sampling`), labelled without the
verdicts (`verdict_suite.labels`: outcome against trained references, an autograd oracle's counts,
interventions), and judged from their histories. It prints, for each caveat, precision and recall
at the end of the run; the share of healthy networks that carry a warning or worse; how early the
first flag came; and how many faulty runs the first remedy and any of five cured. Beside them the
published rules of other tools (`verdict_suite.rivals`; torchmortem only where it is installed:
``pip install torchmortem==0.1.1``), on the same runs. All of it takes hours on one core;
with ``--cache`` nothing is trained twice.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from benchmarks.verdict_suite.interventions import FAULTY, gain
from benchmarks.verdict_suite.labels import FAMILY, Label, label
from benchmarks.verdict_suite.rival_runs import watched
from benchmarks.verdict_suite.rivals import RIVALS, Watched
from benchmarks.verdict_suite.sampling import SEEDS, sampled
from benchmarks.verdict_suite.training import Sample, Store

from caveats.verdicts import CAVEATS, Judge

FLAGGED = ("warning", "critical")
OURS = "caveats-tui"
# What the rivals can name, as columns of the table that sets them beside our verdicts.
COLUMNS = {
    "dying ReLU": ("dying_relu",), "vanishing": ("vanishing_gradient",),
    "exploding": ("exploding_gradient",), "saturation": ("saturation",), "SGD family": FAMILY,
}  # fmt: skip

Flags = Callable[["Case"], frozenset[str] | None]


@dataclass(frozen=True)
class Case:
    index: int
    sample: Sample
    label: Label
    flags: frozenset[str]  # at warning or critical when the run ended
    ever: dict[str, int]  # first step at which each was
    remedies: tuple[dict[str, Any], ...]  # of the worst verdict
    rivals: dict[str, frozenset[str] | None]  # what each says of it; None: not installed


def judged(index: int, sample: Sample, label: Label, watched: Watched) -> Case:
    judge = Judge()
    verdicts = [v for v in judge.look(sample.history) if v.severity in FLAGGED]
    remedies = tuple(dict(r.change) for r in verdicts[0].next) if verdicts else ()
    flags = frozenset(v.caveat for v in verdicts)
    rivals = {name: rival.flags(watched) for name, rival in RIVALS.items()}
    return Case(index, sample, label, flags, judge.first_flagged, remedies, rivals)


def confusion(cases: Iterable[Case], names: tuple[str, ...], flags: Flags) -> dict[str, float]:
    """Of one caveat, or of a family of them: any flag against any label. Where a label leaves it
    undecided it counts neither way, as networks between healthy and faulty do."""
    wanted = set(names)
    counts = {"tp": 0, "fp_healthy": 0, "fp_other": 0, "fn": 0, "undecided": 0}
    for case in cases:
        if case.label.kind not in ("healthy", "faulty"):
            continue
        flagged, true = bool((flags(case) or set()) & wanted), bool(case.label.caveats & wanted)
        if not true and case.label.undecided & wanted:
            counts["undecided"] += 1
        elif flagged and true:
            counts["tp"] += 1
        elif flagged:
            counts["fp_healthy" if case.label.kind == "healthy" else "fp_other"] += 1
        elif true:
            counts["fn"] += 1
    flagged = counts["tp"] + counts["fp_healthy"] + counts["fp_other"]
    true = counts["tp"] + counts["fn"]
    return {
        **counts,
        "precision": counts["tp"] / flagged if flagged else math.nan,
        "recall": counts["tp"] / true if true else math.nan,
    }


def counted(cases: list[Case], names: tuple[str, ...]) -> dict[str, float]:
    """Our own confusion, and the median share of the budget at the first rightful flag."""
    early = []
    for case in cases:
        steps = [case.ever[n] for n in set(names) & case.label.caveats if n in case.ever]
        if steps and case.label.kind == "faulty":
            early.append(min(steps) / case.sample.config.training.steps)
    return {
        **confusion(cases, names, lambda case: case.flags),
        "first_flag": statistics.median(early) if early else math.nan,
    }


def cures(cases: Iterable[Case], store: Store) -> dict[str, float]:
    """Shares of the faulty runs that some remedy, with the same seed and data, brought past half
    of the way from the constant predictor to the reference."""
    first, within, total = 0, 0, 0
    for case in cases:
        if case.label.kind != "faulty":
            continue
        total += 1
        for place, change in enumerate(case.remedies):
            reached = gain(store.changed(case.sample.config, change)) / case.label.reference
            if reached >= max(FAULTY, max(case.label.score, 0) + 0.1):
                first += place == 0
                within += 1
                break
    return {"faulty": total, "first": first / max(1, total), "any": within / max(1, total)}


def report(cases: list[Case], store: Store, with_cures: bool = True) -> dict[str, Any]:
    kinds = [case.label.kind for case in cases]
    healthy = [case for case in cases if case.label.kind == "healthy"]
    faulty = [case for case in cases if case.label.kind == "faulty"]
    firsts = [
        min(case.ever.values()) / case.sample.config.training.steps for case in faulty if case.ever
    ]
    return {
        "networks": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "caveats": {name: counted(cases, (name,)) for name in CAVEATS},
        "sgd_family": counted(cases, FAMILY),
        "healthy_flagged": share(healthy, lambda case: case.flags),
        "healthy_ever_flagged": share(healthy, lambda case: frozenset(case.ever)),
        "faulty_flagged": share(faulty, lambda case: case.flags),
        "first_flag": statistics.median(firsts) if firsts else math.nan,
        "cures": cures(cases, store) if with_cures else {},
        "beside": {OURS: beside(cases, lambda case: case.flags, set(CAVEATS))}
        | {
            name: beside(cases, lambda case, name=name: case.rivals[name], {*rival.names.values()})
            for name, rival in RIVALS.items()
        },
    }


def beside(cases: list[Case], flags: Flags, can_name: set[str]) -> dict[str, Any] | None:
    """A row of the table of rivals: None for one that is not installed."""
    if any(flags(case) is None for case in cases):
        return None
    shares = {
        kind: share([case for case in cases if case.label.kind == kind], flags)
        for kind in ("healthy", "faulty")
    }
    columns = {
        title: confusion(cases, names, flags) if can_name & set(names) else None
        for title, names in COLUMNS.items()
    }
    return {**shares, "columns": columns}


def share(cases: list[Case], flags: Flags) -> float:
    return sum(bool(flags(case)) for case in cases) / max(1, len(cases))


def show(title: str, found: dict[str, Any]) -> None:
    print(f"\n{title}: " + ", ".join(f"{n} {kind}" for kind, n in found["networks"].items()))
    print(f"{'caveat':22}{'tp':>5}{'fp':>5}{'(healthy)':>10}{'fn':>5}{'prec':>7}{'recall':>8}"
          f"{'first flag':>12}{'undecided':>11}")  # fmt: skip
    rows = {**found["caveats"], "SGD family": found["sgd_family"]}
    for name, c in rows.items():
        fp = c["fp_healthy"] + c["fp_other"]
        print(f"{name:22}{c['tp']:5}{fp:5}{c['fp_healthy']:10}{c['fn']:5}{c['precision']:7.2f}"
              f"{c['recall']:8.2f}{c['first_flag']:12.1%}{c['undecided']:11}")  # fmt: skip
    print(f"healthy networks flagged {found['healthy_flagged']:.1%} at the end, "
          f"{found['healthy_ever_flagged']:.1%} at some time; "
          f"faulty ones {found['faulty_flagged']:.1%}; median first flag at "
          f"{found['first_flag']:.1%} of the budget")  # fmt: skip
    if found["cures"]:
        c = found["cures"]
        print(f"of {c['faulty']} faulty runs the first remedy cured {c['first']:.1%}, "
              f"any of five {c['any']:.1%}")  # fmt: skip
    print(f"{'flagged':24}{'healthy':>9}{'faulty':>9}"
          + "".join(f"{title:>13}" for title in COLUMNS) + "   (precision/recall)")  # fmt: skip
    for name, row in found["beside"].items():
        if row is None:
            print(f"{name:24}  not installed")
            continue
        cells = (f"{c['precision']:.2f}/{c['recall']:.2f}" if c else "–"
                 for c in row["columns"].values())  # fmt: skip
        print(f"{name:24}{row['healthy']:9.1%}{row['faulty']:9.1%}"
              + "".join(f"{cell:>13}" for cell in cells))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", type=Path, help="where trained runs are kept")
    parser.add_argument("--part", choices=("dev", "held-out", "both"), default="both")
    parser.add_argument("--limit", type=int, help="only the first N samples of each half")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    torch.set_num_threads(1)
    store = Store(options.cache or Path(tempfile.mkdtemp(prefix="caveats-verdicts-")))
    results = {}
    for name in SEEDS:
        if options.part not in (name, "both"):
            continue
        cases = []
        configs = sampled(name)[: options.limit]
        for index, config in enumerate(configs):
            sample = store.sample(config)
            seen = watched(config, store.folder)
            cases.append(judged(index, sample, label(sample, store), seen))
            print(f"\r{name}: {len(cases)}/{len(configs)}", end="", file=sys.stderr, flush=True)
        results[name] = report(cases, store)
        if not options.json:
            show(name, results[name])
    if options.json:
        print(json.dumps(results, default=str, indent=1))


if __name__ == "__main__":
    main()
