"""The rows of the literature that come out of atlases, for `benchmarks.literature --long`.

They train whole maps through the same plan and tasks as `caveats-tui atlas`, a minute or two each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from benchmarks.row import Row

from caveats.sweeps import Plan, parse_axis
from caveats.sweeps.borders import DEPTHS, limit_of
from caveats.sweeps.gallery import atlases
from caveats.sweeps.outcomes import Outcome
from caveats.sweeps.work import outcomes_of

__all__ = ["ATLASES"]

LEARNS = 0.5  # of the rows right; chance is a tenth
# Lu et al. 2019, table 1: ten layers, the output among them.
LU = ((10, 0.0013), (5, 0.129), (3, 0.581))
SEEDS = 1000


def outcomes(plan: Plan) -> dict[int, Outcome]:
    """The outcome of every cell, by its index."""
    found: dict[int, Outcome] = {}
    for cells in plan.tasks:
        found |= outcomes_of(plan, cells)[0]
    return found


def order_and_chaos() -> Iterator[Row]:
    """Schoenholz 2017, figures 2 and 5: δ keeps its size at χ₁ = 1, for tanh without biases at
    σ_w = 1, and networks train up to a depth of 6ξ."""
    plan = atlases()["order_and_chaos"].plan
    found = outcomes(plan)
    gains, depths = (axis.values for axis in plan.axes)
    deepest = {c.place[0]: found[c.index] for c in plan.cells if c.place[1] == len(depths) - 1}
    logs = [math.log(deepest[place].gradient) for place in range(len(gains))]
    crossing = next(
        low + (high - low) * -a / (b - a)
        for (low, high), (a, b) in zip(pairwise(gains), pairwise(logs), strict=True)
        if a < 0 <= b
    )
    # The signal of a finite network has not reached its fixed point, so it crosses a cell later.
    yield Row("Schoenholz 2017", f"σ_w where δ keeps its size, {depths[-1]} layers (atlas)", 1.0,
              crossing, 0.2)  # fmt: skip
    right = []
    for cell in plan.cells:
        limit = limit_of(plan.config(cell))
        assert limit is not None
        trains = depths[cell.place[1]] <= DEPTHS * limit.depth_of_correlation
        right.append(trains == (found[cell.index].accuracy >= LEARNS))
    yield Row("Schoenholz 2017", f"share of {len(right)} cells on the right side of 6ξ (atlas)",
              0.85, float(np.mean(right)), 0.0, ">=")  # fmt: skip


def born_dead() -> Iterator[Row]:
    """Lu 2019, table 1, of real networks that the atlas draws and measures at step 0."""
    base = atlases()["born_dead_probability"].plan.base
    widths = ",".join(str(width) for width, _ in LU)
    axes = [parse_axis(text, base) for text in (f"network.width={widths}", "network.depth=9")]
    plan = Plan.of(base, axes, SEEDS)
    found = outcomes(plan)
    for place, (width, paper) in enumerate(LU):
        born = [found[c.index].born_dead for c in plan.cells if c.place[0] == place]
        share = float(np.mean(born))
        error = 3 * math.sqrt(max(share * (1 - share), 1 / SEEDS) / SEEDS)
        yield Row("Lu 2019", f"10 layers of width {width}: born dead (atlas)", paper, share, error)


ATLASES: tuple[Callable[[], Iterator[Row]], ...] = (order_and_chaos, born_dead)
