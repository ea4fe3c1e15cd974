"""A chart's data as csv: read back by Python's own csv reader, and held against the records."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from caveats.config import RunConfig
from caveats.measures import SCALARS, UNIT_STATES
from caveats.run import Run
from caveats.theory import Prediction
from caveats.views import fitted_curve, plane
from caveats_tui.charts.as_csv import LARGEST_CSV, copied
from caveats_tui.charts.noise_scale import NoiseReadings
from caveats_tui.charts.trace import Trace
from caveats_tui.screens.lab.panel import VIEWS

Made = Callable[..., Trace]


def read(text: str | None) -> tuple[list[str], list[list[str]]]:
    assert text is not None
    head, *rows = csv.reader(io.StringIO(text))
    assert all(len(row) == len(head) for row in rows)
    return head, rows


@pytest.mark.parametrize(
    ("view", "measure", "layers"),
    [
        ("dead", "dead", ["layer 1", "layer 2", "layer 3"]),
        ("gradient", "grad_norm", ["layer 1", "layer 2", "layer 3", "output"]),
        ("delta", "delta_rms", ["layer 1", "layer 2", "layer 3", "output"]),
        ("update", "update_ratio", ["layer 1", "layer 2", "layer 3", "output"]),
    ],
)
def test_curves_over_the_steps_have_one_row_for_each_record(
    view: str, measure: str, layers: list[str], made: Made
) -> None:
    trace = replace(made(3, 5), cursor=1)  # the curves beyond a cursor are drawn, so they are told
    head, rows = read(copied(view, trace, None).text)
    assert head == ["step", *layers]
    assert [int(row[0]) for row in rows] == [0, 10, 20, 30, 40]
    values = np.array([row[1:] for row in rows], dtype=float)
    np.testing.assert_allclose(values, trace.snapshot.layers(measure)[:, : len(layers)], rtol=1e-8)


def test_the_loss_of_the_rows_held_out_is_copied_where_there_are_any(made: Made) -> None:
    trace = made(2, 4)
    numbers = trace.snapshot.table.copy()
    for name in ("validation_loss", "validation_accuracy"):
        numbers[:, list(SCALARS).index(name)] = np.nan
    numbers[1:, list(SCALARS).index("validation_loss")] = 0.5
    trace = replace(trace, snapshot=replace(trace.snapshot, table=numbers))
    head, rows = read(copied("loss", trace, None).text)
    assert head == ["step", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert [row[3:] for row in rows] == [["", ""], ["0.5", ""], ["0.5", ""], ["0.5", ""]]


def test_loss_and_accuracy_leave_out_what_was_not_measured(made: Made) -> None:
    trace = made(2, 4)
    numbers = trace.snapshot.table.copy()
    numbers[2, list(SCALARS).index("accuracy")] = np.nan
    numbers[3, list(SCALARS).index("loss")] = np.inf
    numbers[:, list(SCALARS).index("validation_loss")] = np.nan
    trace = replace(trace, snapshot=replace(trace.snapshot, table=numbers))
    head, rows = read(copied("loss", trace, None).text)
    assert head == ["step", "loss", "accuracy"]
    assert rows[2][2] == ""
    assert rows[3][1] == "inf"
    np.testing.assert_allclose(
        [float(row[1]) for row in rows], trace.snapshot.scalar("loss"), rtol=1e-8
    )


def test_profiles_tell_step_0_the_record_looked_at_and_theory(made: Made) -> None:
    trace = replace(made(2, 5), cursor=3)
    head, rows = read(copied("gradient_profile", trace, None).text)
    assert head == ["layer", "step 0", "step 30"]
    norms = trace.snapshot.layers("grad_norm")
    assert [row[0] for row in rows] == ["layer 1", "layer 2", "output"]
    np.testing.assert_allclose([float(row[1]) for row in rows], norms[0], rtol=1e-8)
    np.testing.assert_allclose([float(row[2]) for row in rows], norms[3], rtol=1e-8)

    said = Prediction(grad_norm=np.array([1.0, 2.0, 3.0]), delta_rms=np.array([0.1, 0.2, np.nan]))
    head, rows = read(copied("delta_profile", replace(trace, prediction=said), None).text)
    assert head[-1] == "theory"
    assert [row[-1] for row in rows] == ["0.1", "0.2", ""]


def test_the_neuron_map_has_one_row_for_each_hidden_unit(made: Made) -> None:
    trace = replace(made(2, 3, units=5), cursor=1)
    head, rows = read(copied("neurons", trace, None).text)
    assert head == ["layer", "unit", "state"]
    expected = [
        [f"layer {layer + 1}", str(unit), UNIT_STATES[trace.snapshot.states[1][layer][unit]]]
        for layer in range(2)
        for unit in range(5)
    ]
    assert rows == expected


def test_a_boundary_has_one_row_for_each_cell_in_units_of_the_data() -> None:
    run = Run(RunConfig().changed({"data.name": "moons", "network.widths": [8]}, "test"))
    seen = plane(run.trainer.network, run.dataset, 12, 7)
    head, rows = read(copied("boundary", None, seen).text)
    assert head == ["x1", "x2", "class", "confidence"]
    assert len(rows) == 12 * 7
    points = np.array([row[:2] for row in rows], dtype=np.float32)
    # asked anew, point by point, in float32 as the network is
    network = run.trainer.network.eval()
    with torch.no_grad():
        shares = torch.softmax(network(torch.from_numpy(points)), 1).max(1)
    given = shares.indices.numpy()
    sure = np.array([float(row[3]) for row in rows])
    np.testing.assert_allclose(sure, shares.values.numpy(), rtol=1e-4)
    assert (given == np.array([int(row[2]) for row in rows])).mean() > 0.98  # 9 digits, not 17
    x = run.dataset.x
    assert points[:, 0].min() < x[:, 0].min() + (x[:, 0].max() - x[:, 0].min()) / 12
    assert points[0, 1] > points[-1, 1], "the top row first"


def test_of_a_large_boundary_every_second_line_is_copied() -> None:
    run = Run(RunConfig().changed({"data.name": "moons", "network.widths": [8]}, "test"))
    _, rows = read(copied("boundary", None, plane(run.trainer.network, run.dataset, 77, 48)).text)
    assert len(rows) == 77 * 24


def test_a_fit_is_what_the_network_says_along_the_line() -> None:
    run = Run(RunConfig().changed({"data.name": "sine", "training.loss": "mse"}, "test"))
    seen = fitted_curve(run.trainer.network, run.dataset, 30)
    head, rows = read(copied("fit", None, seen).text)
    assert head == ["x", "network"]
    np.testing.assert_allclose(np.array(rows, float)[:, 0], seen.grid, rtol=1e-8)
    np.testing.assert_allclose(np.array(rows, float)[:, 1], seen.output, rtol=1e-8)


@pytest.mark.parametrize("view", [view for views in VIEWS for view in views])
def test_every_view_has_csv_or_says_that_it_is_empty(view: str, made: Made) -> None:
    assert copied(view, None, None).text is None
    assert "empty" in copied(view, None, None).sentence
    if view not in ("boundary", "fit"):
        asked = NoiseReadings(np.array([0.0, 5.0]), np.array([31.5, np.nan]), 64)
        found = copied(view, made(3, 4), asked if view == "noise" else None)
        _, rows = read(found.text)
        assert rows
        assert f"copied {len(rows)} rows" in found.sentence


def test_data_too_large_are_thinned_keeping_the_last_record_with_a_message(made: Made) -> None:
    trace = made(20, 900)
    found = copied("gradient", trace, None)
    assert found.text is not None
    assert LARGEST_CSV / 2 < len(found.text) <= LARGEST_CSV
    _, rows = read(found.text)
    steps = [int(row[0]) for row in rows]
    assert steps[-1] == int(trace.snapshot.steps[-1])
    assert len(set(np.diff(steps))) == 1
    assert f"copied {len(rows)} of 900 records" in found.sentence


def test_data_that_cannot_be_thinned_are_refused_with_their_size(made: Made) -> None:
    found = copied("neurons", made(8, 2, units=700), None)
    assert found.text is None
    assert "not copied" in found.sentence
    assert "KB" in found.sentence
