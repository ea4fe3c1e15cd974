"""How much each threshold and each sign of the rules matters, on their development networks.

    python -m benchmarks.thresholds [--cache DIR] [--generator sampled|tables] [--limit N]

It judges five records of every development network (the first, three during the run, and the last)
again: with each threshold a quarter smaller and a quarter larger, and with each sign always
answering no. For each change it prints how many networks get other flags (a warning or worse) in
any of the five records, and how many mistakes appear and disappear in the last. For ``sampled`` a
mistake is a caveat that is flagged but not in the label, or in the label but not flagged; the four
caveats of the step count as one, and not zero-centred does not count, because its label holds for
half of the networks. For ``tables`` a mistake is a well-trained network with a flag, or a failed
one without. With ``--cache`` nothing is trained twice.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from benchmarks.verdict_suite import tables
from benchmarks.verdict_suite.labels import FAMILY, label
from benchmarks.verdict_suite.sampling import sampled
from benchmarks.verdict_suite.table_labels import table_label
from benchmarks.verdict_suite.table_networks import sampled as sampled_tables
from benchmarks.verdict_suite.training import Store

from caveats.history import History
from caveats.verdicts.evidence import DEFAULT, Evidence
from caveats.verdicts.judge import findings
from caveats.verdicts.sign import SIGNS
from caveats.verdicts.thresholds import Thresholds, table

__all__ = ["Judged", "Variant", "mistakes", "variants"]

QUARTER = 0.25
LOOKED_AT = 0, 1 / 50, 1 / 10, 1 / 3  # of the planned steps, beside the last record
UNSCORED = frozenset({"not_zero_centred", "underfitting", "dormant"})

Flags = frozenset[str]


@dataclass(frozen=True)
class Judged:
    """A network's history and its label: ``kind`` is "healthy" or "faulty"; if caveats are
    labelled, it also says which are right and which are undecided."""

    history: History
    kind: str
    caveats: Flags | None = None
    undecided: Flags = frozenset()


@dataclass(frozen=True)
class Variant:
    """The rules with one thing changed."""

    name: str
    thresholds: Thresholds = DEFAULT
    without: Flags = frozenset()

    def flags(self, history: History) -> tuple[Flags, ...]:
        """The flags at each of these shares of the run, and at the end."""
        snapshot = history.snapshot()
        told = history.layers, history.facts, self.thresholds, self.without
        planned = history.facts.steps
        late = [np.searchsorted(snapshot.steps, share * planned) for share in LOOKED_AT]
        flags = []
        for index in (*(min(int(i), len(snapshot) - 1) for i in late), len(snapshot) - 1):
            with np.errstate(all="ignore"):
                found = findings(Evidence(snapshot, index, *told))
            flags.append(frozenset(name for name, f in found.items() if f.severity != "note"))
        return tuple(flags)


def variants() -> Iterator[Variant]:
    """Every threshold a quarter smaller and larger, and every sign absent."""
    for number in table():
        for factor in (1 - QUARTER, 1 + QUARTER):
            changed = replace(DEFAULT, **{number.name: getattr(DEFAULT, number.name) * factor})
            yield Variant(f"{number.name} × {factor:g}", changed)
    for name in SIGNS:
        yield Variant(f"without {name}", without=frozenset({name}))


def mistakes(network: Judged, flags: Flags) -> int:
    if network.caveats is None:
        return int(bool(flags) == (network.kind == "healthy"))
    family = frozenset(FAMILY)
    found, right = one_family(flags, family), one_family(network.caveats, family)
    unsure = one_family(network.undecided, family) - right
    return len((found ^ right) - unsure - UNSCORED)


def one_family(caveats: Flags, family: Flags) -> Flags:
    return (caveats - family) | ({"step"} if caveats & family else set())


def networks(generator: str, folder: Path, limit: int | None) -> Iterator[Judged]:
    if generator == "sampled":
        store = Store(folder)
        for config in sampled("dev")[:limit]:
            sample = store.sample(config)
            told = label(sample, store)
            if told.kind in ("healthy", "faulty"):
                yield Judged(sample.history, told.kind, told.caveats, told.undecided)
    else:
        store = Store(folder, tables.dataset)
        for network in sampled_tables("dev")[:limit]:
            sample = store.sample(network.config, network.alterations)
            kind = table_label(network, sample, store).kind
            if kind in ("healthy", "faulty"):
                yield Judged(sample.history, kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--generator", choices=("sampled", "tables"), default="sampled")
    parser.add_argument("--cache", type=Path, help="where trained runs are kept")
    parser.add_argument("--limit", type=int, help="only the first N networks")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.cache or Path(tempfile.mkdtemp(prefix="caveats-verdicts-"))
    show(list(networks(options.generator, folder, options.limit)))


def show(judged: list[Judged]) -> None:
    now = [Variant("now").flags(network.history) for network in judged]
    wrong = [mistakes(network, flags[-1]) for network, flags in zip(judged, now, strict=True)]
    print(f"{len(judged)} networks, {sum(wrong)} mistakes; {len(table())} thresholds")
    print(f"{'changed':42}{'networks':>9}{'mended':>8}{'made':>6}{'healthy flagged':>17}")
    for variant in variants():
        flags = [variant.flags(network.history) for network in judged]
        others = sum(a != b for a, b in zip(now, flags, strict=True))
        moved = [mistakes(n, f[-1]) - w for n, f, w in zip(judged, flags, wrong, strict=True)]
        mended, made = -sum(m for m in moved if m < 0), sum(m for m in moved if m > 0)
        healthy = sum(
            bool(f[-1]) for n, f in zip(judged, flags, strict=True) if n.kind == "healthy"
        )
        print(f"{variant.name:42}{others:9}{mended:8}{made:6}{healthy:17}", flush=True)


if __name__ == "__main__":
    main()
