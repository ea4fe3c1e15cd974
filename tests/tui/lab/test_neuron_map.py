"""The neuron map shows every unit's state, or in cells of several units their share."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from caveats.measures import UNIT_STATES
from caveats_tui.charts.neuron_map import neuron_map
from caveats_tui.charts.spec import Charset, Look, Rows

SHAPES: dict[Charset, str] = {"braille": "■▪▣×?", "ascii": "o.S#?"}
MARKS: dict[Charset, str] = {"braille": "▁▂▃▄▅▆▇█", "ascii": ".:-=+*#"}
# From the state that says least against a unit to the one that says most.
WORST_LAST = ("unobserved", "alive", "silent", "saturated", "dead")

layers = st.lists(
    arrays(np.uint8, st.integers(1, 40), elements=st.integers(0, 4)), min_size=1, max_size=6
)


def text(rows: Rows) -> list[str]:
    return ["".join(run[0] for run in row) for row in rows]


def names(count: int) -> list[str]:
    return [f"layer {i + 1}" for i in range(count)]


@given(layers, st.sampled_from(["braille", "ascii"]))
def test_each_neuron_has_a_cell_with_the_symbol_of_its_state(
    states: list[np.ndarray[tuple[int], np.dtype[np.uint8]]], charset: Charset
) -> None:
    shown = text(neuron_map(states, names(len(states)), Look(50, 14, charset=charset)))
    legend = "  ".join(shown[-2:])  # in two lines where one is too short
    picture = Counter("".join(row[8:] for row in shown[:12]).replace(" ", ""))
    told = Counter(SHAPES[charset][code] for state in states for code in state)
    assert picture == told
    for symbol, count in told.items():
        name = UNIT_STATES[SHAPES[charset].index(symbol)]
        assert f"{symbol} {name} {count}" in legend


@given(layers, st.integers(12, 60), st.integers(3, 20))
def test_a_map_is_as_high_as_its_panel_and_no_wider(
    states: list[np.ndarray[tuple[int], np.dtype[np.uint8]]], width: int, height: int
) -> None:
    rows = text(neuron_map(states, names(len(states)), Look(width, height)))
    assert len(rows) == height
    assert max(map(len, rows)) <= width


def test_a_layer_stands_in_its_own_row_beside_its_name() -> None:
    states = [np.array([0, 3, 3], np.uint8), np.array([2, 0, 1], np.uint8)]
    rows = text(neuron_map(states, names(2), Look(40, 5)))
    assert rows[:2] == ["layer 1 ■××", "layer 2 ▣■▪"]


@given(
    st.lists(arrays(np.uint8, 100, elements=st.integers(0, 4)), min_size=1, max_size=3),
    st.sampled_from(["braille", "ascii"]),
)
def test_a_cell_of_several_units_shows_their_share_in_the_worst_state(
    states: list[np.ndarray[tuple[int], np.dtype[np.uint8]]], charset: Charset
) -> None:
    """Counted again unit by unit: the lowest mark is for none, the highest for all of them."""
    rows = text(neuron_map(states, names(len(states)), Look(60, len(states) + 1, charset=charset)))
    there = set(np.concatenate(states).tolist())
    worst = max((code for code in there if code in (1, 2, 3)), default=None)
    shared = 3  # 100 units in the 60 - 8 - 7 cells that names and counts leave
    marks = MARKS[charset]
    for row, state in zip(rows, states, strict=False):
        bad = [code == worst for code in state.tolist()]
        assert row.endswith(f" {sum(bad)}/100")
        groups = [bad[at : at + shared] for at in range(0, 100, shared)]
        picture = row[len("layer 1 ") :].split()[0]
        assert len(picture) == len(groups)
        for mark, group in zip(picture, groups, strict=True):
            level, share = marks.index(mark), sum(group) / len(group)
            assert (level == 0) == (share == 0)
            assert (level == len(marks) - 1) == (share == 1)
            assert abs(level / (len(marks) - 1) - share) <= 1 / (len(marks) - 1)


def test_one_dead_neuron_among_thousands_is_seen() -> None:
    state = np.zeros(4096, np.uint8)
    state[1234] = 3
    rows = text(neuron_map([state], names(1), Look(60, 8)))
    picture = "".join(rows[:-1])
    assert picture.count("▁") > 200
    assert picture.count("▂") == 1
    assert any(row.endswith(" 1/4096") for row in rows)
    assert re.match("▁▂▃▄▅▆▇█ dead, [0-9]+ a cell  dead 1  alive", rows[-1])


def test_a_layer_that_is_half_dead_does_not_look_dead() -> None:
    """Every second of 64 units is dead: with the worst alone, all cells would be ×."""
    state = np.tile(np.array([0, 3], np.uint8), 32)
    [row, *_] = text(neuron_map([state], names(1), Look(30, 2)))
    assert row.startswith("layer 1 ▅▅▅")
    assert row.endswith(" 32/64")
    assert "×" not in row


def test_where_nothing_is_wrong_all_cells_are_low() -> None:
    rows = text(neuron_map([np.zeros(100, np.uint8)], names(1), Look(29, 3)))
    assert set("".join(rows[:2])) == {*"layer1▁0/ "}
    assert re.match("[0-9]+ a cell  alive", rows[-1])


@given(
    arrays(np.uint8, 30, elements=st.integers(0, 4)), arrays(float, 30, elements=st.floats(0, 1))
)
def test_alive_units_are_filled_by_how_often_they_fire(
    state: np.ndarray[tuple[int], np.dtype[np.uint8]],
    rate: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    [row, *_] = text(neuron_map([state], names(1), Look(40, 4), [rate]))
    for mark, code, share in zip(row[8:], state.tolist(), rate.tolist(), strict=True):
        if code:
            assert mark == SHAPES["braille"][code]
        else:
            quarter = "░▒▓█".index(mark)
            assert quarter / 4 <= share <= (quarter + 1) / 4


@pytest.mark.parametrize("rows_there", [6, 11, 16])
def test_of_more_layers_than_rows_the_first_and_the_last_are_shown_with_a_remark(
    rows_there: int,
) -> None:
    states = [np.zeros(8, np.uint8) for _ in range(30)]
    states[29][0] = 3
    rows = text(neuron_map(states, names(30), Look(70, rows_there)))
    assert rows[0].startswith("layer 1 ")
    assert rows[rows_there - 2].startswith("layer 30 ×")
    assert f"{rows_there - 1} of 30 layers" in rows[-1]


def test_a_network_without_hidden_layers_is_an_empty_map() -> None:
    assert [row.strip() for row in text(neuron_map([], [], Look(40, 5)))] == [""] * 5


def test_states_differ_in_shape_and_in_colour() -> None:
    [row, *_] = neuron_map([np.array([0, 1, 2, 3], np.uint8)], names(1), Look(40, 2))
    cells = row[1:]
    assert len({run[0] for run in cells}) == 4
    assert len({run[1] for run in cells}) == 4
    assert [run[3] for run in cells] == [False, False, False, True]  # dead in bold


def test_nothing_in_ascii_is_beyond_ascii() -> None:
    states = [np.array([0, 1, 2, 3, 4], np.uint8), np.zeros(400, np.uint8)]
    for width in (60, 30):
        rows = neuron_map(states, names(2), Look(width, 4, charset="ascii"), [np.ones(5)] * 2)
        assert "".join(text(rows)).isascii()


def test_every_state_is_in_these_tests() -> None:
    assert set(WORST_LAST) == set(UNIT_STATES)
