"""Trains every experiment and its cure, prints the results, and keeps two curves of each.

    python -m benchmarks.experiments [NAME ...] [--write]

``--write`` puts them into caveats/experiments/pictures.json, which the gallery draws: the loss, and
the measure that shows the experiment's caveat best. Where rows are held out, loss and accuracy are
theirs.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

import caveats.experiments
from caveats.config import RunConfig
from caveats.experiments import Experiment, experiments
from caveats.history import Snapshot
from caveats.run import Run
from caveats.verdicts import judge

POINTS = 30
PICTURES = Path(caveats.experiments.__file__).with_name("pictures.json")


def trained(config: RunConfig, experiment: Experiment) -> tuple[Run, dict[str, Any]]:
    run = Run(config, every=max(1, config.training.steps // POINTS))
    while not run.finished:
        run.advance()
    seen = run.history.snapshot()
    at = np.unique(np.linspace(0, len(seen) - 1, POINTS).round().astype(int))
    kind = "validation_" if config.data.validation else ""
    loss = seen.scalar(f"{kind}loss")[at]
    losses = [round(float(v), 4) if math.isfinite(v) else None for v in loss]
    accuracy = float(seen.scalar(f"{kind}accuracy")[-1])
    name, values = telling(seen, experiment.caveat, config, kind)
    picture = {
        "steps": [int(step) for step in seen.steps[at]],
        "loss": losses,
        "measure": name,
        "values": [rounded(float(v)) for v in values[at]],
        "baseline": round(run.baseline, 4),
        "accuracy": None if math.isnan(accuracy) else round(accuracy, 3),
        "held_out": bool(kind),
    }
    return run, picture


def rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def telling(seen: Snapshot, caveat: str, config: RunConfig, kind: str) -> tuple[str, Any]:
    """The measure that shows a caveat best: its name, and one number a record."""
    hidden = seen.layers("units")[:, :-1].sum(1)
    counts = {"dying_relu": "dead", "symmetry": "distinct"}
    with np.errstate(all="ignore"):
        if caveat in counts:
            column = counts[caveat]
            return f"{column} units, %", 100 * seen.layers(column)[:, :-1].sum(1) / hidden
        if caveat == "saturation":
            return "mean slope of the flattest layer, %", 100 * slopes(seen, config).min(1)
        if caveat in ("vanishing_gradient", "exploding_gradient"):
            delta = seen.layers("delta_rms")
            return "delta at layer 1 / at the output", delta[:, 0] / delta[:, -1]
        if caveat == "not_zero_centred":
            return "mean of layer inputs, % of their size", 100 * np.nanmax(
                seen.layers("mean_fraction"), 1
            )
        if caveat == "overfitting":
            return "loss on the training rows", seen.scalar("loss")
        if config.optimizer.name == "sgd" and config.training.batch_size == 0:
            return "sharpness / its limit 2/lr", seen.scalar("sharpness") * config.optimizer.lr / 2
        if caveat == "step_too_large":
            return "largest update/weight", np.nanmax(seen.layers("update_ratio"), 1)
        accuracy = seen.scalar(f"{kind}accuracy")
        if np.isfinite(accuracy).any():
            return "accuracy, %", 100 * accuracy
        return "explained (R², not below -1)", np.maximum(seen.scalar("r2"), -1.0)


def slopes(seen: Snapshot, config: RunConfig) -> Any:
    """The mean slope of each hidden layer as a share of its maximum, (records, hidden): tanh' =
    1 - a², σ' = a - a²."""
    mean = seen.layers("activation_mean")[:, :-1]
    square = mean**2 + seen.layers("activation_std")[:, :-1] ** 2
    return 1 - square if config.network.activation == "tanh" else 4 * (mean - square)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    pictures = json.loads(PICTURES.read_text(encoding="utf-8")) if PICTURES.exists() else {}
    for name, experiment in experiments().items():
        if options.names and name not in options.names:
            continue
        entry = {}
        for kind, config in (("bad", experiment.config), ("cured", experiment.cured)):
            if kind == "cured" and not experiment.cure:
                continue
            run, entry[kind] = trained(config, experiment)
            found = [f"{v.caveat} {v.severity}" for v in judge(run.history)]
            picture = entry[kind]
            print(
                f"{name:28} {kind:6} loss {picture['loss'][-1]}  accuracy {picture['accuracy']}  "
                f"{', '.join(found) or 'nothing found'}",
                flush=True,
            )
        pictures[name] = entry
        if options.write:
            PICTURES.write_text(json.dumps(pictures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
