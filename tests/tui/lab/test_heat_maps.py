"""A heat map shows every layer at every time, and where it merges, the worst."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from caveats.history import History
from caveats.measures import LAYER_MEASURES
from caveats_tui.charts.heat_maps import HEAT_MAPS, heat_map
from caveats_tui.charts.palette import HEAT
from caveats_tui.charts.spec import Charset, Look, Rows
from caveats_tui.charts.trace import Trace

RECORDS, EVERY, STEPS = 10, 10, 100


def history(
    dead: np.ndarray[Any, Any], norms: np.ndarray[Any, Any], measure: str = "dead"
) -> Trace:
    """A run of ``dead`` (records, hidden layers) of 10 units and gradient ``norms``."""
    hidden = dead.shape[1]
    made = History((*(f"layer {i + 1}" for i in range(hidden)), "output"))
    for record in range(len(dead)):
        values = {name: np.ones(hidden + 1) for name in LAYER_MEASURES}
        values["units"] = np.full(hidden + 1, 10.0)
        values[measure] = np.append(dead[record], 0.0)
        values["grad_norm"] = norms[record]
        states = tuple(np.zeros(10, np.uint8) for _ in range(hidden + 1))
        made.append(record * EVERY, {"loss": 1.0}, values, states)
    return Trace(made.snapshot(), made.layers, STEPS)


def cells(rows: Rows, label: int, halves: bool) -> list[list[int | None]]:
    """The colours of each line of the map, half rows one by one."""
    lines: list[list[int | None]] = []
    for row in rows[:-2]:
        above: list[int | None] = []
        below: list[int | None] = []
        for text, ink, paper, _ in row[1:]:
            for char in text:
                above.append(ink if char == "▀" else None)
                below.append(paper if char == "▀" else ink if char == "▄" else None)
        lines += [above, below] if halves else [above]
    return lines


@pytest.mark.parametrize("measure", ["dead", "saturated"])
@pytest.mark.parametrize(("layers", "height"), [(8, 6), (8, 12), (20, 7)])
def test_each_cell_has_the_colour_of_the_worst_value_it_stands_for(
    layers: int, height: int, measure: str
) -> None:
    rng = np.random.default_rng(layers)
    dead = rng.integers(0, 11, (RECORDS, layers)).astype(float)
    trace = history(dead, np.ones((RECORDS, layers + 1)), measure)
    label, width = len(str(layers)) + 1, 5  # 20 steps, two records, a cell
    rows = heat_map(HEAT_MAPS[f"{measure}_map"], trace, Look(label + width, height))
    assert len(rows) == height
    lines = cells(rows, label, halves=True)
    shared = math.ceil(layers / (2 * (height - 2)))
    tall = max(1, 2 * (height - 2) // layers)
    for layer in range(0, layers, shared):
        for column in range(width):
            worst = max(
                dead[record, one]
                for record in (2 * column, 2 * column + 1)
                for one in range(layer, min(layer + shared, layers))
            )
            wanted = HEAT[min(len(HEAT) - 1, int(worst / 10 * len(HEAT)))]
            for half in range(tall):
                assert lines[layer // shared * tall + half][column] == wanted
    wide = heat_map(HEAT_MAPS[f"{measure}_map"], trace, Look(60, height))
    told = "".join(text for text, *_ in wide[-1])
    assert ("layers a row, the worst" in told) == (shared > 1)


def test_a_narrow_map_says_between_the_steps_that_rows_are_merged() -> None:
    """28 cells are what a chart has on a terminal of 60×16."""
    trace = history(np.zeros((RECORDS, 20)), np.ones((RECORDS, 21)))
    for width, said in ((28, "0 2 a row, the worst"), (34, "2 layers a row, the worst")):
        rows = heat_map(HEAT_MAPS["dead_map"], trace, Look(width, 7))
        lines = ["".join(text for text, *_ in row) for row in rows]
        assert all(len(line) <= width for line in lines)
        assert said in " ".join(lines[-2].split())
        assert lines[-1].startswith("0 % ")


def test_small_gradients_are_dark_a_zero_alone_darkest_and_what_is_not_finite_is_a_gap() -> None:
    norms = np.tile(np.array([0.0, 1e-6, 1e-3, np.nan, 1.0]), (RECORDS, 1))
    trace = history(np.zeros((RECORDS, 4)), norms)
    rows = heat_map(HEAT_MAPS["gradient_map"], trace, Look(14, 5))
    lines = cells(rows, 4, halves=True)
    shown = [line[0] for line in lines[:5]]
    assert shown[:2] == [HEAT[0], HEAT[1]]
    assert shown[2] in HEAT[2:5]
    assert shown[3] is None
    assert shown[4] == HEAT[-1]


def test_the_scale_names_the_colour_of_zero_where_there_is_one_and_powers_as_an_axis_does() -> None:
    for least, said in ((0.0, "0 █  1e-3 ██████ 10"), (1e-3, "1e-3 ███████ 10")):
        norms = np.tile(np.array([least, 1e-3, 10.0]), (RECORDS, 1))
        rows = heat_map(
            HEAT_MAPS["gradient_map"], history(np.zeros((RECORDS, 2)), norms), Look(40, 6)
        )
        assert "".join(text for text, *_ in rows[-1]) == said


def test_the_long_names_of_a_watched_model_leave_room_for_the_map() -> None:
    found = history(np.ones((RECORDS, 2)), np.ones((RECORDS, 3)))
    names = tuple(f"encoder.blocks.{i}.feed_forward" for i in range(3))
    rows = heat_map(HEAT_MAPS["gradient_map"], replace(found, layers=names), Look(40, 8))
    assert rows[0][0][0] == ".._forward "  # ten cells, a quarter
    assert max(sum(len(text) for text, *_ in row) for row in rows) <= 40


@pytest.mark.parametrize(
    ("view", "measure"), [("delta_map", "delta_rms"), ("update_map", "update_ratio")]
)
def test_every_layer_of_the_other_maps_is_ordered_as_its_values(
    view: str, measure: str, made: Callable[..., Trace]
) -> None:
    trace = made(6, 1)
    rows = heat_map(HEAT_MAPS[view], trace, Look(20, 12))
    lines = cells(rows, 4, halves=True)
    shown = [HEAT.index(line[0] or 0) for line in lines if line and line[0] is not None]
    height = len(shown) // 7  # half rows a layer
    values = trace.snapshot.layers(measure)[0]
    order = np.argsort(values)
    assert list(np.diff([shown[height * i] for i in order]) >= 0) == [True] * 6


@pytest.mark.parametrize("charset", ["braille", "ascii"])
@pytest.mark.parametrize("name", HEAT_MAPS)
@pytest.mark.parametrize("size", [(1, 1), (9, 3), (60, 15)])
def test_a_map_fits_its_panel(
    name: str, size: tuple[int, int], charset: Charset, made: Callable[..., Trace]
) -> None:
    for layers, records in ((0, 1), (1, 1), (100, 3)):
        rows = heat_map(HEAT_MAPS[name], made(layers, records), Look(*size, charset=charset))
        assert len(rows) == size[1]
        if charset == "ascii":
            assert all(text.isascii() for row in rows for text, *_ in row)


def test_a_deep_network_is_shown_as_a_map_until_another_view_is_chosen(
    drive: Callable[..., None], configured: Callable[..., Any]
) -> None:
    deep = {"data.name": "moons", "network.widths": [4] * 8, "training.steps": 5}

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.until(lambda: lab.panel(2).view == "gradient_map")
        assert lab.panel(1).view == "dead_map"
        await lab.until("100 % dead")
        await lab.press("2", "y")
        assert "gradient norm: this view has no axis to change" in lab.message
        await lab.press("v")
        assert lab.panel(2).view == "gradient_profile"
        await lab.press("v", "v", "v", "v")
        assert lab.panel(2).view == "gradient"
        lab.bench.apply({"network.widths": [4] * 7})
        await lab.until(lambda: lab.panel(1).view == "dead")

    drive(scenario, configured(deep), drawing=False)
