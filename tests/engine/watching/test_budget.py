"""The budget is kept by sampling less often, against trainings whose costs are known."""

from __future__ import annotations

import pytest

from caveats.watching.budget import Budget


def train(
    steps: int, step: float, sample: float, inside: float, others: float = 0.0
) -> tuple[Budget, int]:
    """Steps that take ``step`` seconds, samples ``sample`` more, and the instruments ``inside`` in
    the others; after every tenth step ``others`` have the processor. Returns the budget, and the
    samples after the first ten."""
    now = ran = 0.0
    budget = Budget(clock=lambda: now, processor=lambda: ran)
    sampled, taken = True, 0
    for number in range(steps):
        took = step + (sample if sampled else inside)
        now, ran = now + took + others * (number % 10 == 0), ran + took
        budget.passed(sampled, sample if sampled else inside, now)
        sampled = budget.due(number + 2)
        taken += sampled and number > 10
    return budget, taken


@pytest.mark.parametrize("sample", [0.01, 0.1, 1.0])
def test_samples_take_their_share_and_no_more(sample: float) -> None:
    budget, taken = train(20_000, step=0.02, sample=sample, inside=0.0)
    assert taken >= 2
    dear = 7 * sample / 400  # at three times the step of the newest sample there is another
    assert budget.overhead <= 0.02 + 0.02 * 2 / 400 + dear
    if sample < 0.1:  # every step that was due: 250 steps apart at most
        assert taken >= 20_000 / 250


def test_where_short_steps_take_all_of_it_there_still_are_samples() -> None:
    budget, taken = train(200_000, step=0.001, sample=0.005, inside=0.00005)
    assert taken >= 10
    assert budget.overhead == pytest.approx(0.05, abs=0.02 / 4 + 0.003)


def test_a_short_run_is_looked_at_again_when_it_is_three_times_as_old() -> None:
    _, taken = train(1000, step=0.001, sample=10.0, inside=0.0)
    assert taken == 4  # at steps 33, 102, 325 and 977 or so


def test_on_a_busy_machine_samples_get_their_share_of_the_time_that_the_process_has() -> None:
    alone, taken = train(20_000, step=0.02, sample=0.1, inside=0.0)
    busy, as_many = train(20_000, step=0.02, sample=0.1, inside=0.0, others=0.4)  # of 0.2 s
    assert as_many == pytest.approx(taken, rel=0.05)
    assert busy.overhead == pytest.approx(alone.overhead, rel=0.05)
