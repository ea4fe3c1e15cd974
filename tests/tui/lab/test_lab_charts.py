"""Every figure of the lab holds the numbers of the records, on the axis where they belong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from caveats.facts import OptimizerFacts, RunFacts
from caveats.history import Event, History
from caveats.theory import Prediction
from caveats.views import FittedCurve
from caveats_tui.charts.draw import draw
from caveats_tui.charts.lab_charts import FIGURES, curves_drawn, fit, round_up
from caveats_tui.charts.palette import network_colour, series_colour
from caveats_tui.charts.spec import Chart, Curve, Look
from caveats_tui.charts.trace import Trace
from caveats_tui.screens.explanation import EVIDENCE
from caveats_tui.screens.lab.titles import told

Made = Callable[..., Trace]
LOOK = Look(60, 20)
OVER_STEPS = {
    "dead": "dead", "gradient": "grad_norm", "delta": "delta_rms", "update": "update_ratio",
}  # fmt: skip
ACROSS_LAYERS = {
    "dead_profile": "dead", "gradient_profile": "grad_norm", "delta_profile": "delta_rms",
}  # fmt: skip


def figure(name: str, trace: Trace, ghost: Trace | None = None, look: Look = LOOK) -> Chart:
    log = FIGURES[name].log
    return FIGURES[name].make(trace, ghost, replace(look, log=log), None)


def named(chart: Chart, label: str) -> Curve:
    [curve] = [curve for curve in chart.curves if curve.label == label]
    return curve


@pytest.mark.parametrize("name", OVER_STEPS)
def test_each_layers_curve_holds_what_was_measured(name: str, made: Made) -> None:
    trace = made(3)
    chart = figure(name, trace)
    hidden_only = name == "dead"
    assert [c.label for c in chart.curves] == ["1", "2", "3", "out"][: 4 - hidden_only]
    for layer, curve in enumerate(chart.curves):
        np.testing.assert_array_equal(curve.x, [0, 10, 20, 30, 40])
        np.testing.assert_array_equal(curve.y, trace.snapshot.layers(OVER_STEPS[name])[:, layer])
        assert curve.colour == network_colour(layer, 3)


@pytest.mark.parametrize("name", OVER_STEPS)
def test_a_ghost_lies_dim_dotted_and_unnamed_behind_the_run(name: str, made: Made) -> None:
    trace, ghost = made(2, seed=1), made(2, 8, seed=2)
    curves = figure(name, trace, ghost).curves
    half = len(curves) // 2
    layers = 2 if name == "dead" else 3
    assert half == layers
    for layer in range(layers):
        measured = ghost.snapshot.layers(OVER_STEPS[name])[:, layer]
        np.testing.assert_array_equal(curves[layer].y, measured)
        assert curves[layer].colour == network_colour(layer, 2, dim=True)
        assert (curves[layer].style, curves[layer].label) == ("dots", "")
        assert curves[half + layer].colour == network_colour(layer, 2)


@pytest.mark.parametrize(("before", "times"), [(230.0, 0.01), (2.3, 1.0), (float("nan"), 1.0)])
def test_a_ghosts_loss_is_compared_with_that_of_a_guess(
    before: float, times: float, made: Made
) -> None:
    """A target in dollars and one that is standardized have no axis in common."""
    run, ghost = (
        replace(made(2, seed=seed), history=History(("1", "2"), facts=RunFacts(baseline=guess)))
        for seed, guess in ((1, 2.3), (2, before))
    )
    behind = next(c for c in figure("loss", run, ghost).curves if c.style == "dots" and not c.label)
    np.testing.assert_allclose(behind.y, ghost.snapshot.scalar("loss") * times)


@pytest.mark.parametrize("name", OVER_STEPS)
def test_every_number_lies_within_the_axis(name: str, made: Made) -> None:
    chart = figure(name, made(4, seed=3), made(2, 9, seed=4))
    assert chart.y_limits is not None
    low, high = chart.y_limits
    for curve in chart.curves:
        assert low <= curve.y.min()
        assert curve.y.max() <= high


def test_the_axis_of_steps_starts_at_0_and_ends_with_the_longer_run(made: Made) -> None:
    short, long = made(2, 3, steps=1000), made(2, 9, steps=2000)  # up to steps 20 and 80
    assert figure("loss", short).x_limits == (0, 20)
    assert figure("loss", short, long).x_limits == (0, 80)


@pytest.mark.parametrize(
    ("records", "planned", "end"),
    [(3, 0, 20), (4, 0, 30), (9, 0, 80), (10, 0, 100), (14, 0, 150), (10, 180, 180), (10, 95, 95)],
)
def test_the_axis_of_steps_follows_the_data_and_from_half_on_the_planned_steps(
    records: int, planned: int, end: int, made: Made
) -> None:
    assert figure("loss", made(2, records, steps=planned)).x_limits == (0, end)


@pytest.mark.parametrize("newest", [10, 11, 99, 100, 101, 1234, 99_999, 10**9])
def test_an_axis_is_at_most_a_third_longer_than_the_data(newest: int) -> None:
    assert newest <= round_up(newest) <= newest * 4 / 3


def test_a_run_that_has_just_begun_has_an_axis_already(made: Made) -> None:
    assert figure("loss", made(2, 1)).x_limits == (0, 10)


def predicting(trace: Trace, **arrays: object) -> Trace:
    return replace(trace, prediction=Prediction(**arrays))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "field"), [("gradient", "grad_norm"), ("delta", "delta_rms"), ("dead", "")]
)
def test_theory_is_a_mark_on_the_axis_for_each_layer(name: str, field: str, made: Made) -> None:
    said = np.array([0.125, np.nan, 0.5, 0.25])
    trace = made(3, units=8)
    # Of 8 units an eighth is one.
    arrays = {"dead_fraction": said} if name == "dead" else {field: said}
    values = said * (8 if name == "dead" else 1)
    chart = figure(name, predicting(trace, **arrays))
    layers = [0, 2] if name == "dead" else [0, 2, 3]  # layer 2 is not predicted
    assert chart.expected == tuple((values[layer], network_colour(layer, 3)) for layer in layers)
    assert chart.y_limits is not None
    assert all(chart.y_limits[0] <= value <= chart.y_limits[1] for value, _ in chart.expected)


def test_without_a_prediction_nothing_is_expected(made: Made) -> None:
    for trace in (made(3), predicting(made(3), note="theory knows no batch normalization")):
        for name in OVER_STEPS:
            assert figure(name, trace).expected == ()


@pytest.mark.parametrize("log", [False, True])
def test_accuracy_is_laid_over_the_loss_from_the_bottom_to_the_top(log: bool, made: Made) -> None:
    trace = made(2)
    trace.snapshot.table.flags.writeable = True
    trace.snapshot.scalar("accuracy")[:] = [0, 0.25, 0.5, 0.75, 1]
    chart = FIGURES["loss"].make(trace, None, replace(LOOK, log=log), None)
    assert chart.y_limits is not None
    low, high = chart.y_limits
    laid = named(chart, "accuracy").y
    heights = np.log(laid / low) / np.log(high / low) if log else (laid - low) / (high - low)
    np.testing.assert_allclose(heights, [0, 0.25, 0.5, 0.75, 1], atol=1e-12)
    np.testing.assert_array_equal(named(chart, "loss").y, trace.snapshot.scalar("loss"))
    assert (named(chart, "loss").colour, named(chart, "accuracy").colour) == (
        series_colour("loss"), series_colour("accuracy")
    )  # fmt: skip


def test_the_axis_of_unit_counts_goes_from_0_to_above_the_largest(made: Made) -> None:
    for name, figure_of in EVIDENCE.items():
        if "units" in figure_of.title:
            chart = figure_of.make(made(3, seed=5, units=50), None, LOOK, None)
            assert chart.y_limits is not None, name
            assert chart.y_limits[0] == 0
            assert chart.y_limits[1] >= max(4, *(curve.y.max() for curve in chart.curves))
            assert [curve.label for curve in chart.curves] == ["1", "2", "3"]


def test_on_a_linear_axis_the_loss_stands_on_0(made: Made) -> None:
    chart = FIGURES["loss"].make(made(2), None, LOOK, None)
    assert chart.y_limits is not None
    assert chart.y_limits[0] == 0


@pytest.mark.parametrize("log", [True, False])
def test_the_rows_held_out_are_drawn_dim_behind_the_others(log: bool) -> None:
    history = History(("layer 1", "output"))
    for step in range(4):
        told = {"loss": 1 / (1 + step), "accuracy": 0.8, "validation_loss": 2.0 + step}
        history.append(step, {**told, "validation_accuracy": 0.25}, {})
    chart = FIGURES["loss"].make(
        Trace(history.snapshot(), history.layers, 10), None, replace(LOOK, log=log), None
    )
    labels = [curve.label for curve in chart.curves]
    assert labels == ["held out", "loss", "", "accuracy"]
    held_out, _, accuracy, _ = chart.curves
    assert held_out.y.tolist() == [2, 3, 4, 5]
    assert held_out.colour == series_colour("held_out")
    assert accuracy.colour == series_colour("held_out_accuracy")
    assert chart.y_limits is not None
    low, high = chart.y_limits
    assert high >= 5
    middle = low * (high / low) ** 0.25 if log else low + (high - low) * 0.25
    assert accuracy.y == pytest.approx([middle] * 4)


@pytest.mark.parametrize(
    ("optimizer", "limit"),
    [
        (OptimizerFacts("sgd", 0.1, adaptive=False), 20.0),
        (OptimizerFacts("momentum", 0.1, adaptive=False, momentum=0.9), 38.0),
        (OptimizerFacts("adagrad", 0.1, adaptive=True), None),
    ],
)
def test_the_sharpness_is_drawn_where_it_was_read_against_its_limit(
    optimizer: OptimizerFacts, limit: float | None
) -> None:
    history = History(("layer 1", "output"), facts=RunFacts(optimizer=optimizer))
    for step, value in enumerate([5.0, np.nan, 8.0, np.nan]):
        history.append(10 * step, {"loss": 1.0, "sharpness": value}, {})
    trace = Trace(history.snapshot(), history.layers, 100, history=history)
    chart = figure("sharpness", trace)
    assert named(chart, "sharpness").x.tolist() == [0, 20]
    assert named(chart, "sharpness").y.tolist() == [5, 8]
    lines = [c for c in chart.curves if c.label == "limit"]
    assert len(lines) == (limit is not None)
    for line in lines:
        np.testing.assert_allclose(line.y, limit)
    assert chart.y_limits is not None
    assert chart.y_limits[1] >= (limit or 8) - 1e-9
    said = told("sharpness", "sharpness", trace)[1]
    assert said == ("8" if limit is None else f"8 · limit {limit:g}")


def test_a_regression_has_no_accuracy_to_draw() -> None:
    history = History(("layer 1", "output"))
    history.append(0, {"loss": 1.0}, {})
    chart = figure("loss", Trace(history.snapshot(), history.layers, 10))
    assert [curve.label for curve in chart.curves] == ["loss"]


def test_a_loss_that_was_never_finite_draws_nothing_and_breaks_nothing() -> None:
    history = History(("layer 1", "output"))
    history.append(0, {"loss": float("nan"), "accuracy": 0.1}, {})
    trace = Trace(history.snapshot(), history.layers, 10)
    for name in FIGURES:
        figure(name, trace)
    assert [curve.label for curve in figure("loss", trace).curves] == ["loss"]


@pytest.mark.parametrize("count", [0, 1, 3, 10, 11, 12, 30, 1000])
def test_of_many_layers_ten_are_drawn_with_the_first_and_the_last(count: int) -> None:
    drawn = curves_drawn(count)
    assert len(drawn) == min(count, 10)
    assert drawn == sorted(set(drawn))
    if count:
        assert (drawn[0], drawn[-1]) == (0, count - 1)
        gaps = np.diff(drawn)
        assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


def test_curves_of_a_deep_network_keep_their_own_colours_and_names(made: Made) -> None:
    chart = figure("dead", made(30))
    assert [c.label for c in chart.curves] == [str(i + 1) for i in curves_drawn(30)]
    assert [c.colour for c in chart.curves] == [network_colour(i, 30) for i in curves_drawn(30)]


@pytest.mark.parametrize("name", ACROSS_LAYERS)
def test_across_layers_shows_step_0_and_now(name: str, made: Made) -> None:
    trace = made(3)
    values = trace.snapshot.layers(ACROSS_LAYERS[name])
    count = 3 if name == "dead_profile" else 4
    chart = figure(name, trace)
    for label, record in (("step 0", 0), ("now", -1)):
        curve = named(chart, label)
        np.testing.assert_array_equal(curve.x, np.arange(1, count + 1))
        np.testing.assert_array_equal(curve.y, values[record, :count])
    assert chart.x_limits == (0.5, count + 0.5)
    assert chart.x_ticks is not None
    assert [int(label) for _, label in chart.x_ticks] == list(range(1, count + 1))


def test_no_axis_of_counts_goes_beyond_the_widest_layer(made: Made) -> None:
    trace = made(3)
    widest = trace.snapshot.layers("units")[-1, :-1].max()
    for name in ("dead", "dead_profile"):
        limits = figure(name, trace).y_limits
        assert limits is not None
        assert limits[0] == 0
        assert limits[1] <= widest


def test_across_layers_shows_what_is_expected_with_its_band(made: Made) -> None:
    said = np.array([0.1, 0.2, 0.3, 0.4])
    trace = predicting(made(3), grad_norm=said, band=(said / 2, said * 2))
    chart = figure("gradient_profile", trace)
    assert named(chart, "expected").style == "dots"
    assert list(named(chart, "expected").y) == list(said)
    [band] = chart.bands
    assert (list(band.low), list(band.high)) == (list(said / 2), list(said * 2))
    assert chart.y_limits is not None
    assert chart.y_limits[0] <= 0.05
    assert chart.y_limits[1] >= 0.8


def test_activations_are_their_mean_and_one_standard_deviation_to_each_side(made: Made) -> None:
    trace = made(3)
    mean = trace.snapshot.layers("activation_mean")[-1, :3]
    std = trace.snapshot.layers("activation_std")[-1, :3]
    chart = figure("activations", trace)
    np.testing.assert_array_equal(named(chart, "mean").y, mean)
    np.testing.assert_allclose(named(chart, "mean + std").y, mean + std)
    np.testing.assert_allclose(named(chart, "mean - std").y, mean - std)
    first = trace.snapshot.layers("activation_mean")[0, :3]
    np.testing.assert_array_equal(named(chart, "at step 0").y, first)


def test_a_change_and_a_divergence_are_marked_where_they_happened() -> None:
    history = History(("layer 1", "output"))
    history.append(0, {"loss": 1.0}, {})
    history.append(50, {"loss": 2.0}, {})
    history.note(Event(20, "change", "optimizer.lr → 9"))
    history.note(Event(50, "diverged", "layer 1"))
    trace = Trace(history.snapshot(), history.layers, 100)
    for name in ("dead", "gradient", "loss"):
        marks = figure(name, trace).marks
        assert [(mark.x, mark.label) for mark in marks] == [(20, "change"), (50, "diverged")]


def test_a_fit_shows_the_targets_and_the_network_over_the_whole_input() -> None:
    grid = np.linspace(-2, 2, 9)
    seen = FittedCurve(grid, grid**2, np.array([-1.0, 1.0]), np.array([1.5, 0.5]))
    chart = fit(seen, LOOK)
    assert chart.x_limits == (-2, 2)
    np.testing.assert_array_equal(named(chart, "prediction").y, grid**2)
    targets = chart.curves[-1]  # on top
    assert targets.label == "targets"
    assert targets.style == "points"
    np.testing.assert_array_equal(targets.y, seen.y)


@pytest.mark.parametrize("layers", [0, 1])
@pytest.mark.parametrize("name", FIGURES)
def test_a_network_without_depth_has_every_figure(name: str, layers: int, made: Made) -> None:
    chart = figure(name, made(layers), made(2))
    assert (chart.width, chart.height) == (LOOK.width, LOOK.height)


@pytest.mark.parametrize("dark", [True, False])
def test_a_layer_has_one_colour_in_all_charts_and_the_output_a_neutral_one(
    made: Made, dark: bool
) -> None:
    trace = made(4)
    look = Look(60, 12, dark, True, "braille")
    colours: dict[str, set[int]] = {}
    for view in ("dead", "gradient", "delta", "update"):
        for curve in FIGURES[view].make(trace, None, look, None).curves:
            colours.setdefault(curve.label, set()).add(curve.colour)
    assert all(len(found) == 1 for found in colours.values()), colours
    assert colours["out"] == {series_colour("output", dark=dark)}
    assert len(set.union(*colours.values())) == 5


@pytest.mark.parametrize("units", [2, 8, 64, 100])
def test_the_axis_of_counts_ends_at_the_width_of_the_layers(made: Made, units: int) -> None:
    trace = made(2, units=units)
    chart = FIGURES["dead"].make(trace, None, Look(60, 12, True, False, "braille"), None)
    assert chart.y_limits is not None
    most = max(float(np.nanmax(curve.y)) for curve in chart.curves)
    assert most <= chart.y_limits[1] <= units


def test_a_line_far_from_all_losses_is_left_out(made: Made) -> None:
    """Where the data hold no noise, kernel regression reaches a loss of 1e-6 and less."""
    trace = made(2)
    history = History(trace.layers, facts=RunFacts(baseline=float("nan"), reachable=1e-6))
    labels = [c.label for c in figure("loss", replace(trace, history=history)).curves]
    assert labels == ["loss", "accuracy"]


def test_the_loss_chart_shows_guessing_and_what_the_data_allow(made: Made) -> None:
    trace = made(2)
    assert trace.history is None
    allowed = 0.5 * float(trace.snapshot.scalar("loss").min())
    history = History(trace.layers, facts=RunFacts(baseline=2.3, reachable=allowed))
    with_facts = replace(trace, history=history)
    chart = figure("loss", with_facts)
    for label, value in (("guess", 2.3), ("data allow", allowed)):
        line = named(chart, label)
        assert set(line.y.tolist()) == {value}
        assert (line.x[0], line.x[-1]) == (0, 40)
    assert chart.y_limits is not None
    assert chart.y_limits[0] <= allowed
    assert chart.y_limits[1] >= 2.3


@pytest.mark.parametrize("log", [True, False])
def test_the_accuracys_axis_goes_from_0_to_100_percent(made: Made, log: bool) -> None:
    chart = FIGURES["loss"].make(made(2), None, replace(LOOK, log=log), None)
    assert chart.y_limits is not None
    low, high = chart.y_limits
    middle = (low * high) ** 0.5 if log else (low + high) / 2
    assert [label for _, label in chart.right_ticks] == ["0%", "50%", "100%"]
    np.testing.assert_allclose([h for h, _ in chart.right_ticks], [low, middle, high])
    assert chart.right_colour == named(chart, "accuracy").colour
    rows = ["".join(text for text, *_ in row) for row in draw(chart)]
    assert rows[0].endswith("100%")
    assert any(row.endswith("  0%") for row in rows)


@pytest.mark.parametrize("name", ["dead", "gradient"])
def test_a_curve_goes_on_over_what_is_not_known_and_marks_what_is_not_finite(
    name: str, made: Made
) -> None:
    """A watched training knows no dead unit before 512 rows, and no gradient of its last weights;
    where the loss is not finite either, a number is lost, and × says so."""
    trace = made(2)
    measure = {"dead": "dead", "gradient": "grad_norm"}[name]
    trace.snapshot.cube.flags.writeable = True
    trace.snapshot.table.flags.writeable = True
    trace.snapshot.layers(measure)[[0, -1], 0] = np.nan
    chart = FIGURES[name].make(trace, None, Look(60, 20), None)
    assert chart.curves[0].x.tolist() == trace.snapshot.steps[1:-1].tolist()
    assert not any("×" in part[0] for row in draw(chart) for part in row)
    trace.snapshot.scalar("loss")[-1] = np.nan
    chart = FIGURES[name].make(trace, None, Look(60, 20), None)
    assert any("×" in part[0] for row in draw(chart) for part in row)
    trace.snapshot.layers(measure)[:, 0] = np.nan  # of no step is anything known
    trace.snapshot.scalar("loss")[:] = 1.0
    chart = FIGURES[name].make(trace, None, Look(60, 20), None)
    assert not any("×" in part[0] for row in draw(chart) for part in row)
