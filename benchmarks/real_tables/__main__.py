"""Tries the program on networks that learn real tables which Python packages ship.

    python -m benchmarks.real_tables [--cache DIR] [--part dev|held-out] [--race] [--limit N]
                                     [--misses] [--json]

Rules and remedies are developed on ``dev``; the seeds of ``held-out`` are for counting alone.
A network is *well-trained* if its loss comes .75 of the way from the constant predictor's to that
of the best reference network of its table on rows kept out, *failed* if it comes less than half of
it; the label is the outcome, whatever was done to the network. It prints the shares with their
95 % intervals and goals, and with ``--misses`` one line for every failed network that the first
remedy did not cure, for every failed one without a flag, and for every well-trained one with a
flag.

With ``--race`` the remedies of a failed network race first, as they do in the lab beside a run that
has ended, and are tried in the order of the race; without it, in that of the rules.

With ``--cache`` nothing is trained twice while the engine's code stays the same. Held out, 320
networks take about twenty minutes on one core. Needs statsmodels and vega_datasets: the extra
``[test]``.
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
from benchmarks.real_tables.networks import SEEDS, sampled
from benchmarks.real_tables.references import reference
from benchmarks.real_tables.scoring import GOALS, Case, report, tried
from benchmarks.real_tables.tables import TABLES, table
from benchmarks.trials import Trials


def show(part: str, found: dict[str, Any]) -> None:
    print(f"\n{part}: " + ", ".join(f"{n} {kind}" for kind, n in found["networks"].items()))
    for title, row in found.items():
        if title in ("networks", "faults"):
            continue
        low, high = row["interval"]
        goal = f"; goal {GOALS[title]}" if title in GOALS else ""
        print(f"{title:36}{row['count']:4} of {row['of']:3}  {row['share']:.3f} "
              f"({low:.3f} to {high:.3f}{goal})")  # fmt: skip
    print(f"{'fault put in':18}{'networks':>9}{'failed':>8}{'flagged':>9}{'first':>7}{'any':>6}")
    for name, row in found["faults"].items():
        print(f"{name:18}{row['networks']:9}{row['failed']:8}{row['flagged']:9}{row['first']:7}"
              f"{row['any']:6}")  # fmt: skip


def misses(cases: list[Case]) -> None:
    for case in cases:
        flags = ", ".join(case.flags) or "no flag"
        done = "+".join(case.network.faults) or "sound"
        start = (f"{case.index:3} {case.network.table:13} {done:24} "
                 f"learnt {max(-9.99, case.share):5.2f}; {flags}")  # fmt: skip
        if case.kind == "well-trained" and case.flags:
            print(f"false alarm  {start}")
        if case.kind == "failed" and not case.flags:
            print(f"silent       {start}")
        elif case.kind == "failed" and case.cured_by is None:
            print(f"not cured    {start}")
        elif case.kind == "failed" and case.cured_by:
            print(f"by remedy {case.cured_by + 1}  {start}")
        else:
            continue
        for change, share in zip(case.remedies, case.attempts, strict=False):
            text = ", ".join(f"{key} → {value}" for key, value in change.items())
            print(f"             {max(-9.99, share):6.2f}  {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", type=Path, help="where trained runs are kept")
    parser.add_argument("--part", choices=tuple(SEEDS), default="dev")
    parser.add_argument("--race", action="store_true", help="try remedies in their race's order")
    parser.add_argument("--limit", type=int, help="only the first N networks")
    parser.add_argument("--misses", action="store_true", help="a line for what went wrong")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=UserWarning)
    trials = Trials(options.cache or Path(tempfile.mkdtemp(prefix="caveats-real-tables-")))
    goals = {name: reference(table(name), trials) for name in TABLES}
    cases = []
    networks = sampled(options.part)[: options.limit]
    for index, network in enumerate(networks):
        case = tried(index, network, trials, options.race)
        if case is not None:
            cases.append(case)
        print(f"\r{index + 1}/{len(networks)}", end="", file=sys.stderr, flush=True)
    found = report(cases)
    if options.json:
        tables = {name: asdict(goal) for name, goal in goals.items()}
        print(json.dumps({"tables": tables, **found}, indent=1))
        return
    for name, goal in goals.items():
        note = "" if goal.learnable else "  left out: nothing there holds for new rows"
        print(f"{name:14} learnt {goal.learnt:.2f}, on new rows {goal.on_new_rows:.2f}{note}")
    show(options.part, found)
    if options.misses:
        misses(cases)


if __name__ == "__main__":
    main()
