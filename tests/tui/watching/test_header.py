"""What the header of the watch screen says about the cost of watching."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caveats_tui.screens.watch.header import cost_text

STEPS = np.array([0, 10, 40, 250, 500, 1000])
FALLING = np.array([math.nan, math.nan, 0.2, 0.12, 0.08, 0.047])
LEVEL = np.array([math.nan, math.nan, 0.06, 0.061, 0.06, 0.06])


@pytest.mark.parametrize(
    ("costs", "budget", "width", "said"),
    [
        (FALLING, 0.05, 80, "cost 4.7%"),
        (FALLING, None, 80, "cost 4.7%"),
        (FALLING, 0.02, 80, "cost 4.7% so far, budget 2%"),
        (FALLING, 0.02, 120, "cost 4.7% so far, budget 2%: the first samples cost most"),
        (LEVEL, 0.02, 80, "cost 6.0%, budget 2%"),
        (LEVEL, 0.005, 120, "cost 6.0%, budget 0.5%: the steps are very short"),
        (np.full(6, math.nan), 0.02, 80, ""),
    ],
)
def test_a_cost_above_the_budget_comes_with_its_reason(
    costs: np.ndarray, budget: float | None, width: int, said: str
) -> None:
    assert cost_text(STEPS, costs, budget, width) == said
