"""The decision boundary shows every point's class and how sure the network is of it, on axes."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
import torch

from caveats.config import RunConfig
from caveats.run import Run
from caveats.views import Plane, firing_rates, plane
from caveats_tui.charts.boundary import boundary_map, grid_size
from caveats_tui.charts.spec import Charset, Look, Rows


def text(rows: Rows) -> list[str]:
    return ["".join(run[0] for run in row) for row in rows]


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


def made(classes: list[list[int]], points: list[list[float]], truth: list[int]) -> Plane:
    """A network that is sure of every class, and right at every point but the last."""
    grid = np.array(classes)
    right = np.array([True] * (len(truth) - 1) + [False])
    corners = np.array([[0.0, 0.0], [1.0, 1.0]])
    return Plane(grid, np.ones(grid.shape), 3, np.array(points), np.array(truth), right, corners)


def test_a_half_cell_has_the_colour_of_the_class_that_the_network_says_there(moons: Run) -> None:
    """The network is asked again, point by point, where no row of the data covers the cell."""
    look = Look(40, 13)
    width, height = grid_size(look)
    assert (width, height) == (34, 24)
    x = moons.dataset.x
    low, high = x.min(0), x.max(0)
    pad = 0.08 * (high - low)
    low, high = low - pad, high + pad
    drawn = cells(boundary_map(plane(moons.trainer.network, moons.dataset, width, height), look))
    shades: dict[int, dict[int | None, list[float]]] = {0: {}, 1: {}}
    for line in range(height):
        for column in range(width):
            char, ink, paper = drawn[line // 2][6 + column]
            if char not in "▀ ":
                continue
            point = low + (high - low) * [(column + 0.5) / width, 1 - (line + 0.5) / height]
            with torch.no_grad():
                output = moons.trainer.network(torch.tensor(point[None], dtype=torch.float32))
            share, said = torch.softmax(output[0], 0).max(0)
            colour = paper if char == " " or line % 2 else ink
            shades[int(said)].setdefault(colour, []).append(float(share))
    assert not set(shades[0]) & set(shades[1])
    for found in shades.values():
        ordered = sorted(found.values(), key=min)
        assert len(ordered) <= 3
        assert all(max(a) <= min(b) for a, b in pairwise(ordered)), "surer is another shade"


def test_points_lie_where_they_are_and_a_wrong_one_is_a_cross() -> None:
    seen = made([[0] * 10] * 8, [[0.05, 0.05], [0.95, 0.95]], [0, 1])
    rows = text(boundary_map(seen, Look(10, 4)))
    assert rows == ["         ×", " " * 10, " " * 10, "•         "]


def test_in_ascii_letters_are_classes_and_capitals_points() -> None:
    seen = made([[0, 0, 1, 1], [0, 2, 2, 1]], [[0.1, 0.1], [0.9, 0.9], [0.4, 0.9]], [0, 1, 1])
    rows = boundary_map(seen, Look(4, 2, charset="ascii"))
    assert text(rows) == ["a#bB", "Accb"]
    assert all(run[2] is None for row in rows for run in row)


@pytest.mark.parametrize("size", [(24, 8), (43, 17), (90, 40)])
@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_axes_tell_where_a_cell_lies(size: tuple[int, int], charset: Charset) -> None:
    look = Look(*size, charset=charset)
    width, height = grid_size(look)
    seen = made([[0] * width] * height, [[0.5, 0.5]], [0])
    rows = text(boundary_map(seen, look))
    assert [len(row) for row in rows] == [size[0]] * size[1]
    marked = [(r, float(row[:5])) for r, row in enumerate(rows[:-1]) if row[:5].strip()]
    assert len(marked) >= 2
    for r, value in marked:
        assert value == pytest.approx(1 - (r + 0.5) / (len(rows) - 1), abs=1 / (len(rows) - 1))
    for found in re.finditer(r"[0-9.]+", rows[-1]):
        middle = (found.start() + found.end()) / 2 - 6
        assert float(found[0]) == pytest.approx(middle / width, abs=2 / width)
    if charset == "ascii":
        assert "".join(rows).isascii()


def test_a_rate_is_the_share_of_rows_on_which_a_unit_fires(moons: Run) -> None:
    """Counted from the activations themselves, on the same rows."""
    data, network = moons.dataset, moons.trainer.network
    chosen = np.linspace(0, len(data.x) - 1, 300).astype(int)
    with torch.no_grad():
        after = torch.relu(network[0].linear(torch.tensor(data.x[chosen], dtype=torch.float32)))
    [rates] = firing_rates(network, data)
    np.testing.assert_allclose(rates, (after > 0).double().mean(0).numpy())


def test_an_activation_that_is_flat_nowhere_has_no_rate() -> None:
    config = RunConfig().changed(
        {"data.name": "moons", "network.widths": [4, 4], "network.activation": "tanh"}, "test"
    )
    run = Run(config)
    assert [len(rates) for rates in firing_rates(run.trainer.network, run.dataset)] == [0, 0]
