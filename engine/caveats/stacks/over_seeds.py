"""Trains one setup with several seeds as a stack, and says how its measures differ between the
seeds."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caveats.config import RunConfig
from caveats.data import Dataset
from caveats.history import History, Snapshot
from caveats.stacks.shape import unstackable
from caveats.stacks.stack import Stack
from caveats.training.memory import needed

__all__ = ["OverSeeds", "over_seeds", "summary", "why_not_trained"]

Floats = NDArray[np.float64]

LARGEST_SEED = 2**63 - 1
# Of all seeds together. A step of so many takes one thread about 50 ms with batches of 64 rows.
MOST_WEIGHTS = 2_000_000
SECONDS = 0.5  # between two answers
SCALARS = ("loss", "accuracy", "sharpness")
MEASURES = (
    "dead", "grad_norm", "delta_rms", "update_ratio", "activation_mean", "activation_std",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class OverSeeds:
    """The measures of a setup over its ``seeds`` at ``steps`` (records,). Each scalar is
    (3, records), each layer measure (3, records, layers): the mean over the seeds that have a
    number there, the lowest and the highest; NaN where none has one. A seed that has ``diverged``
    has no later numbers."""

    seeds: int
    diverged: int
    steps: NDArray[np.int64]
    scalars: Mapping[str, Floats]
    layers: Mapping[str, Floats]


def why_not_trained(config: RunConfig, dataset: Dataset, seeds: int) -> str:
    """Why a setup cannot be trained with so many seeds, "" if it can."""
    if (setting := unstackable(config)) is not None:
        return f"{setting} cannot train as a stack"
    if config.training.seed + seeds - 1 > LARGEST_SEED:
        return f"the seeds that follow {config.training.seed:,} end at {LARGEST_SEED:,}"
    network, rows = config.network, config.training.batch_size or dataset.rows
    weights, _ = needed(dataset.features, network.widths, dataset.outputs, rows)
    if seeds * weights > MOST_WEIGHTS:
        return (
            f"{seeds} networks of {weights:,} weights are too many to train beside the run: "
            f"together they may have {MOST_WEIGHTS:,}"
        )
    return ""


def over_seeds(
    config: RunConfig,
    dataset: Dataset,
    seeds: int,
    every: int | None = None,
    tell: Callable[[OverSeeds], None] = lambda found: None,
) -> OverSeeds:
    """Train ``config`` with its own seed and those that follow it, ``seeds`` in all, to the end.
    ``tell`` gets what is known so far, about twice a second.

    Raises:
        ConfigError: as `caveats.stacks.Stack`.
    """
    first = config.training.seed
    configs = [config.changed({"training.seed": first + place}) for place in range(seeds)]
    stack = Stack(configs, [dataset] * seeds, every)
    told = time.monotonic()
    while not stack.finished:
        stack.advance()
        if time.monotonic() - told >= SECONDS:
            tell(summary(stack.histories))
            told = time.monotonic()
    return summary(stack.histories)


def summary(histories: Sequence[History]) -> OverSeeds:
    """What is known of all members, at the steps of the one that has come farthest."""
    snapshots = [history.snapshot() for history in histories]
    steps = max((own.steps for own in snapshots), key=lambda own: (own[-1], len(own)))
    diverged = sum(any(e.kind == "diverged" for e in own.events) for own in snapshots)
    return OverSeeds(
        len(snapshots),
        diverged,
        steps,
        {name: spread([placed(steps, own, own.scalar(name)) for own in snapshots])
         for name in SCALARS},
        {name: spread([placed(steps, own, own.layers(name)) for own in snapshots])
         for name in MEASURES},
    )  # fmt: skip


def placed(steps: NDArray[np.int64], own: Snapshot, values: Floats) -> Floats:
    """The ``values`` (records, ...) of one member at ``steps``, NaN where it has no record or
    where they are not finite."""
    found = np.full((len(steps), *values.shape[1:]), math.nan)
    _, here, there = np.intersect1d(steps, own.steps, return_indices=True)
    found[here] = np.where(np.isfinite(values[there]), values[there], math.nan)
    return found


def spread(members: Sequence[Floats]) -> Floats:
    """The mean, the lowest and the highest of (E, ...), without NaN: (3, ...)."""
    values = np.stack(members)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of places where all are NaN
        return np.stack([np.nanmean(values, 0), np.nanmin(values, 0), np.nanmax(values, 0)])
