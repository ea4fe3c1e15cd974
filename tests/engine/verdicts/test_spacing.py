"""Rules see the same stretch of a run however often it was measured."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from caveats.verdicts.evidence import spaced


def test_all_of_the_first_ten_steps_stay_and_then_each_is_a_sixth_beyond_the_one_before() -> None:
    kept = spaced(np.arange(1000))
    assert kept[:11].tolist() == list(range(11))
    steps = kept[10:]
    assert np.all(steps[1:] * 6 >= steps[:-1] * 7)
    assert np.all((steps[1:] - 1) * 6 < steps[:-1] * 7)


@given(st.sets(st.integers(0, 100_000), min_size=1, max_size=300), st.data())
def test_what_stays_does_not_hang_on_what_comes_later(steps: set[int], data: st.DataObject) -> None:
    ordered = np.array(sorted(steps))
    until = data.draw(st.integers(0, len(ordered)))
    whole, part = spaced(ordered), spaced(ordered[:until])
    assert part.tolist() == whole[whole < until].tolist()
