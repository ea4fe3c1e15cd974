"""Claims about numbers on their way to an axis, against brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from caveats_tui.charts.series import clean, decimate, limits, ticks, upper_step

settings.register_profile("charts", deadline=None, max_examples=60)
quick = settings(settings.get_profile("charts"))

anything = st.floats(width=64, allow_nan=True, allow_infinity=True)
finite = st.floats(-1e300, 1e300)


def steps(n: int) -> np.ndarray:
    return np.arange(n, dtype=float)


def drawable(y: np.ndarray, log: bool) -> np.ndarray:
    return (np.abs(y) <= 1e300) & ((y > 0) if log else True)


@quick
@given(y=npst.arrays(float, st.integers(0, 300), elements=anything), log=st.booleans())
def test_clean_passes_every_drawable_point_and_nothing_else(y, log):
    x = steps(y.size)
    cleaned = clean(x, y, log=log)
    good = drawable(y, log)
    joined_x = [v for px, _ in cleaned.segments for v in px]
    joined_y = [v for _, py in cleaned.segments for v in py]
    assert joined_x == x[good].tolist()
    assert joined_y == y[good].tolist()
    assert all(px.size for px, _ in cleaned.segments)


def test_clean_splits_at_gaps_and_says_which_way_each_left():
    y = np.array([1.0, 2.0, math.nan, math.inf, 3.0, 0.0, -1.0, 4.0])
    cleaned = clean(steps(8), y, log=True)
    assert [px.tolist() for px, _ in cleaned.segments] == [[0, 1], [4], [7]]
    assert cleaned.flags == ((2.0, "above"), (5.0, "below"))


def test_clean_puts_points_in_rising_order():
    cleaned = clean(np.array([3.0, 1.0, 2.0]), np.array([30.0, 10.0, 20.0]))
    assert cleaned.segments[0][1].tolist() == [10, 20, 30]


@quick
@given(
    y=npst.arrays(float, st.integers(1, 600), elements=anything),
    columns=st.integers(1, 40),
    log=st.booleans(),
)
def test_decimate_keeps_extremes_ends_and_gaps_within_its_bound(y, columns, log):
    x = steps(y.size)
    axis = (0.0, max(1.0, float(y.size)))
    thin_x, thin_y = decimate(x, y, columns, axis, log=log)
    good, kept = drawable(y, log), drawable(thin_y, log)
    assert kept.sum() <= 2 * columns + 2
    # every point is one of the given ones
    assert np.array_equal(y[thin_x.astype(int)], thin_y, equal_nan=True)
    if good.any():
        assert thin_x[kept][[0, -1]].tolist() == x[good][[0, -1]].tolist()
    # brute force: the extremes of each column
    column = np.minimum((x / axis[1] * columns).astype(int), columns - 1)
    for k in range(columns):
        before, after = y[good & (column == k)], thin_y[kept & (column[thin_x.astype(int)] == k)]
        assert before.size == 0 or (before.min(), before.max()) == (after.min(), after.max())
    # a bad point between two good ones still lies between them
    places = thin_x[kept]
    for left, right in itertools.pairwise(places):
        between = (~good)[int(left) : int(right)].any()
        still = (~kept)[(thin_x > left) & (thin_x < right)].any()
        assert between == still


def test_decimate_drops_what_lies_outside_the_axis():
    thin_x, _ = decimate(steps(1000), steps(1000), 10, (100.0, 200.0))
    assert thin_x.min() == 100
    assert thin_x.max() == 200


@quick
@given(a=finite, b=finite)
def test_limits_contain_the_data_and_have_room(a, b):
    low, high = sorted((a, b))
    bottom, top = limits(low, high)
    assert bottom <= low <= high <= top
    assert bottom < top


def nice(step: float) -> bool:
    mantissa = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
    return any(math.isclose(mantissa, m, rel_tol=1e-6) for m in (1, 2, 5, 10))


@quick
@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-3, 1e6))
def test_limits_are_multiples_of_a_step_of_one_two_or_five(low, span):
    assume(span > 0.02 * max(abs(low), abs(low + span)))
    bottom, top = limits(low, low + span)
    # the step is a quarter of the data's span, rounded up to 1, 2 or 5
    found = [
        m * 10.0**e
        for e in range(-5, 8)
        for m in (1, 2, 5)
        if all(abs(v / (m * 10.0**e) - round(v / (m * 10.0**e))) < 1e-6 for v in (bottom, top))
    ]
    assert any((top - bottom) / step <= 6.5 for step in found if nice(step))


@quick
@given(value=st.floats(1e-9, 1e9), sign=st.sampled_from([-1, 1]))
def test_noise_of_a_constant_is_not_magnified(value, sign):
    bottom, top = limits(sign * value, sign * value * (1 + sign * 1e-9))
    assert top - bottom >= 0.02 * value
    assert max(len(label) for _, label in ticks((bottom, top), 4)) <= 8


@quick
@given(low=st.floats(1e-300, 1e300), factor=st.floats(1, 1e200))
def test_log_limits_are_whole_decades(low, factor):
    high = low * factor
    assume(high <= 1e300)
    bottom, top = limits(low, high, log=True)
    assert bottom <= low <= high <= top
    assert bottom < top
    for edge in (bottom, top):
        assert math.isclose(math.log10(edge), round(math.log10(edge)), abs_tol=1e-9)


@quick
@given(st.lists(st.floats(0.01, 1000), min_size=2, max_size=60), st.booleans())
def test_an_axis_stays_while_the_data_fit(values, log):
    axis = None
    for k in range(1, len(values)):
        low, high = min(values[: k + 1]), max(values[: k + 1])
        fresh, after = limits(low, high, log=log), limits(low, high, axis, log=log)
        assert after in (axis, fresh)
        assert after[0] <= low <= high <= after[1]
        assert limits(low, high, after, log=log) == after
        axis = after


def test_an_axis_shrinks_when_the_data_fill_little_of_it():
    assert limits(0, 3, (0.0, 10.0)) == limits(0, 3)
    assert limits(0, 8, (0.0, 10.0)) == (0.0, 10.0)
    assert limits(0, 11, (0.0, 10.0)) == limits(0, 11)


@pytest.mark.parametrize("bad", [(math.nan, 1), (0, math.inf), (2, 1)])
def test_limits_refuse_bounds_that_are_no_range(bad):
    with pytest.raises(ValueError, match="no axis"):
        limits(*bad)


def test_log_limits_refuse_zero():
    with pytest.raises(ValueError, match="no axis"):
        limits(0.0, 1.0, log=True)


def test_an_axis_from_zero_climbs_in_steps():
    seen = {upper_step(value) for value in range(1, 1001)}
    assert seen == {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}


def value_of(label: str) -> float:
    for unit, scale in (("k", 1e3), ("M", 1e6)):
        if label.endswith(unit):
            return float(label[:-1]) * scale
    return float(label)


@quick
@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-3, 1e7), most=st.integers(1, 8))
def test_ticks_lie_on_the_axis_and_their_labels_say_where(low, span, most):
    assume(span > 0.01 * abs(low))
    marks = ticks((low, low + span), most)
    assert len(marks) <= most
    for value, label in marks:
        assert low - 1e-6 * span <= value <= low + span * (1 + 1e-6)
        # a label may round, but not by as much as would confuse it with a neighbour
        assert abs(value_of(label) - value) <= 0.02 * max(span, abs(value))
    assert len({label for _, label in marks}) == len(marks)


@quick
@given(bottom=st.integers(-300, 250), decades=st.integers(1, 40), most=st.integers(2, 8))
def test_log_ticks_are_whole_decades_evenly_apart(bottom, decades, most):
    marks = ticks((10.0**bottom, 10.0 ** (bottom + decades)), most, log=True)
    assert 1 <= len(marks) <= most
    exponents = [round(math.log10(value)) for value, _ in marks]
    assert len(set(np.diff(exponents))) <= 1
    assert [float(label) for _, label in marks] == [float(f"1e{e}") for e in exponents]


def test_log_labels_are_written_short():
    assert [label for _, label in ticks((1e-8, 1.0), 5, log=True)] == [
        "1e-8", "1e-6", "1e-4", "1e-2", "1",
    ]  # fmt: skip
