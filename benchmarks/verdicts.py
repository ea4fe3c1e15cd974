"""Tests the verdicts on the networks of two generators, whose faults are known by other means.

    python -m benchmarks.verdicts [--generator sampled|tables] [--cache DIR]
                                  [--part dev|held-out|both] [--limit N] [--json]

Both generators draw and split their networks by fixed seeds. The networks are trained, and judged
from their histories.

``sampled``, 8,000 networks (`verdict_suite.sampling`), is labelled without the verdicts
(`verdict_suite.labels`: outcome against trained references, an autograd oracle's counts,
interventions). It prints, for each caveat, precision and recall at the end of the run; the share
of healthy networks with a warning or worse; how early the first flag came; and how many faulty runs
the first remedy cured, and any of five. For comparison it applies the published rules of other
tools to the same runs (`verdict_suite.rivals`; torchmortem only if it is installed: ``pip install
torchmortem==0.1.1``).

``tables``, 650 networks of other kinds (`verdict_suite.table_networks`), is labelled by outcome
alone (`verdict_suite.table_labels`). It prints how many well-trained and how many failed networks
have a warning or worse at the end, and by which injected fault.

On one core ``sampled`` takes hours, ``tables`` one hour; with ``--cache`` nothing is trained twice.
docs/verdicts.md says what the labels show and what they do not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from benchmarks.verdict_suite import scoring, table_scoring, tables
from benchmarks.verdict_suite.labels import label
from benchmarks.verdict_suite.rival_runs import watched
from benchmarks.verdict_suite.sampling import sampled
from benchmarks.verdict_suite.table_labels import table_label
from benchmarks.verdict_suite.table_networks import sampled as sampled_tables
from benchmarks.verdict_suite.training import Store

PARTS = ("dev", "held-out")

Progress = Callable[[int, int], None]


def try_sampled(part: str, folder: Path, limit: int | None, progress: Progress) -> dict[str, Any]:
    store = Store(folder)
    cases = []
    configs = sampled(part)[:limit]
    for index, config in enumerate(configs):
        sample = store.sample(config)
        seen = watched(config, store.folder)
        cases.append(scoring.judged(index, sample, label(sample, store), seen))
        progress(len(cases), len(configs))
    return scoring.report(cases, store)


def try_tables(part: str, folder: Path, limit: int | None, progress: Progress) -> dict[str, Any]:
    store = Store(folder, tables.dataset)
    cases = []
    networks = sampled_tables(part)[:limit]
    for index, network in enumerate(networks):
        sample = store.sample(network.config, network.alterations)
        cases.append(table_scoring.judged(index, sample, table_label(network, sample, store)))
        progress(len(cases), len(networks))
    return table_scoring.report(cases)


def show_sampled(title: str, found: dict[str, Any]) -> None:
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
    titles = "".join(f"{title:>13}" for title in scoring.COLUMNS)
    print(f"{'flagged':24}{'healthy':>9}{'faulty':>9}{titles}   (precision/recall)")
    for name, row in found["beside"].items():
        if row is None:
            print(f"{name:24}  not installed")
            continue
        cells = (f"{c['precision']:.2f}/{c['recall']:.2f}" if c else "–"
                 for c in row["columns"].values())  # fmt: skip
        print(f"{name:24}{row['healthy']:9.1%}{row['faulty']:9.1%}"
              + "".join(f"{cell:>13}" for cell in cells))  # fmt: skip


def show_tables(title: str, found: dict[str, Any]) -> None:
    print(f"\n{title}: " + ", ".join(f"{n} {kind}" for kind, n in found["networks"].items()))
    for kind, goal in table_scoring.GOALS.items():
        row = found[kind]
        low, high = row["interval"]
        print(f"{kind} networks flagged: {row['flagged']} of {row['networks']}, {row['share']:.1%} "
              f"(95 % interval {low:.1%} to {high:.1%}; goal {goal}); by "
              + (", ".join(f"{name} {n}" for name, n in row["caveats"].items()) or "none")
              )  # fmt: skip
    print(f"{'fault put in':16}{'networks':>10}{'failed':>8}{'flagged':>9}{'shown':>7}")
    for name, row in found["faults"].items():
        print(f"{name:16}{row['networks']:10}{row['failed']:8}{row['flagged']:9}{row['shown']:7}")


GENERATORS = {"sampled": (try_sampled, show_sampled), "tables": (try_tables, show_tables)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--generator", choices=tuple(GENERATORS), default="sampled")
    parser.add_argument("--cache", type=Path, help="where trained runs are kept")
    parser.add_argument("--part", choices=(*PARTS, "both"), default="both")
    parser.add_argument("--limit", type=int, help="only the first N networks of each part")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.cache or Path(tempfile.mkdtemp(prefix="caveats-verdicts-"))
    attempt, show = GENERATORS[options.generator]
    results = {}
    for part in PARTS if options.part == "both" else (options.part,):

        def progress(done: int, of: int, part: str = part) -> None:
            print(f"\r{part}: {done}/{of}", end="", file=sys.stderr, flush=True)

        results[part] = attempt(part, folder, options.limit, progress)
        if not options.json:
            show(part, results[part])
    if options.json:
        print(json.dumps(results, default=str, indent=1))


if __name__ == "__main__":
    main()
