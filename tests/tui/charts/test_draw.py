"""Claims about drawn charts, read back from the cells that would reach the terminal."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from caveats_tui.charts.draw import draw
from caveats_tui.charts.spec import Band, Chart, Curve, Mark, Rows

BRAILLE_BITS = {  # (column, row) of each dot of a braille cell, by Unicode's bit
    0: (0, 0), 1: (0, 1), 2: (0, 2), 3: (1, 0), 4: (1, 1), 5: (1, 2), 6: (0, 3), 7: (1, 3),
}  # fmt: skip


def text(rows: Rows) -> list[str]:
    return ["".join(run[0] for run in row) for row in rows]


def colours(rows: Rows) -> set[int]:
    return {run[1] for row in rows for run in row if run[1] is not None}


def coloured(rows: Rows, colour: int) -> list[tuple[int, int, str]]:
    """(row, column, character) of every cell of one colour that is not blank."""
    cells = []
    for y, row in enumerate(rows):
        x = 0
        for run_text, foreground, _, _ in row:
            cells += [
                (y, x + k, c) for k, c in enumerate(run_text) if foreground == colour and c != " "
            ]
            x += len(run_text)
    return cells


def dots(rows: Rows, colour: int) -> list[tuple[int, int]]:
    """(dot row, dot column) of every braille dot of one colour."""
    return [
        (4 * y + dy, 2 * x + dx)
        for y, x, char in coloured(rows, colour)
        for bit, (dx, dy) in BRAILLE_BITS.items()
        if 0x2800 <= ord(char) <= 0x28FF and (ord(char) - 0x2800) >> bit & 1
    ]


def chart(x, y, **other) -> Chart:
    curve = Curve(np.asarray(x, float), np.asarray(y, float), 99)
    options = {"width": 58, "height": 10, "x_limits": (0.0, 100.0), **other}
    return Chart((curve,), **options)


SIZES = [(58, 10), (38, 8), (100, 30), (20, 5), (10, 3), (200, 60), (1, 1), (5, 2)]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("charset", ["braille", "block", "ascii"])
def test_a_chart_fills_exactly_its_cells(width, height, charset):
    x = np.linspace(0, 100, 50)
    rows = draw(
        replace(chart(x, x**2, charset=charset), width=width, height=height, x_label="step")
    )
    assert [len(line) for line in text(rows)] == [width] * height


def test_the_highest_point_is_in_the_top_dot_row_and_its_own_column():
    # 58 wide: 4 cells of labels and one of axis leave 53 columns of 2 dots; 8 rows of 4 dots
    x = np.arange(101.0)
    y = np.where(x == 60, 1.0, 0.0)
    found = dots(draw(chart(x, y, y_limits=(0.0, 1.0))), 99)
    top = min(found)
    assert top[0] == 0
    assert abs((top[1] - 10) / 106 - 0.60) < 0.02
    assert max(row for row, _ in found) == 31


@settings(max_examples=40)
@given(value=st.floats(0, 1), place=st.floats(0, 100))
def test_a_single_point_lands_on_its_dot(value, place):
    found = dots(draw(chart([place], [value], y_limits=(0.0, 1.0))), 99)
    (row, column), *more = found
    assert more == []
    assert row == 31 - min(int(value * 32), 31)
    assert column == 10 + min(int(place / 100 * 106), 105)


def test_a_log_axis_gives_each_decade_the_same_height():
    values = 10.0 ** -np.arange(8.0)
    rows = draw(chart(np.arange(8.0) * 10, values, log_y=True, y_limits=(1e-8, 1.0)))
    heights = {row // 4 for row, column in dots(rows, 99) if column == 10}
    assert heights == {0}
    # eight decades over eight rows: the label of 1e-k stands in the row that 1e-k begins
    labels = {line[:4].strip(): k for k, line in enumerate(text(rows)) if line[:4].strip()}
    assert len(labels) >= 3
    for label, line in labels.items():
        assert line == max(0, -round(math.log10(float(label))) - 1)


def test_numbers_that_are_not_finite_leave_a_gap_with_a_mark_at_its_start():
    x = np.arange(101.0)
    y = np.full(101, 0.5)
    y[40:60] = math.nan
    rows = draw(chart(x, y, y_limits=(0.0, 1.0)))
    columns = {(column - 10) / 106 * 100 for _, column in dots(rows, 99)}
    assert not any(41 < column < 59 for column in columns)
    assert any(column < 41 for column in columns)
    assert any(column > 59 for column in columns)
    ((row, column, char),) = [cell for cell in coloured(rows, 99) if cell[2] in "×▾"]
    assert (row, char) == (0, "×")
    assert abs((column - 5) / 53 * 100 - 40) < 2


def test_exact_zeros_of_a_log_axis_stand_in_a_row_of_their_own_below_it():
    """58 wide: 53 columns from the fifth; x = 40 and 60 lie in the cells 21 and 31 of them."""
    y = np.ones(101)
    y[40:61] = 0.0
    rows = draw(chart(np.arange(101.0), y, log_y=True, y_limits=(0.1, 10.0)))
    lines = text(rows)
    assert lines[7][:5] == "   0┤"
    strip = [column - 5 for row, column, char in coloured(rows, 99) if row == 7]
    assert strip == list(range(21, 32))
    assert set(lines[7][5:]) == {"━", " "}
    assert [line[:4].strip() for line in lines[:7]] == ["10", "", "", "1", "", "", "0.1"]


def test_without_zeros_a_log_axis_has_no_such_row():
    rows = draw(chart([0, 100], [1.0, 2.0], log_y=True, y_limits=(0.1, 10.0)))
    assert not any(line.startswith("   0") for line in text(rows)[:8])


def test_a_curve_that_is_0_all_the_time_is_seen_and_named_on_a_log_axis():
    x = np.linspace(0, 50, 20)
    curves = tuple(
        Curve(x, np.zeros(20), colour, label=name) for name, colour in (("1", 99), ("2", 69))
    )
    rows = draw(replace(chart([], []), curves=curves, log_y=True))
    assert "1=2" in text(rows)[7]
    assert {row for row, _, char in coloured(rows, 99) if char == "━"} == {7}
    assert {row for row, _, char in coloured(rows, 69) if char == "━"} == {7}


def test_what_is_not_finite_is_not_taken_for_a_zero():
    y = np.array([1.0, math.nan, -math.inf, 1.0])
    rows = draw(chart([0, 30, 60, 100], y, log_y=True, y_limits=(0.1, 10.0)))
    assert "━" not in "".join(text(rows))
    assert [(row, char) for row, _, char in coloured(rows, 99) if char in "×▾"] == [(0, "×")]


def test_a_value_far_above_the_axis_leaves_it_without_being_drawn_inside():
    rows = draw(chart([0, 50, 100], [0.5, 1e300, 0.5], y_limits=(0.0, 1.0)))
    assert not any(45 < (column - 10) / 106 * 100 < 55 for _, column in dots(rows, 99))


def test_a_run_lies_on_its_ghost():
    x = np.linspace(0, 100, 50)
    ghost, run = Curve(x, x, 60, "dots"), Curve(x, x, 227)
    assert colours(draw(replace(chart([], []), curves=(ghost, run)))) == {227, 245}


@pytest.mark.parametrize("count", [2, 3, 5])
def test_curves_that_coincide_take_turns_along_their_way(count):
    x = np.linspace(0, 100, 50)
    curves = tuple(Curve(x, 0.5 + x / 300, 60 + k) for k in range(count))
    level = chart([], [], y_limits=(0.0, 1.0))
    rows = draw(replace(level, curves=curves))
    alone = draw(replace(level, curves=curves[:1]))
    assert text(rows) == text(alone)  # the same dots, in other colours
    for k in range(count):
        columns = {column - 5 for _, column, _ in coloured(rows, 60 + k)}
        assert columns == {c for c in range(53) if c // 2 % count == k}


def test_curves_that_only_cross_keep_their_colours():
    x = np.linspace(0, 100, 50)
    rows = draw(
        replace(
            chart([], [], y_limits=(0.0, 1.0)),
            curves=(Curve(x, x / 100, 60), Curve(x, 1 - x / 100, 61)),
        )
    )
    assert abs(len(coloured(rows, 60)) - len(coloured(rows, 61))) <= 8


def test_counts_are_level_from_each_record_to_the_next():
    steps = Curve(np.array([0.0, 50.0, 100.0]), np.array([0.0, 1.0, 0.0]), 99, "steps")
    rows = draw(replace(chart([], [], y_limits=(0.0, 1.0)), curves=(steps,)))
    found = dots(rows, 99)
    upright = {column for row, column in found if 0 < row < 31}
    assert upright == {10 + 53, 10 + 105}
    assert {column for row, column in found if row == 0} == set(range(63, 116))
    assert {column for row, column in found if row == 31} == {*range(10, 64), 115}


def test_theory_is_dotted_where_the_run_is_drawn_through():
    x = np.linspace(0, 100, 200)
    solid = draw(chart(x, np.full(200, 0.5), y_limits=(0.0, 1.0)))
    curve = Curve(x, np.full(200, 0.5), 99, "dots")
    dotted = draw(replace(chart([], [], y_limits=(0.0, 1.0)), curves=(curve,)))
    assert {row for row, _ in dots(dotted, 99)} == {row for row, _ in dots(solid, 99)}
    assert len(dots(dotted, 99)) * 3 == pytest.approx(len(dots(solid, 99)), abs=3)


def test_points_stand_on_their_value():
    layers = np.arange(1.0, 5.0)
    base = chart([], [], x_limits=(0.5, 4.5), y_limits=(0.0, 4.0))
    points = draw(replace(base, curves=(Curve(layers, layers, 99, "points"),)))
    assert [char for *_, char in coloured(points, 99)] == ["•"] * 4


def test_marks_labels_and_named_ticks_are_shown():
    rows = draw(
        replace(
            chart([0, 100], [0, 1], y_limits=(0.0, 1.0)),
            marks=(Mark(50, "lr 0.1", 246),),
            x_label="layer",
            x_ticks=((0.0, "in"), (50.0, "mid"), (100.0, "out")),
        )
    )
    lines = text(rows)
    assert "┊lr 0.1" in lines[0]
    assert lines[-1].split() == ["layer", "in", "mid", "out"]


@pytest.mark.parametrize("width", [20, 28, 58, 120])
def test_an_axis_of_steps_names_two_places_at_least(width):
    """With one number below the axis nobody could tell how long it is."""
    named = replace(chart([0, 400], [1, 2], width=width, x_limits=(0.0, 400.0)), curves=())
    curves = tuple(
        Curve(np.array([0.0, 400.0]), np.array([1.0, 2.0]), 99, label=f"{i}") for i in (1, 2)
    )
    numbers = text(draw(replace(named, curves=curves)))[-1].split()
    assert numbers[0] == "0"
    assert len(numbers) > 1
    assert int(numbers[-1]) <= 400


def test_curves_are_named_where_they_end_together_where_they_end_together():
    x = np.linspace(0, 49, 50)
    curves = tuple(
        Curve(x, np.full(50, height), colour, label=name)
        for name, height, colour in (("1", 0.0, 99), ("2", 0.0, 69), ("3", 1.0, 227))
    )
    rows = draw(replace(chart([], [], y_limits=(0.0, 1.0)), curves=curves))
    lines = text(rows)
    # Six of 53 columns are left free for names, so x = 49 lies in the cell 23 of the other 47.
    end = 5 + 23 + 1
    assert lines[7][end : end + 3] == "1=2"
    assert lines[0][end] == "3"
    assert (7, end, "1") in coloured(rows, 99)
    assert (7, end + 2, "2") in coloured(rows, 69)


def test_names_that_share_a_cell_but_not_a_value_are_not_called_equal():
    x = np.linspace(0, 100, 50)
    curves = tuple(
        Curve(x, np.full(50, height), 99, label=name) for name, height in (("1", 0.49), ("2", 0.41))
    )
    lines = text(draw(replace(chart([], [], y_limits=(0.0, 1.0)), curves=curves)))
    assert any(line.rstrip().endswith("1 2") for line in lines)


def test_many_that_coincide_are_named_from_the_first_to_the_last():
    x = np.linspace(0, 100, 50)
    curves = tuple(Curve(x, np.full(50, 0.5), 60 + k, label=str(k + 1)) for k in range(7))
    rows = draw(replace(chart([], [], y_limits=(0.0, 1.0)), curves=curves))
    assert any(line.rstrip().endswith("1–7") for line in text(rows))


@pytest.mark.parametrize("names", [("1", "out"), ("loss", "accuracy"), ("12", "13")])
@pytest.mark.parametrize("width", [24, 38, 58, 100])
@settings(max_examples=5)
@given(seed=st.integers(0, 999))
def test_a_name_covers_no_dot_of_a_curve(names, width, seed):
    """Drawn without names, the same chart has the same dots."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 100, 80)
    curves = tuple(
        Curve(x, rng.uniform(0, 1, 80).cumsum() % 1, colour, label=name)
        for name, colour in zip(names, (99, 69), strict=True)
    )
    with_names = replace(chart([], [], y_limits=(0.0, 1.0)), curves=curves, width=width)
    # a blank name keeps the same columns free
    blank = tuple(replace(curve, label=" " * len(curve.label)) for curve in curves)
    named, bare = draw(with_names), draw(replace(with_names, curves=blank))
    for colour in (99, 69):
        assert dots(named, colour) == dots(bare, colour)


