"""python -m benchmarks.watching trust --seeds 100,101
python -m benchmarks.watching overhead
python -m benchmarks.watching start
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress

import torch
from benchmarks.watching.overhead import TITLES, TURNS, overhead_table, start_table
from benchmarks.watching.trust import Outcome, drawn, harm, measure, plan, table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watching")
    parser.add_argument("what", choices=["trust", "overhead", "start"])
    parser.add_argument("--seeds", default="100", help="of the runs, as 100,101")
    parser.add_argument("--healthy", action="store_true", help="only the runs without a fault")
    parser.add_argument("--faults", default="", help="only these, as short_memory,decayed")
    parser.add_argument("--draw", type=int, help="only so many faults of each network, by chance")
    parser.add_argument("--beside", default=",".join(TITLES), help="watchers, as caveats,wandb")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--rival", action="store_true", help="torchmortem on the same runs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.what == "overhead":
        print(overhead_table(arguments.beside.split(","), arguments.turns))
    if arguments.what in ("overhead", "start"):
        print(start_table(arguments.turns))
        return
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    runs = list(
        plan(seeds) if arguments.draw is None else drawn(plan(seeds), arguments.draw, seeds[0])
    )
    outcomes: list[Outcome] = []
    with suppress(KeyboardInterrupt):  # ctrl-c: the tables of what has been run
        for name, fault, seed, optimizer in runs:
            if arguments.healthy and fault != "none":
                continue
            if arguments.faults and fault not in ("none", *arguments.faults.split(",")):
                continue
            outcome = measure(name, fault, seed, optimizer, arguments.rival)
            outcomes.append(outcome)
            told = ",".join(outcome.caveats) or "-"
            print(
                f"{name} {fault} {optimizer} {seed}: {told} first {outcome.first} failed "
                f"{outcome.failed} torchmortem {outcome.rival} {outcome.problem}",
                file=sys.stderr,
                flush=True,
            )
    worse, no_worse = harm(outcomes)
    print(table(outcomes))
    print("\nOnly faults that did harm:\n")
    print(table(worse))
    print("\nFaults that did no harm:\n")
    print(table(no_worse))


if __name__ == "__main__":
    main()
