"""When a run is measured: by the clock that it is told, and what listening counts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from caveats.measuring.cadence import BUDGET, FIRST_STEPS, SHORTEST, Cadence
from caveats.measuring.firing import SILENT_AFTER, Firing


def simulate(cost: float, per_step: float, steps: int) -> tuple[list[int], list[float]]:
    """A run whose steps and records take exactly so long; returns which steps were measured, and
    when."""
    cadence, seconds = Cadence(), 0.0
    measured, times = [], []
    for step in range(1, steps + 1):
        due = cadence.due(step, seconds)
        seconds += per_step
        if due:
            seconds += cost
            cadence.measured(step, seconds, cost)
            measured.append(step)
            times.append(seconds)
    return measured, times


@pytest.mark.parametrize("every", [1, 7, 100])
def test_a_fixed_cadence_is_every_nth_step(every: int) -> None:
    cadence = Cadence(every)
    due = [step for step in range(1, 501) if cadence.due(step, 0.0)]
    assert due == list(range(every, 501, every))


@pytest.mark.parametrize("cost", [0.0005, 0.005, 0.05])
def test_automatic_measures_the_first_steps_then_spends_its_budget_and_no_more(
    cost: float,
) -> None:
    per_step, steps = 0.001, 200_000
    measured, times = simulate(cost, per_step, steps)
    assert measured[:FIRST_STEPS] == list(range(1, FIRST_STEPS + 1))
    total = per_step * steps + cost * len(measured)
    # The records that come whatever they cost grow with the logarithm of the steps alone.
    fixed = FIRST_STEPS + np.log(steps / FIRST_STEPS) / np.log(7 / 6) + 1
    assert cost * len(measured) <= BUDGET * total + cost * fixed
    affordable = min(BUDGET / cost, 1 / SHORTEST) * total
    assert len(measured) >= 0.5 * affordable
    beyond = [b - a for a, b in itertools.pairwise(times) if a > 0.2 * total]
    assert min(beyond) >= SHORTEST - 1e-9


def test_a_short_run_has_a_curve_however_fast_it_is() -> None:
    measured, _ = simulate(0.005, 1e-6, 1000)
    assert 35 <= len(measured) <= 45
    assert max(b / a for a, b in itertools.pairwise(measured[9:])) < 1.3


def test_silent_counts_minibatches_in_a_row_without_firing() -> None:
    network = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
    network[0].weight.data = torch.tensor([[1.0], [-1.0], [0.0]])
    network[0].bias.data = torch.tensor([0.0, 0.0, -1.0])
    firing = Firing([3, 2, 1], torch.device("cpu"))

    def listen(x: float, times: int) -> list[list[bool]]:
        for _ in range(times):
            with firing.listening([network[1], network[3]]):
                network(torch.full((4, 1), x))
        return [layer.tolist() for layer in firing.silent()]

    assert listen(1.0, 0) == [[False] * 3, [False] * 2, [False]]
    # Positive inputs: the first unit fires, the second does not, the third never can.
    assert listen(1.0, SILENT_AFTER - 1) == [[False] * 3, [False] * 2, [False]]
    assert listen(1.0, 1) == [[False, True, True], [False] * 2, [False]]
    assert listen(-1.0, 1) == [[False, False, True], [False] * 2, [False]]
    assert listen(-1.0, SILENT_AFTER - 1) == [[True, False, True], [False] * 2, [False]]


def test_silent_follows_an_activation_that_is_swapped() -> None:
    network = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 2))
    nn.init.constant_(network[0].bias, -100.0)
    firing = Firing([3, 2], torch.device("cpu"))
    for activation, expected in ((nn.ReLU(), True), (nn.LeakyReLU(), False)):
        network[1] = activation
        for _ in range(SILENT_AFTER):
            with firing.listening([network[1]]):
                network(torch.ones(4, 1))
        assert firing.silent()[0].tolist() == [expected] * 3