def test_what_is_expected_is_marked_on_the_axis_with_the_word():
    x = np.linspace(0, 100, 50)
    curve = Curve(x, np.full(50, 0.55), 99)
    base = replace(chart([], [], y_limits=(0.0, 1.0)), curves=(curve,))
    rows = draw(replace(base, expected=((0.55, 69), (0.95, 227))))
    lines = text(rows)
    assert [row for row, line in enumerate(lines) if line[4] == "▸"] == [0, 3]
    assert (0, 4, "▸") in coloured(rows, 227)
    assert (3, 4, "▸") in coloured(rows, 69)
    assert "".join(lines).count("expected") == 1
    assert dots(rows, 99) == dots(draw(base), 99)  # it covers no dot


def test_an_expected_zero_is_marked_below_a_log_axis():
    y = np.where(np.arange(101) < 50, 1.0, 0.0)
    base = chart(np.arange(101.0), y, log_y=True, y_limits=(0.1, 10.0))
    rows = text(draw(replace(base, expected=((0.0, 69),))))
    assert [row for row, line in enumerate(rows) if line[4] == "▸"] == [7]


def test_a_band_is_a_background_between_its_lines():
    layers = np.array([0.0, 100.0])
    band = Band(layers, np.array([0.25, 0.25]), np.array([0.7, 0.7]), 237)
    rows = draw(replace(chart([], [], y_limits=(0.0, 1.0)), bands=(band,)))
    shaded = {
        (y, x)
        for y, row in enumerate(rows)
        for x, paper in enumerate(p for run in row for p in [run[2]] * len(run[0]))
        if paper == 237
    }
    # eight rows from 0 to 1: 0.7 lies in row 2 from the top, 0.25 in row 5
    assert shaded == {(y, x) for y in range(2, 6) for x in range(5, 58)}


