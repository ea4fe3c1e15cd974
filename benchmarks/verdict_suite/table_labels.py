"""Labels a network of the second generator: its outcome says whether it has failed, and taking out
each injected fault says which one is to blame.

It uses no definition of the rules. The outcome compares losses with those of well-trained networks
of the same shape on the same rows, and an intervention shows a fault.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from benchmarks.verdict_suite.interventions import gain, healed
from benchmarks.verdict_suite.labels import kind_of
from benchmarks.verdict_suite.sampling import matched
from benchmarks.verdict_suite.table_networks import Network
from benchmarks.verdict_suite.training import Outcome, Sample, Store

from caveats.config import RunConfig
from caveats.data import Dataset

__all__ = ["TableLabel", "table_label"]

ENOUGH = 0.95  # if one reference got so far, no others are trained


@dataclass(frozen=True)
class TableLabel:
    """``kind`` is healthy (well-trained), faulty (failed), between or hopeless, by outcome. A
    network has failed only if it falls short of what a reference gains on rows that it has not
    seen, too: not to have learnt rows by heart is no failure.
    ``shown`` are the injected faults of a failed network whose removal alone makes it clearly
    better; "together" if only the removal of all faults does. ``without`` says how far it got then.
    """

    kind: str
    score: float  # share of the way from the constant predictor (0) to the best reference (1)
    reference: float  # that reference's gain
    injected: tuple[str, ...]
    shown: frozenset[str] = frozenset()
    without: dict[str, float] = field(default_factory=dict)


def table_label(network: Network, sample: Sample, store: Store) -> TableLabel:
    config, rows = network.config, store.dataset(network.config)
    reached = gain(sample.outcome, chance(rows))
    reference = max(reached, best_reference(config, store))
    kind, score = kind_of(reached, reference)
    if kind == "faulty":
        lasting = min(reference, best_on_new_rows(config, store))
        kind, _ = kind_of(reached, lasting)
        kind = "between" if kind == "healthy" else kind
    injected = tuple(fault.kind for fault in network.faults)
    if kind != "faulty":
        return TableLabel(kind, score, reference, injected)
    without = {}
    for name, cured in cures(network):
        outcome = store.outcome(cured.config, cured.alterations)
        without[name] = gain(outcome, chance(store.dataset(cured.config))) / reference
    shown = {name for name, to in without.items() if name != "together" and healed(score, to)}
    if not shown and healed(score, without.get("together", -math.inf)):
        shown = {"together"}
    return TableLabel(kind, score, reference, injected, frozenset(shown), without)


def cures(network: Network) -> Iterator[tuple[str, Network]]:
    """The network without each single fault, and without all of them."""
    for fault in network.faults:
        yield fault.kind, network.without(fault)
    if len(network.faults) > 1:
        yield "together", network.without(*network.faults)


def chance(rows: Dataset) -> float | None:
    """The share of the largest class: the accuracy of the constant predictor."""
    if rows.classes is None:
        return None
    return float(np.bincount(rows.y).max() / rows.rows)


def best_reference(config: RunConfig, store: Store) -> float:
    """The best gain of several well-trained networks of the same widths on the same rows."""
    return best_of(config, store, store.outcome)


def best_on_new_rows(config: RunConfig, store: Store) -> float:
    """The best gain of these networks on rows that they have not seen."""
    return best_of(config, store, store.on_new_rows)


def best_of(config: RunConfig, store: Store, outcome: Callable[[RunConfig], Outcome]) -> float:
    rows = store.dataset(config)
    best = -math.inf
    for reference in references(config, rows.rows):
        best = max(best, gain(outcome(reference), chance(rows)))
        if best >= ENOUGH:
            break
    return best


def references(config: RunConfig, rows: int) -> Iterator[RunConfig]:
    """Adam with a falling learning rate and no faults: with ReLU, the config's activation and tanh,
    each with the initialiser that suits it. For deep networks, normalized ones come first."""
    widths = list(config.network.widths)
    own = config.network.activations[0]
    tree: dict[str, Any] = {
        "data": {"file": config.data.file, "standardize": True},
        "optimizer": {"name": "adam", "lr": 0.005, "clip_norm": 1.0, "schedule": "cosine"},
        "training": {
            "steps": config.training.steps, "batch_size": min(32, rows), "seed": 0,
            "loss": config.training.loss,
        },
    }  # fmt: skip
    if len(widths) >= 5:
        kind = "layer" if min(widths) >= 8 else "batch"
        held = {"activation": "relu", "normalization": kind, "residual": True}
        yield RunConfig.from_dict({**tree, "network": {"widths": widths, **held}})
    for activation in dict.fromkeys(("relu", own, "tanh")):
        plain = {"widths": widths, "activation": activation, "init": matched(activation)}
        yield RunConfig.from_dict({**tree, "network": plain})
