"""Histories made by hand, where what is wrong is known because it was put there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from caveats.config import RunConfig
from caveats.config.declared import declared_layers, declared_optimizer
from caveats.facts import DataFacts, RunFacts
from caveats.history import History
from caveats.remedies import Remedies
from caveats.verdicts import judge

LN10 = math.log(10)
STEPS = (*range(11), 12, 15, 18, 22, 26, 31, 37, 44, 52, 61, 72, 85, 100, 120, 150, 200)
PLANNED = 200


def sound(layers: int, width: int) -> dict[str, Any]:
    """A healthy ReLU network's layer measures, output last."""
    ones = np.ones(layers)
    return {
        "units": ones * width, "dead": ones * 0, "born_dead": ones * 0,
        "dormant": ones * 0, "saturated": ones * 0, "silent": ones * 0,
        "activation_mean": ones * 0.4, "activation_std": ones * 0.6, "delta_rms": ones * 0.1,
        "grad_norm": ones * 0.1, "weight_norm": ones * 8,
        "update_ratio": ones * 0.01, "distinct": ones * width, "mean_fraction": ones * 0.4,
        "sign_coherence": ones * 0.86, "spread": ones * 3,
    }  # fmt: skip


def facts_of(
    config: RunConfig,
    baseline: float,
    steps: int,
    reachable: float = 0.0,
    reachable_accuracy: float = math.nan,
    data: DataFacts | None = None,
) -> RunFacts:
    """What a run of this config would have observed of its network and its optimizer."""
    layers, optimizer = declared_layers(config, 2, 10), declared_optimizer(config)
    told = reachable, reachable_accuracy, layers, optimizer, Remedies(config)
    return RunFacts(baseline, steps, *told, data or DataFacts())


def history(
    losses: Any,
    layers: int = 4,
    width: int = 64,
    change: dict[str, Any] | None = None,
    config: RunConfig | None = None,
    baseline: float = LN10,
    until: int = PLANNED,
    accuracy: float = 0.1,
    reachable: tuple[float, float] = (0.0, math.nan),
    data: DataFacts | None = None,
    recall: float = math.nan,
    held_out: Any = lambda step: math.nan,
    sharpness: float = math.nan,
) -> History:
    """``losses(step)``; ``change`` names layer measures: an array, or a function of the step."""
    names = (*(f"layer {i + 1}" for i in range(layers - 1)), "output")
    chosen = config or RunConfig.from_dict({"network": {"widths": [width] * (layers - 1)}})
    made = History(names, facts=facts_of(chosen, baseline, PLANNED, *reachable, data))
    for step in STEPS:
        if step > until:
            break
        columns = sound(layers, width)
        for name, value in (change or {}).items():
            columns[name] = np.asarray(value(step) if callable(value) else value, float)
        loss = losses(step)
        scalars = {
            "loss": loss, "accuracy": accuracy, "lowest_recall": recall, "lr": 0.1,
            "validation_loss": held_out(step), "sharpness": sharpness,
        }  # fmt: skip
        made.append(step, scalars, columns)
    return made


def learning(step: int) -> float:
    return LN10 * math.exp(-step / 30) + 0.02


def stuck(step: int) -> float:
    return LN10 * (1 + 0.0005 * (-1) ** step)


def severities(made: History) -> dict[str, str]:
    return {v.caveat: v.severity for v in judge(made)}
