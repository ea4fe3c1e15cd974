"""Counts how often verdicts, and the rivals' symptoms, agree with the first generator's labels.

It trains nothing but the remedies of faulty networks, and prints nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.verdict_suite.interventions import FAULTY, gain
from benchmarks.verdict_suite.judgement import judgement
from benchmarks.verdict_suite.labels import FAMILY, Label
from benchmarks.verdict_suite.rivals import RIVALS, Watched
from benchmarks.verdict_suite.training import Sample, Store

from caveats.verdicts import CAVEATS

__all__ = ["COLUMNS", "Case", "beside", "judged", "report"]

OURS = "caveats-tui"
# The caveats that the rivals can name: the columns of the table that compares them with us.
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
    ever: dict[str, int]  # the first step at which each was flagged
    remedies: tuple[dict[str, Any], ...]  # those of the worst verdict
    rivals: dict[str, frozenset[str] | None]  # what each says of it; None: not installed


def judged(index: int, sample: Sample, label: Label, watched: Watched) -> Case:
    verdicts, first_flagged = judgement(sample.history)
    remedies = tuple(dict(r.change) for r in verdicts[0].next) if verdicts else ()
    flags = frozenset(v.caveat for v in verdicts)
    rivals = {name: rival.flags(watched) for name, rival in RIVALS.items()}
    return Case(index, sample, label, flags, first_flagged, remedies, rivals)


def confusion(cases: Iterable[Case], names: tuple[str, ...], flags: Flags) -> dict[str, float]:
    """The confusion matrix of one caveat, or of a family of caveats: any flag against any label.
    Undecided labels do not count, nor do networks between healthy and faulty."""
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
    """Our confusion matrix, and the median share of the run at the first correct flag."""
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
    """The shares of the faulty runs that a remedy brought past half of the way from the constant
    predictor to the reference, with the same seed and data."""
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
    """A row of the table of rivals; None for a tool that is not installed."""
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