def test_named_ticks_that_would_touch_are_left_out():
    names = tuple((float(k), f"layer {k}") for k in range(0, 100, 4))
    shown = text(draw(replace(chart([0, 100], [0, 1]), x_ticks=names)))[-1]
    assert all(word.strip() in {n for _, n in names} for word in shown.split("  ") if word.strip())


def test_ascii_is_ascii():
    x = np.linspace(0, 100, 50)
    full = replace(
        chart(x, np.where(x > 50, np.nan, x), charset="ascii", x_label="step"),
        marks=(Mark(50, "lr", 246),),
    )
    assert all(line.isascii() for line in text(draw(full)))


def test_ascii_draws_each_named_curve_with_its_own_character():
    x = np.linspace(0, 100, 50)
    curves = tuple(
        Curve(x, np.full(50, height), 99, label=name)
        for name, height in (("loss", 0.0), ("12", 1.0))
    )
    flat = chart([], [], y_limits=(0.0, 1.0), charset="ascii")
    lines = text(draw(replace(flat, curves=curves)))
    assert lines[0].count("2") > 45
    assert lines[7].count("l") > 45


def test_the_same_chart_gives_the_same_rows():
    busy = chart(np.arange(100.0), np.sin(np.arange(100.0)))
    assert draw(busy) == draw(busy)


