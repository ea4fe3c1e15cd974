"""Pictures of cells show every neuron's state and every cell's class, and nothing else."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from caveats.config import RunConfig
from caveats.measures import UNIT_STATES
from caveats.run import Run
from caveats.views import Plane, plane
from caveats_tui.charts.grids import boundary_map, neuron_map
from caveats_tui.charts.spec import Charset, Look, Rows

SHAPES: dict[Charset, str] = {"braille": "■▪▣×?", "ascii": "o.S#?"}
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
@settings(deadline=None)
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
@settings(deadline=None)
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


def test_where_neurons_share_a_cell_the_worst_is_shown() -> None:
    """100 units in 8 cells of 13: each cell is given one unit of every state but the worse."""
    width = len("layer 1 ") + 8
    for worst in range(1, len(WORST_LAST)):
        state = np.full(100, UNIT_STATES.index(WORST_LAST[0]), np.uint8)
        for cell in range(8):
            for place, name in enumerate(WORST_LAST[: worst + 1]):
                state[cell * 13 + place] = UNIT_STATES.index(name)
        rows = text(neuron_map([state], names(1), Look(width, 2)))
        symbol = SHAPES["braille"][UNIT_STATES.index(WORST_LAST[worst])]
        assert rows[0] == "layer 1 " + symbol * 8


def test_one_dead_neuron_among_thousands_is_seen() -> None:
    state = np.zeros(4096, np.uint8)
    state[1234] = 3
    rows = text(neuron_map([state], names(1), Look(60, 8)))
    assert "".join(rows[:-1]).count("×") == 1
    assert "× dead 1" in rows[-1]
    assert re.search(r" [0-9]+ a cell, the worst shown$", rows[-1])


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


# The decision boundary


def cells(rows: Rows) -> list[list[tuple[str, int | None, int | None]]]:
    return [[(char, run[1], run[2]) for run in row for char in run[0]] for row in rows]


@pytest.fixture(scope="module")
def moons() -> Run:
    config = RunConfig().changed(
        {"data.name": "moons", "network.widths": [16], "training.steps": 60}, "test"
    )
    run = Run(config)
    while not run.finished:
        run.advance()
    return run


def test_a_cell_has_the_colour_of_the_class_that_the_network_says_there(moons: Run) -> None:
    width, height = 33, 17
    x = moons.dataset.x
    low, high = x.min(0), x.max(0)
    pad = 0.08 * (high - low)
    low, high = low - pad, high + pad
    rows = cells(boundary_map(plane(moons.trainer.network, moons.dataset, width, height)))
    colours: dict[int, set[int | None]] = {0: set(), 1: set()}
    for r in range(height):
        for c in range(width):
            point = low + (high - low) * [(c + 0.5) / width, 1 - (r + 0.5) / height]
            with torch.no_grad():
                said = moons.trainer.network(torch.tensor(point[None], dtype=torch.float32))
            colours[int(said.argmax())].add(rows[r][c][2])
    assert len(colours[0]) == len(colours[1]) == 1
    assert colours[0] != colours[1]


def test_points_lie_where_they_are_and_a_wrong_one_is_a_cross() -> None:
    seen = Plane(
        np.zeros((4, 10), np.int64),
        np.array([[0.05, 0.05], [0.95, 0.95]]),  # lower left, upper right
        np.array([0, 1]),
        np.array([True, False]),
        np.array([[0.0, 0.0], [1.0, 1.0]]),
    )
    rows = text(boundary_map(seen))
    assert rows == ["         ×", " " * 10, " " * 10, "•         "]


def test_in_ascii_letters_are_classes_and_capitals_points() -> None:
    seen = Plane(
        np.array([[0, 0, 1, 1], [0, 2, 2, 1]]),
        np.array([[0.1, 0.1], [0.9, 0.9], [0.4, 0.9]]),
        np.array([0, 1, 1]),
        np.array([True, True, False]),
        np.array([[0.0, 0.0], [1.0, 1.0]]),
    )
    rows = boundary_map(seen, charset="ascii")
    assert text(rows) == ["a#bB", "Accb"]
    assert all(run[2] is None for row in rows for run in row)


def test_nothing_in_ascii_is_beyond_ascii(moons: Run) -> None:
    states = [np.array([0, 1, 2, 3, 4], np.uint8)]
    maps = (
        neuron_map(states, names(1), Look(60, 4, charset="ascii")),
        boundary_map(plane(moons.trainer.network, moons.dataset, 20, 8), charset="ascii"),
    )
    for rows in maps:
        assert "".join(text(rows)).isascii()


def test_every_state_is_in_these_tests() -> None:
    assert set(WORST_LAST) == set(UNIT_STATES)
