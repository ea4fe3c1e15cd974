"""Tries the program on public reports of small networks that did not train.

    python -m benchmarks.reports [--cache DIR] [--only NAME] [--part developed|held-out|both]
                                 [--race] [--json]

Every report was rebuilt with data of the same scale and shape; its source, and what was wrong,
stand with it. For each it prints whether the program names the cause as a warning or worse, whether
that is the headline, whether the first remedy cures, how many settings that changes, and which of
five remedies cures first. *Cured* means: no warning is left, and at least half of what can be
learnt above a constant is learnt, (constant − loss) / (constant − best) ≥ 0.5, where best is the
loss of the best of the suite's own cures. With ``--race`` the remedies race first, as they
do in the lab beside a run that has ended, and are tried in the order of the race.

The cause is not taken on trust: each caveat that counts as right has a cure of its own, made by the
suite, and a row whose cure does not work alone, or whose network did not fail, is marked and
counted as nothing.

A third of the reports, chosen by a hash of their names, is held out: no rule is developed on it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from benchmarks.reports.catalogue import HELD_OUT, REPORTS
from benchmarks.reports.judging import Result, judged
from benchmarks.trials import Trials

PARTS = ("developed", "held-out")
GOALS = {"named": 0.9, "first": 0.85}


def share(results: list[Result], of: str) -> str:
    if not results:
        return "no report"
    counts = {
        "named": sum(r.named for r in results),
        "headline": sum(r.headline for r in results),
        "first": sum(r.cured(0) for r in results),
        "one setting": sum(r.cured(0) and len(r.remedies[0]) == 1 for r in results),
        "any": sum(r.cured_by is not None for r in results),
    }
    goal = f" (goal {GOALS[of]})" if of in GOALS else ""
    return f"{counts[of]} of {len(results)}, {counts[of] / len(results):.2f}{goal}"


def show(title: str, results: list[Result]) -> None:
    counted = [r for r in results if r.sound]
    print(f"\n{title}: {len(counted)} reports")
    print(f"{'report':26}{'kind':12}{'gain':>6}{'best':>6}  {'named':7}{'first':>6}{'of five':>8}"
          "  said; first remedy")  # fmt: skip
    for r in results:
        print(line(r))
    print(f"cause named as warning or worse: {share(counted, 'named')}; "
          f"as the headline {share(counted, 'headline')}")  # fmt: skip
    print(f"first remedy cures: {share(counted, 'first')}; "
          f"by one setting {share(counted, 'one setting')}")  # fmt: skip
    print(f"one of five cures: {share(counted, 'any')}")


def line(r: Result) -> str:
    start = f"{r.report.name:26}{r.report.kind:12}"
    if r.waits:
        return f"{start}  waits: {r.waits}"
    start += f"{max(-9.99, r.own):6.2f}{r.best:6.2f}  "
    if not r.sound:
        cures = ", ".join(f"{name} {gain:.2f}" for name, gain in (r.cures or {}).items())
        return f"{start}not counted: no failure, or a cure does not work alone ({cures})"
    named = "head" if r.headline else "yes" if r.named else "NO"
    first = f"yes {len(r.remedies[0])}" if r.cured(0) else "NO"
    place = "–" if r.cured_by is None else str(r.cured_by + 1)
    said = ", ".join(r.flags) or "nothing"
    shown = ", ".join(f"{k} → {v}" for k, v in r.remedies[0].items()) if r.remedies else "none"
    return f"{start}{named:7}{first:>6}{place:>8}  {said}; {shown}"


def document(r: Result) -> dict[str, Any]:
    found = asdict(r)
    found["report"] = {k: v for k, v in found["report"].items() if k in
                       ("name", "kind", "url", "title", "wrong", "measure")}  # fmt: skip
    return found | {"sound": r.sound, "named": r.named, "headline": r.headline,
                    "held_out": r.report.name in HELD_OUT, "first_cures": r.cured(0)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", type=Path, help="where trained runs are kept")
    parser.add_argument("--only", help="only reports whose name contains this")
    parser.add_argument("--part", choices=(*PARTS, "both"), default="both")
    parser.add_argument("--race", action="store_true", help="try remedies in their race's order")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=UserWarning)
    trials = Trials(options.cache or Path(tempfile.mkdtemp(prefix="caveats-reports-")))
    found: dict[str, list[Result]] = {part: [] for part in PARTS}
    chosen = [r for r in REPORTS if (options.only or "") in r.name]
    if options.part != "both":
        chosen = [r for r in chosen if (r.name in HELD_OUT) == (options.part == "held-out")]
    for index, report in enumerate(chosen):
        found[PARTS[report.name in HELD_OUT]].append(judged(report, trials, options.race))
        print(f"\r{index + 1}/{len(chosen)}", end="", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps({k: [document(r) for r in v] for k, v in found.items()}, indent=1))
        return
    for part, results in found.items():
        if results:
            show(part, results)


if __name__ == "__main__":
    main()
