"""Tries the verdicts on 800 sampled networks whose faults are known by other means.

    python benchmarks/verdicts.py [--cache DIR] [--part dev|held-out|both] [--limit N] [--json]

The samples are drawn and split by fixed seeds (`verdict_suite.sampling`), labelled without the
verdicts (`verdict_suite.labels`: outcome against trained references, an autograd oracle's counts,
interventions), and judged from their histories. It prints, for each caveat, precision and recall
at the end of the run; the share of healthy networks that carry a warning or worse; how early the
first flag came; and how many faulty runs the first remedy and any of five cured. Beside them the
published rules of other tools, on the same runs. All of it takes an hour on one core; with
``--cache`` nothing is trained twice.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from verdict_suite.labels import FAMILY, FAULTY, Label, gain, label
from verdict_suite.rivals import RIVALS
from verdict_suite.sampling import SEEDS, sampled
from verdict_suite.training import Sample, Store

from caveats.verdicts import CAVEATS, Judge

FLAGGED = ("warning", "critical")


@dataclass(frozen=True)
class Case:
    index: int
    sample: Sample
    label: Label
    flags: frozenset[str]  # at warning or critical when the run ended
    ever: dict[str, int]  # first step at which each was
    remedies: tuple[dict[str, Any], ...]  # of the worst verdict


def judged(index: int, sample: Sample, label: Label) -> Case:
    judge = Judge()
    verdicts = [v for v in judge.look(sample.history) if v.severity in FLAGGED]
    remedies = tuple(dict(r.change) for r in verdicts[0].next) if verdicts else ()
    flags = frozenset(v.caveat for v in verdicts)
    return Case(index, sample, label, flags, judge.first_flagged, remedies)


def counted(cases: Iterable[Case], names: tuple[str, ...]) -> dict[str, Any]:
    """Confusion of one caveat, or of a family of them: any flag against any label."""
    wanted = set(names)
    counts = {"tp": 0, "fp_healthy": 0, "fp_other": 0, "fn": 0}
    early = []
    for case in cases:
        if case.label.kind not in ("healthy", "faulty"):
            continue
        flagged, true = bool(case.flags & wanted), bool(case.label.caveats & wanted)
        if flagged and true:
            counts["tp"] += 1
        elif flagged:
            counts["fp_healthy" if case.label.kind == "healthy" else "fp_other"] += 1
        elif true:
            counts["fn"] += 1
        steps = [case.ever[n] for n in wanted & case.label.caveats if n in case.ever]
        if true and steps:
            early.append(min(steps) / case.sample.config.training.steps)
    flagged = counts["tp"] + counts["fp_healthy"] + counts["fp_other"]
    true = counts["tp"] + counts["fn"]
    return {
        **counts,
        "precision": counts["tp"] / flagged if flagged else math.nan,
        "recall": counts["tp"] / true if true else math.nan,
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
        "healthy_flagged": sum(bool(c.flags) for c in healthy) / max(1, len(healthy)),
        "healthy_ever_flagged": sum(bool(c.ever) for c in healthy) / max(1, len(healthy)),
        "faulty_flagged": sum(bool(c.flags) for c in faulty) / max(1, len(faulty)),
        "first_flag": statistics.median(firsts) if firsts else math.nan,
        "cures": cures(cases, store) if with_cures else {},
        "rivals": {
            name: {
                "healthy_flagged": share(rule, healthy),
                "faulty_flagged": share(rule, faulty),
            }
            for name, rule in RIVALS.items()
        },
    }


def share(rule: Any, cases: list[Case]) -> float:
    return sum(bool(rule(case.sample.history)) for case in cases) / max(1, len(cases))


def show(title: str, found: dict[str, Any]) -> None:
    print(f"\n{title}: " + ", ".join(f"{n} {kind}" for kind, n in found["networks"].items()))
    print(f"{'caveat':22}{'tp':>5}{'fp':>5}{'(healthy)':>10}{'fn':>5}{'prec':>7}{'recall':>8}"
          f"{'first flag':>12}")  # fmt: skip
    rows = {**found["caveats"], "SGD family": found["sgd_family"]}
    for name, c in rows.items():
        fp = c["fp_healthy"] + c["fp_other"]
        print(f"{name:22}{c['tp']:5}{fp:5}{c['fp_healthy']:10}{c['fn']:5}{c['precision']:7.2f}"
              f"{c['recall']:8.2f}{c['first_flag']:12.1%}")  # fmt: skip
    print(f"healthy networks flagged {found['healthy_flagged']:.1%} at the end, "
          f"{found['healthy_ever_flagged']:.1%} at some time; "
          f"faulty ones {found['faulty_flagged']:.1%}; median first flag at "
          f"{found['first_flag']:.1%} of the budget")  # fmt: skip
    if found["cures"]:
        c = found["cures"]
        print(f"of {c['faulty']} faulty runs the first remedy cured {c['first']:.1%}, "
              f"any of five {c['any']:.1%}")  # fmt: skip
    for name, c in found["rivals"].items():
        print(f"{name}: healthy networks flagged {c['healthy_flagged']:.1%}, "
              f"faulty ones {c['faulty_flagged']:.1%}")  # fmt: skip


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
            cases.append(judged(index, sample, label(sample, store)))
            print(f"\r{name}: {len(cases)}/{len(configs)}", end="", file=sys.stderr, flush=True)
        results[name] = report(cases, store)
        if not options.json:
            show(name, results[name])
    if options.json:
        print(json.dumps(results, default=str, indent=1))


if __name__ == "__main__":
    main()
