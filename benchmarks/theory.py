"""Theory against measurement at step 0 over 72 configs, and what a prediction costs.

    python -m benchmarks.theory [SEEDS]

4 data sets × 6 activations × 3 initialisers, depth 5 to 30, width 100 to 300, 128 rows. Measured
by `caveats.probe` on fresh networks of SEEDS seeds (default 64), as the mean over seeds of log10
(of the share, for dead units). Bounds on the worst layer: 0.15 decades for grad_norm and
delta_rms, 0.25 in the chaotic phase; 0.06 for the share of dead units.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch

from caveats.choices.initializers import INITIALIZERS
from caveats.choices.losses import LOSSES
from caveats.config import RunConfig
from caveats.datasets import load
from caveats.network import build
from caveats.probe import Probe
from caveats.theory import fixed_point, predict
from caveats.theory.response import Response

ROWS = 128
DATA = ("blobs", "moons", "digits", "spirals")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "selu", "hard_tanh")
INITS: tuple[Any, ...] = ("he_normal", "torch_default", {"name": "normal", "std": 1.0})
# Cycled through the grid; 5 and 18 share no factor, so every pair of choices meets several.
SHAPES = ((5, 100), (10, 100), (15, 200), (20, 200), (30, 300))
BOUND, BOUND_IN_CHAOS, BOUND_DEAD = 0.15, 0.25, 0.06


@dataclass(frozen=True, slots=True)
class Row:
    config: RunConfig
    chaotic: bool
    norm: float  # worst layer's log10(predicted / measured)
    delta: float
    dead: float
    inside: float  # share of (seed, layer) whose grad_norm lies in the band
    error: float  # largest standard error of the measured log10

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
    config: RunConfig, x: torch.Tensor, y: torch.Tensor, outputs: int, seeds: int
) -> dict[str, np.ndarray[Any, Any]]:
    """grad_norm, delta_rms and the share of dead units, each (seeds, layers)."""
    loss = LOSSES[config.training.loss].make
    found: dict[str, list[np.ndarray[Any, Any]]] = {"grad_norm": [], "delta_rms": [], "dead": []}
    for seed in range(seeds):
        network = build(config.network, x.shape[1], outputs, seed)
        layers = Probe(network, loss, x, y).measure().layers
        found["grad_norm"].append(layers["grad_norm"])
        found["delta_rms"].append(layers["delta_rms"])
        found["dead"].append(layers["dead"] / layers["units"])
    return {name: np.array(values) for name, values in found.items()}


def compare(config: RunConfig, seeds: int) -> Row:
    x, y, outputs = rows_of(config)
    prediction = predict(config, x.numpy(), y.numpy(), outputs)
    seen = measured(config, x, y, outputs, seeds)
    assert prediction.grad_norm is not None
    assert prediction.delta_rms is not None
    assert prediction.dead_fraction is not None
    assert prediction.band is not None
    logs = np.log10(seen["grad_norm"])
    low, high = prediction.band
    dead = prediction.dead_fraction - seen["dead"].mean(0)
    return Row(
        config,
        is_chaotic(config),
        worst(np.log10(prediction.grad_norm) - logs.mean(0)),
        worst(np.log10(prediction.delta_rms) - np.log10(seen["delta_rms"]).mean(0)),
        worst(dead[np.isfinite(dead)]),
        float(((seen["grad_norm"] > low) & (seen["grad_norm"] < high)).mean()),
        float(logs.std(0).max() / np.sqrt(seeds)),
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
    """A prediction for depth 20 and 128 rows beside measuring 5 seeds, in one process."""
    lines = []
    for activation in ("relu", "tanh", "hard_tanh"):
        network = {"widths": [200] * 20, "activation": activation, "init": "he_normal"}
        config = RunConfig.from_dict({"network": network})
        x, y, outputs = rows_of(config)
        predict(config, x.numpy(), y.numpy(), outputs)  # imports and quadrature nodes
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        theory, probe = [], []
        for _ in range(5):
            start = time.perf_counter()
            predict(config, x.numpy(), y.numpy(), outputs)
            middle = time.perf_counter()
            measured(config, x, y, outputs, 5)
            theory.append(middle - start)
            probe.append(time.perf_counter() - middle)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        ratio = float(np.median(np.array(theory) / np.array(probe)))
        lines.append(
            f"20×200 {activation}, 128 rows: {np.median(theory):.2f} s, "
            f"{ratio:.2f} of measuring 5 seeds, peak memory +{grown:.0f} MB"
        )
    return "\n".join(lines)


def named(config: RunConfig) -> str:
    network = config.network
    init = network.init.name if network.init.name != "normal" else "N(0, 1)"
    shape = f"{len(network.widths)}×{network.widths[0]}"
    return f"{config.data.name or '':8} {network.activations[0]:10} {init:14} {shape:7}"


def main() -> int:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    torch.set_num_threads(1)
    heads = ("data", "activation", "init", "shape")
    print("{:8} {:10} {:14} {:7}".format(*heads), " ‖dW‖    delta   dead   in band  ±")
    failed = 0
    for config in configs():
        row = compare(config, seeds)
        failed += not row.passed
        print(
            f"{named(config)} {row.norm:+.3f}  {row.delta:+.3f}  {row.dead:+.3f}  "
            f"{row.inside:.2f}    {row.error:.3f}  "
            f"{'chaos  ' if row.chaotic else '       '}{'' if row.passed else 'FAIL'}",
            flush=True,
        )
    print(f"{len(configs()) - failed} of {len(configs())} within bounds, {seeds} seeds")
    print(cost())
    return 1 if failed else 0


__all__ = ["Row", "compare", "configs", "main"]

if __name__ == "__main__":
    raise SystemExit(main())
