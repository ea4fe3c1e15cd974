"""When a run is measured: at steps that depend only on its length; and what listening counts."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from caveats.measuring.cadence import FIRST_STEPS, GAP, Automatic, Every
from caveats.measuring.firing import SILENT_BATCHES, Firing


def due(cadence: Automatic | Every, planned: int) -> list[int]:
    return [step for step in range(1, planned + 1) if cadence.due(step, planned)]


@pytest.mark.parametrize("every", [1, 2, 7, 100])
def test_a_fixed_cadence_is_every_nth_step(every: int) -> None:
    cadence = Every(every)
    assert due(cadence, 500) == list(range(every, 501, every))
    assert cadence.due(10 * every, 0)


def test_automatic_measures_the_first_steps_then_ever_fewer() -> None:
    measured = due(Automatic(), 1000)
    assert measured[:FIRST_STEPS] == list(range(1, FIRST_STEPS + 1))
    assert 35 <= len(measured) <= 45  # a short run has a curve too
    assert max(b / a for a, b in pairwise(measured[FIRST_STEPS - 1 :])) <= 1.22


@pytest.mark.parametrize("planned", [10_000, 100_000, 250_000, 1_000_000])
def test_the_chart_of_a_long_run_is_live_and_its_history_never_thinned(planned: int) -> None:
    measured = due(Automatic(), planned)
    widest = max(GAP, planned // 1000)
    assert max(b - a for a, b in pairwise(measured)) <= widest
    assert len(measured) <= 1100
    late = [step for step in measured if step > 6 * widest]
    assert len(late) <= planned / GAP  # each worth up to six steps: 2.5 % of the time


def test_a_run_of_unknown_length_is_measured_as_often_as_a_usual_one() -> None:
    cadence = Automatic()
    assert [cadence.due(step, 0) for step in range(1, 9_999)] == [
        cadence.due(step, 10_000) for step in range(1, 9_999)
    ]


def test_costly_measures_come_at_doubling_steps_then_evenly() -> None:
    cadence = Automatic()
    deep = [step for step in range(1, 16_001) if cadence.deep(step)]
    read = [step for step in range(1, 32_001) if cadence.reads(step)]
    assert deep == [250, 500, 1000, 2000, 4000, 8000, 12_000, 16_000]
    assert read == [1000, 2000, 4000, 8000, 16_000, 24_000, 32_000]
    # Whatever the length, they fall on records.
    assert all(cadence.due(step, planned) for step in deep + read for planned in (0, 10**4, 10**9))


@pytest.mark.parametrize("every", [1, 7, 300, 5000])
def test_a_fixed_cadence_takes_them_in_the_first_record_after_those_steps(every: int) -> None:
    cadence = Every(every)
    deep = [step for step in range(1, 16_001) if cadence.deep(step)]
    wanted = (250, 500, 1000, 2000, 4000, 8000, 12_000, 16_000)
    assert deep == sorted({s for step in wanted if (s := -(-step // every) * every) <= 16_000})


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
    assert listen(1.0, SILENT_BATCHES - 1) == [[False] * 3, [False] * 2, [False]]
    assert listen(1.0, 1) == [[False, True, True], [False] * 2, [False]]
    assert listen(-1.0, 1) == [[False, False, True], [False] * 2, [False]]
    assert listen(-1.0, SILENT_BATCHES - 1) == [[True, False, True], [False] * 2, [False]]


def test_silent_follows_an_activation_that_is_swapped() -> None:
    network = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 2))
    nn.init.constant_(network[0].bias, -100.0)
    firing = Firing([3, 2], torch.device("cpu"))
    for activation, expected in ((nn.ReLU(), True), (nn.LeakyReLU(), False)):
        network[1] = activation
        for _ in range(SILENT_BATCHES):
            with firing.listening([network[1]]):
                network(torch.ones(4, 1))
        assert firing.silent()[0].tolist() == [expected] * 3
