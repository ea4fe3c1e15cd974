"""What a well-trained network learns of a table, on rows that it has not seen too.

The best of several ordinary networks by the loss on the rows that were kept out. What it gains
there is the yardstick, or what it gains on the training rows where that is less: on a noisy table
even this network has memorized some rows (on `travel` it gains .70, but .34 on new rows), and a
network that has not done so has not failed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from benchmarks.real_tables.tables import Table
from benchmarks.trials import Array, Trials

from caveats.config import RunConfig
from caveats.run import Run

__all__ = ["LEARNABLE", "Reference", "reference", "standardized"]

LEARNABLE = 0.1  # of the constant's loss on the rows kept out, which the best network must gain
STEPS = (60, 200, 600, 1500)
NETWORKS = (
    {"widths": [64, 64], "activation": "relu", "init": "he_normal"},
    {"widths": [32], "activation": "tanh", "init": "xavier_normal"},
)


@dataclass(frozen=True)
class Reference:
    """Shares of the way from the constant predictor to perfection."""

    learnt: float  # on the training rows
    on_new_rows: float

    @property
    def goal(self) -> float:
        return min(self.learnt, self.on_new_rows)

    @property
    def learnable(self) -> bool:
        return self.on_new_rows >= LEARNABLE


def reference(table: Table, trials: Trials) -> Reference:
    best = Reference(float("-inf"), float("-inf"))
    x, x_new = standardized(table.x, table.x), standardized(table.x_new, table.x)
    y, y_new = table.y, table.y_new
    if table.task == "regression":
        y, y_new = standardized(y, table.y), standardized(y_new, table.y)
    file = trials.file(f"{table.name}-reference", x, y)
    for network in NETWORKS:
        for steps in STEPS:
            config = RunConfig.from_dict({
                "data": {"file": file, "standardize": False, "task": table.task},
                "network": network,
                "optimizer": {"name": "adam", "lr": 0.005, "schedule": "cosine"},
                "training": {"steps": steps, "batch_size": 32},
            })  # fmt: skip
            tried = trials.trained(config, lambda run: gain_on(run, x_new, y_new, y), "new rows")
            learnt = (tried.constant - tried.loss) / tried.constant
            if tried.gain > best.on_new_rows:
                best = Reference(learnt, tried.gain)
    return best


def standardized(values: Array, by: Array) -> Array:
    spread = by.std(0)
    return (values - by.mean(0)) / np.where(spread > 0, spread, 1.0)


@torch.no_grad()
def gain_on(run: Run, x: Array, y: Array, seen: Array) -> float:
    """The gain on new rows over the constant that is best for the rows ``seen``."""
    network = run.trainer.network.eval()
    out = network(torch.tensor(x, dtype=torch.float32, device=run.trainer.x.device)).cpu()
    if y.dtype.kind == "i":
        loss = torch.nn.functional.cross_entropy(out, torch.tensor(y))
        shares = np.bincount(seen) / len(seen)
        constant = float(-np.log(shares[y]).mean())
    else:
        loss = ((out.numpy().ravel() - y) ** 2).mean()
        constant = float(((y - seen.mean()) ** 2).mean())
    return (constant - float(loss)) / constant
