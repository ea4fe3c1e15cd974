"""Theory against measurement at step 0 over 72 configs, and what a prediction costs.

    python -m benchmarks.theory

4 data sets × 6 activations × 3 initialisers, depth 5 to 30, width 100 to 300, 128 rows. Measured
by `caveats.measuring.probe` on fresh networks, as the mean over seeds of log10 (of the share, for
dead units): theory gives the typical network, whose logarithm is that mean. Bounds on the worst
layer: 0.15 decades for grad_norm and delta_rms, 0.25 in the chaotic phase; 0.06 for the share
of dead units.

How many seeds is decided by the standard error alone, never by how far theory is off: 64 at a
time until no layer's mean log10 has one above 0.02 decades, or 1,024 are measured. The largest of
72 such errors is about 2.5 times that, a third of the bound. Each row prints its seeds and its
standard error.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch

from caveats.config import RunConfig
from caveats.data import load
from caveats.measuring.probe import Probe
from caveats.models.initializers import INITIALIZERS
from caveats.models.mlp import build
from caveats.theory import fixed_point, predict
from caveats.theory.response import Response
from caveats.training.losses import LOSSES

ROWS = 128
DATA = ("blobs", "moons", "digits", "spirals")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "selu", "hard_tanh")
INITS: tuple[Any, ...] = ("he_normal", "torch_default", {"name": "normal", "std": 1.0})
# Cycled through the grid; 5 and 18 share no factor, so every pair of choices meets several.
SHAPES = ((5, 100), (10, 100), (15, 200), (20, 200), (30, 300))
BOUND, BOUND_IN_CHAOS, BOUND_DEAD = 0.15, 0.25, 0.06
BATCH, MOST_SEEDS, ENOUGH = 64, 1024, 0.02


@dataclass(frozen=True, slots=True)
class Row:
    config: RunConfig
    chaotic: bool
    norm: float  # worst layer's log10(predicted / measured)
    delta: float
    dead: float
    inside: float  # share of (seed, layer) whose grad_norm lies in the band
    error: float  # largest standard error of the measured mean log10
    seeds: int

    @property
    def passed(self) -> bool:
        bound = BOUND_IN_CHAOS if self.chaotic else BOUND
        return max(abs(self.norm), abs(self.delta)) <= bound and abs(self.dead) <= BOUND_DEAD


def configs() -> list[RunConfig]:
    made = []
    for index, (data, activation, init) in enumerate(product(DATA, ACTIVATIONS, INITS)):
        depth, width = SHAPES[index % len(SHAPES)]
        network = {"widths": [width] * depth, "activation": activation, "init": init}
        made.append(RunConfig.from_dict({"data": {"name": data}, "network": network}))
    return made


def rows_of(config: RunConfig) -> tuple[torch.Tensor, torch.Tensor, int]:
    data = load(config.data.settings())
    keep = np.random.default_rng(0).permutation(data.rows)[:ROWS]
    return torch.tensor(data.x[keep]), torch.tensor(data.y[keep]), data.outputs


def measured(
    config: RunConfig, x: torch.Tensor, y: torch.Tensor, outputs: int, seeds: range
) -> dict[str, np.ndarray[Any, Any]]:
    """grad_norm, delta_rms and the share of dead units, each (seeds, layers)."""
    loss = LOSSES[config.training.loss].make
    found: dict[str, list[np.ndarray[Any, Any]]] = {"grad_norm": [], "delta_rms": [], "dead": []}
    for seed in seeds:
        network = build(config.network, x.shape[1], outputs, seed)
        layers = Probe(network, loss, x, y).measure().layers
        found["grad_norm"].append(layers["grad_norm"])
        found["delta_rms"].append(layers["delta_rms"])
        found["dead"].append(layers["dead"] / layers["units"])
    return {name: np.array(values) for name, values in found.items()}


def measured_well(
    config: RunConfig, x: torch.Tensor, y: torch.Tensor, outputs: int
) -> tuple[dict[str, np.ndarray[Any, Any]], float]:
    """As `measured`, on as many seeds as the rule above asks for, and the standard error."""
    parts = []
    for first in range(0, MOST_SEEDS, BATCH):
        parts.append(measured(config, x, y, outputs, range(first, first + BATCH)))
        seen = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        error = max(standard_error(np.log10(seen[name])) for name in ("grad_norm", "delta_rms"))
        if error <= ENOUGH:
            break
    return seen, error


def standard_error(values: np.ndarray[Any, Any]) -> float:
    """The largest, over layers, of the mean over seeds of (seeds, layers)."""
    return float(values.std(0, ddof=1).max() / np.sqrt(len(values)))


def compare(config: RunConfig) -> Row:
    x, y, outputs = rows_of(config)
    prediction = predict(config, x.numpy(), y.numpy(), outputs)
    seen, error = measured_well(config, x, y, outputs)
    assert prediction.grad_norm is not None
    assert prediction.delta_rms is not None
    assert prediction.dead_fraction is not None
    assert prediction.band is not None
    low, high = prediction.band
    dead = prediction.dead_fraction - seen["dead"].mean(0)
    return Row(
        config,
        is_chaotic(config),
        worst(np.log10(prediction.grad_norm) - np.log10(seen["grad_norm"]).mean(0)),
        worst(np.log10(prediction.delta_rms) - np.log10(seen["delta_rms"]).mean(0)),
        worst(dead[np.isfinite(dead)]),
        float(((seen["grad_norm"] > low) & (seen["grad_norm"] < high)).mean()),
        error,
        len(seen["grad_norm"]),
    )


def worst(errors: np.ndarray[Any, Any]) -> float:
    return float(errors[np.abs(errors).argmax()]) if len(errors) else 0.0


def is_chaotic(config: RunConfig) -> bool:
    width = config.network.widths[0]
    init = config.network.init
    choice = INITIALIZERS[init.name]
    assert choice.variance is not None
    weights = width * choice.variance(width, width, init.options)
    response = Response.of(config.network.activations[0])
    return fixed_point(response, weights, choice.bias_variance(width)).chaotic


def cost() -> str:
    """CPU seconds of a prediction for depth 20 and 128 rows beside those of measuring 5 seeds."""
    lines = []
    for activation in ("relu", "tanh", "gelu", "hard_tanh"):
        network = {"widths": [200] * 20, "activation": activation, "init": "he_normal"}
        config = RunConfig.from_dict({"network": network})
        x, y, outputs = rows_of(config)
        predict(config, x.numpy(), y.numpy(), outputs)  # imports and quadrature nodes
        tracemalloc.start()
        predict(config, x.numpy(), y.numpy(), outputs)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        theory, probe = [], []
        for _ in range(5):
            start = time.process_time()
            predict(config, x.numpy(), y.numpy(), outputs)
            middle = time.process_time()
            measured(config, x, y, outputs, range(5))
            theory.append(middle - start)
            probe.append(time.process_time() - middle)
        ratio = float(np.median(np.array(theory) / np.array(probe)))
        lines.append(
            f"20×200 {activation}, 128 rows: {np.median(theory):.2f} s of CPU, "
            f"{ratio:.2f} of measuring 5 seeds, peak memory +{peak:.0f} MB"
        )
    return "\n".join(lines)


def named(config: RunConfig) -> str:
    network = config.network
    init = network.init.name if network.init.name != "normal" else "N(0, 1)"
    shape = f"{len(network.widths)}×{network.widths[0]}"
    return f"{config.data.name or '':8} {network.activations[0]:10} {init:14} {shape:7}"


def rows() -> Iterator[Row]:
    for config in configs():
        yield compare(config)


def main() -> int:
    torch.set_num_threads(1)
    heads = ("data", "activation", "init", "shape")
    print("{:8} {:10} {:14} {:7}".format(*heads), " ‖dW‖    delta   dead   in band  seeds  ±")
    found = []
    for row in rows():
        found.append(row)
        print(
            f"{named(row.config)} {row.norm:+.3f}  {row.delta:+.3f}  {row.dead:+.3f}  "
            f"{row.inside:.2f}    {row.seeds:5}  {row.error:.3f}  "
            f"{'chaos  ' if row.chaotic else '       '}{'' if row.passed else 'FAIL'}",
            flush=True,
        )
    passed = sum(row.passed for row in found)
    print(f"{passed} of {len(found)} within bounds")
    held = [row.inside for row in found]
    print(f"the band holds {np.median(held):.0%} of networks (median), {min(held):.0%} at worst")
    print(cost())
    return 0 if passed == len(found) else 1


__all__ = ["Row", "compare", "configs", "main", "rows"]

if __name__ == "__main__":
    raise SystemExit(main())
