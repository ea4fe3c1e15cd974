"""Numbers in the rules' sentences."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveats.verdicts.words import percent, times_constant


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.87, "87%"),
        (1.0, "100%"),
        (0.0213, "2.1%"),
        (0.0021, "0.21%"),
        (1.8e-4, "0.018%"),
        (3.6e-8, "less than 0.0001%"),
        (0.0, "0%"),
        (-0.0, "0%"),
        (-1e-9, "0%"),
        (5.0, "500%"),
        (1e30, "more than 1,000%"),
        (math.inf, "more than 1,000%"),
        (math.nan, "an unknown share"),
    ],
)
def test_a_share_in_words(share: float, said: str) -> None:
    assert percent(share) == said


@given(st.floats(1e-6, 10.0))
def test_a_share_above_0_keeps_at_least_one_digit_and_the_words_tell_its_size(share: float) -> None:
    said = float(percent(share).rstrip("%")) / 100
    assert said == pytest.approx(share, rel=0.06)


@pytest.mark.parametrize(
    ("loss", "constant", "said"),
    [
        (4.9, 1.0, "4.9 times that of a constant"),
        (1.01, 1.0, "about that of a constant"),
        (0.5, 1.0, ""),
        (2.0, 0.0, ""),
        (2.0, math.nan, ""),
        (math.nan, 1.0, ""),
        (1e9, 1.0, "more than 1,000 times that of a constant"),
    ],
)
def test_a_loss_beside_that_of_a_constant(loss: float, constant: float, said: str) -> None:
    assert times_constant(loss, constant) == said
