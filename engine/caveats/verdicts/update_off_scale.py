"""Update off scale: the optimizer moves one layer far faster than the others, reading after
reading."""

from __future__ import annotations

import numpy as np

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.harm import READINGS
from caveats.verdicts.verdict import Finding

__all__ = ["UPDATE_OFF_SCALE"]

START = 100  # steps in which large updates are usual
LARGE = 0.1
TIMES = 10.0  # the median layer
LAYERS = 4  # a median of fewer says nothing


def rule(e: Evidence) -> Finding | None:
    if e.facts.remedies is not None or e.step < START or not e.finite:
        return None  # the lab's own networks are judged by the size of their steps
    ratios = e.snapshot.layers("update_ratio")[: e.index + 1]
    ratios = ratios[np.isfinite(ratios).any(axis=1)][-READINGS:]
    if len(ratios) < READINGS or ratios.shape[1] < LAYERS:
        return None
    large = ratios > LARGE
    if not large.all(axis=0).any():
        return None
    middle = np.nanmedian(ratios, axis=1, keepdims=True)
    off = np.all(large & (ratios > TIMES * middle), axis=0)
    if not off.any() or e.blames("step_too_large", "exploding_gradient"):
        return None
    worst = int(np.where(off, ratios[-1], 0).argmax())
    what = (
        f"{e.layer(worst)}: each step changes {ratios[-1, worst]:.0%} of its weights, the median "
        f"layer {middle[-1, 0]:.1%}"
    )
    why = (
        "Layers learn together when ‖Δθ‖/‖θ‖ is alike in all of them, about 1e-3, or √(2ηλ) under "
        "AdamW with normalization (Kosson et al. 2024)."
    )
    evidence = {"update_ratio": float(ratios[-1, worst]), "median": float(middle[-1, 0])}
    held_up = e.progress.stalled
    layers = tuple(map(int, np.flatnonzero(off)))
    return Finding("warning" if held_up else "note", what, why, layers, evidence)


UPDATE_OFF_SCALE = Caveat(
    "update_off_scale",
    "update off scale",
    "After the first 100 steps, one layer's ‖Δθ‖/‖θ‖ is above .1 and ten times that of the median "
    "layer in three readings in a row.",
    "‖Δθ‖/‖θ‖ > .1",
    "Kosson et al. 2024, Rotational Equilibrium",
    "Tables whose rows are rarely used, and weights that start at 0, take large relative steps for "
    "a while. It is a warning only if the loss does not fall.",
    rule,
    (
        "A parameter group of its own for the layer, with a smaller lr.",
        "A warm-up: torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=1000).",
        "nn.init with a usual scale for the layer's weights.",
    ),
)
