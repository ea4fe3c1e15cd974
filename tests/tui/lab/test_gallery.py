"""The gallery draws what each experiment and its cure cost."""

from __future__ import annotations

import pytest
from rich.text import Text

from caveats.experiments import experiments
from caveats_tui.screens.gallery import fitting
from caveats_tui.screens.pictures import spark_lines

BARS = "▁▂▃▄▅▆▇█×"  # × stands for a loss that is not finite
CURED = [experiment.name for experiment in experiments().values() if experiment.cure]


def told(name: str) -> list[str]:
    lines = [line.renderable for line in spark_lines(name, plain=False)]
    return [line.plain for line in lines if isinstance(line, Text)]


@pytest.mark.parametrize("name", CURED)
def test_every_cure_ends_lower_than_the_run_that_it_cures(name: str) -> None:
    """Also where the cure measures the loss in another unit, or weighs classes anew."""
    bad, good = ([BARS.index(c) for c in line if c in BARS][-1] for line in told(name))
    assert good < bad


def test_where_rows_are_held_out_the_loss_is_theirs() -> None:
    assert all("held-out loss" in line for line in told("learnt_by_heart"))
    assert not any("held-out" in line for line in told("one_in_twenty"))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("unscaled", "target_in_dollars"),
        ("class imb", "one_in_twenty"),
        ("overfit", "learnt_by_heart"),
    ],
)
def test_an_experiment_is_found_by_its_caveat(typed: str, name: str) -> None:
    assert name in [experiment.name for experiment in fitting(typed)]