numbers = st.one_of(
    st.floats(width=64),
    st.sampled_from([0.0, -0.0, 5e-324, 1.7e308, -1.7e308, math.nan, math.inf, -math.inf, 1.0]),
)


@st.composite
def charts(draw_from) -> Chart:
    curves = []
    for _ in range(draw_from(st.integers(0, 3))):
        n = draw_from(st.integers(0, 40))
        y = draw_from(npst.arrays(float, n, elements=numbers))
        x = draw_from(
            st.one_of(st.just(np.arange(float(n))), npst.arrays(float, n, elements=numbers))
        )
        style = draw_from(st.sampled_from(["line", "steps", "dots", "points"]))
        label = draw_from(st.sampled_from(["", "7", "out", "layer 12"]))
        curves.append(Curve(x, y, draw_from(st.integers(16, 255)), style, label))
    return Chart(
        tuple(curves),
        draw_from(st.integers(1, 120)),
        draw_from(st.integers(1, 40)),
        draw_from(st.tuples(numbers, numbers)),
        draw_from(st.none() | st.tuples(numbers, numbers)),
        draw_from(st.booleans()),
        marks=tuple(Mark(x, "event", 246) for x in draw_from(st.lists(numbers, max_size=2))),
        x_label=draw_from(st.sampled_from(["", "step", "an axis title far too long"])),
        charset=draw_from(st.sampled_from(["braille", "block", "ascii"])),
        expected=tuple((y, 240) for y in draw_from(st.lists(numbers, max_size=2))),
        bands=tuple(Band(c.x, c.y, c.y[::-1], 237) for c in curves[:1]),
    )


@settings(max_examples=100)
@given(any_chart=charts())
def test_no_chart_whatever_its_numbers_fails_or_leaves_its_frame(any_chart):
    rows = draw(any_chart)
    assert [len(line) for line in text(rows)] == [any_chart.width] * any_chart.height
    given_colours = {c.colour for c in any_chart.curves} | {240, 245, 246}
    assert colours(rows) <= given_colours
