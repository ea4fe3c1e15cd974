"""Trains every experiment and its cure, prints the results, and keeps the loss curves.

    python -m benchmarks.experiments [NAME ...] [--write]

``--write`` puts the losses into caveats/experiments/pictures.json, which the gallery draws. Where
rows are held out, loss and accuracy are theirs.
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
from caveats.experiments import experiments
from caveats.run import Run
from caveats.verdicts import judge

POINTS = 30
PICTURES = Path(caveats.experiments.__file__).with_name("pictures.json")


def trained(config: RunConfig) -> tuple[Run, dict[str, Any]]:
    run = Run(config, every=max(1, config.training.steps // POINTS))
    while not run.finished:
        run.advance()
    seen = run.history.snapshot()
    at = np.unique(np.linspace(0, len(seen) - 1, POINTS).round().astype(int))
    kind = "validation_" if config.data.validation else ""
    loss = seen.scalar(f"{kind}loss")[at]
    losses = [round(float(v), 4) if math.isfinite(v) else None for v in loss]
    accuracy = float(seen.scalar(f"{kind}accuracy")[-1])
    picture = {
        "loss": losses,
        "baseline": round(run.baseline, 4),
        "accuracy": None if math.isnan(accuracy) else round(accuracy, 3),
        "held_out": bool(kind),
    }
    return run, picture


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
            run, entry[kind] = trained(config)
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
