"""Counts which of the second generator's well-trained and failed networks have a warning or worse
at the end of the run."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from benchmarks.verdict_suite.judgement import judgement
from benchmarks.verdict_suite.table_labels import TableLabel
from benchmarks.verdict_suite.training import Sample

__all__ = ["GOALS", "TableCase", "judged", "report"]

GOALS = {"healthy": "at most 3 %", "faulty": "at least 95 %"}


@dataclass(frozen=True)
class TableCase:
    index: int
    label: TableLabel
    flags: frozenset[str]  # at warning or critical when the run ended


def judged(index: int, sample: Sample, label: TableLabel) -> TableCase:
    verdicts, _ = judgement(sample.history)
    return TableCase(index, label, frozenset(v.caveat for v in verdicts))


def report(cases: list[TableCase]) -> dict[str, Any]:
    """``missed`` and ``false_alarms`` hold networks by their index in their part."""
    by_kind = {kind: [case for case in cases if case.label.kind == kind] for kind in GOALS}
    kinds = Counter(case.label.kind for case in cases)
    return {
        "networks": dict(sorted(kinds.items())),
        **{kind: flagged(of) for kind, of in by_kind.items()},
        "faults": by_fault(cases),
        "missed": [case.index for case in by_kind["faulty"] if not case.flags],
        "false_alarms": {
            case.index: sorted(case.flags) for case in by_kind["healthy"] if case.flags
        },
    }


def flagged(cases: list[TableCase]) -> dict[str, Any]:
    count = sum(bool(case.flags) for case in cases)
    return {
        "networks": len(cases),
        "flagged": count,
        "share": count / len(cases) if cases else math.nan,
        "interval": wilson(count, len(cases)),
        "caveats": dict(Counter(name for case in cases for name in case.flags).most_common()),
    }


def by_fault(cases: list[TableCase]) -> dict[str, dict[str, int]]:
    """Counts over the networks with a fault: how many failed, how many of these are flagged, and
    how many its removal alone cures."""
    names = sorted({name for case in cases for name in case.label.injected})
    rows = {}
    for name in names:
        having = [case for case in cases if name in case.label.injected]
        failed = [case for case in having if case.label.kind == "faulty"]
        rows[name] = {
            "networks": len(having),
            "failed": len(failed),
            "flagged": sum(bool(case.flags) for case in failed),
            "shown": sum(name in case.label.shown for case in failed),
        }
    return rows


def wilson(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not of:
        return math.nan, math.nan
    z2 = 1.96**2
    centre = (count + z2 / 2) / (of + z2)
    half = math.sqrt(z2 * (count * (of - count) / of + z2 / 4)) / (of + z2)
    return max(0.0, centre - half), min(1.0, centre + half)
