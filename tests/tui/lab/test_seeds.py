"""Other seeds beside the run: when they train, what is said, what the charts hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.stacks.over_seeds import MEASURES, SCALARS, OverSeeds
from caveats.trials import Start
from caveats_tui.bench.training import Training
from caveats_tui.charts.draw import draw
from caveats_tui.charts.lab_charts import FIGURES
from caveats_tui.charts.palette import network_colour, series_colour
from caveats_tui.charts.spec import Chart, Look
from caveats_tui.charts.trace import Trace
from caveats_tui.screens.lab.titles import seeds_told

Configured = Callable[..., RunConfig]
SMALL = {"data.name": "moons", "network.widths": [8], "training.steps": 60}


class Held:
    """A training of seeds that finds what the test says."""

    def __init__(self, start: Start, seeds: int, every: int | None) -> None:
        self.start, self.seeds, self.every = start, seeds, every
        self.found: tuple[OverSeeds, ...] = ()
        self.problem, self.over, self.stopped = "", False, False

    def stop(self) -> None:
        self.stopped = True


class Table:
    """A bench, and the trainings of seeds that it has started."""

    def __init__(self, config: RunConfig, seeds: int) -> None:
        self.made: list[Held] = []
        self.bench = Training(config, 10, seeding=self._make, seeds=seeds)
        self.bench.begin()
        self.look()

    def _make(self, start: Start, seeds: int, every: int | None) -> Held:
        self.made.append(Held(start, seeds, every))
        return self.made[-1]

    def look(self) -> None:
        """As the lab does once a frame, after every command so far."""
        assert self.bench.session is not None
        assert self.bench.session.settled()
        self.bench.heed()

    def step(self) -> None:
        self.bench.step()
        self.look()

    @property
    def seeds(self) -> OverSeeds | None:
        trace = self.bench.trace()
        assert trace is not None
        return trace.seeds


@pytest.fixture
def table(configured: Configured) -> Iterator[Callable[..., Table]]:
    tables: list[Table] = []

    def make(seeds: int = 4, **changes: Any) -> Table:
        tables.append(Table(configured({**SMALL, **changes}), seeds))
        return tables[-1]

    yield make
    for one in tables:
        one.bench.end()


def over(trace: Trace, seeds: int = 3, diverged: int = 0) -> OverSeeds:
    """Twice the numbers of a run as the mean, from the numbers themselves to three times."""
    snapshot = trace.snapshot

    def spread(values: Any) -> Any:
        return np.stack([2 * values, values, 3 * values])

    return OverSeeds(
        seeds, diverged, snapshot.steps,
        {name: spread(snapshot.scalar(name)) for name in SCALARS},
        {name: spread(snapshot.layers(name)) for name in MEASURES},
    )  # fmt: skip


def test_seeds_train_from_a_runs_first_step_on(table: Callable[..., Table]) -> None:
    one = table()
    assert one.made == []  # a setup that is still being made needs none
    one.step()
    one.look()
    (asked,) = one.made
    run = one.bench.session.run  # type: ignore[union-attr]
    assert run is not None
    assert (asked.seeds, asked.every) == (4, 10)
    assert asked.start.state is None
    assert asked.start.dataset is run.dataset
    assert asked.start.config == run.config.changed({"training.device": "cpu"})


def test_what_they_find_is_on_the_charts_until_the_next_run(table: Callable[..., Table]) -> None:
    one = table()
    one.step()
    asked = one.made[0]
    trace = one.bench.trace()
    assert trace is not None
    assert one.bench.seeds.beginning
    asked.found = (over(trace),)
    one.look()
    assert not one.bench.seeds.beginning
    assert one.seeds is asked.found[0]
    asked.over = True
    one.look()
    assert asked.stopped
    assert one.seeds is asked.found[0]
    one.bench.restart()
    one.look()
    assert one.seeds is None
    one.step()
    assert len(one.made) == 2


@pytest.mark.parametrize(
    ("leave", "again"),
    [
        (lambda b: b.restart(), False),
        (lambda b: b.apply({"network.widths": [4]}), False),
        (lambda b: b.seeds.ask(2), True),
    ],
    ids=["restart", "apply", "ask"],
)
def test_they_end_when_something_else_begins(
    table: Callable[..., Table], leave: Callable[[Training], object], again: bool
) -> None:
    one = table()
    one.step()
    leave(one.bench)
    one.look()
    assert one.made[0].stopped
    assert len(one.made) == 1 + again


def test_they_end_with_the_lab(table: Callable[..., Table]) -> None:
    one = table()
    one.step()
    one.bench.end()
    assert one.made[0].stopped


def test_a_change_in_mid_run_ends_the_band_and_says_so(table: Callable[..., Table]) -> None:
    one = table()
    one.step()
    one.bench.apply({"optimizer.lr": 0.01})
    one.look()
    assert one.made[0].stopped
    assert one.bench.notice.startswith("the band of seeds is gone: the setup was changed")
    one.look()
    assert len(one.made) == 1
    one.bench.restart()
    one.look()
    one.step()
    assert one.made[1].start.config.optimizer.lr == 0.01


def test_none_are_trained_unless_asked_for(table: Callable[..., Table]) -> None:
    one = table(seeds=1)
    one.step()
    assert one.made == []
    assert "3 seeds train beside each run" in one.bench.seeds.ask(3)
    one.look()
    assert [asked.seeds for asked in one.made] == [3]
    assert one.bench.seeds.ask(1) == "no other seeds train beside the run"
    one.look()
    assert one.made[0].stopped


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimizer.name": "muon"}, "optimizer.name = 'muon' cannot train as a stack"),
        ({"network.widths": [800, 800]}, "networks of 644,802 weights are too many"),
    ],
)
def test_networks_that_cannot_are_told_of_once(
    table: Callable[..., Table], changes: dict[str, Any], words: str
) -> None:
    one = table(**changes)
    one.step()
    assert one.made == []
    assert words in one.bench.notice
    one.bench.notice = ""
    one.look()
    assert one.bench.notice == ""
    assert sum(words in note for note in one.bench.notes) == 1


def with_band(one: Table) -> Trace:
    """Its charts, with a band of seeds."""
    one.step()
    trace = one.bench.trace()
    assert trace is not None
    one.made[0].found = (over(trace),)
    one.look()
    assert one.seeds is not None
    return trace


def test_a_process_that_fails_is_told_of(table: Callable[..., Table]) -> None:
    one = table()
    with_band(one)
    one.made[0].problem, one.made[0].over = "out of memory", True
    one.look()
    assert one.bench.notice == "no band of seeds: out of memory"
    assert one.seeds is None  # what it had found until then is no band of the whole run


def test_a_run_that_begins_between_two_frames_has_no_band_of_the_last(
    table: Callable[..., Table],
) -> None:
    """The charts may ask for the run before the lab has heard that it is a new one."""
    one = table()
    trace = with_band(one)
    one.bench.apply({"network.widths": [8, 8]})
    assert one.bench.session is not None
    assert one.bench.session.settled()  # the worker has made the run; `heed` has not been called
    newer = one.bench.trace()
    assert newer is not None
    assert len(newer.layers) == len(trace.layers) + 1
    assert newer.seeds is None


# The charts


def figure(name: str, trace: Trace) -> Chart:
    return FIGURES[name].make(trace, None, replace(Look(60, 20), log=FIGURES[name].log), None)


@pytest.fixture
def banded(made: Callable[..., Trace]) -> Trace:
    trace = made(2)
    return replace(trace, seeds=over(trace))


@pytest.mark.parametrize(
    ("name", "measure", "layers"),
    [("dead", "dead", 2), ("gradient", "grad_norm", 3), ("delta", "delta_rms", 3),
     ("update", "update_ratio", 3)],
)  # fmt: skip
def test_curves_over_steps_have_a_mean_and_a_band_of_each_layer(
    banded: Trace, name: str, measure: str, layers: int
) -> None:
    chart = figure(name, banded)
    values = banded.snapshot.layers(measure)
    dots = [curve for curve in chart.curves if curve.style == "dots"]
    assert len(dots) == len(chart.bands) == layers
    for i, (mean, band) in enumerate(zip(dots, chart.bands, strict=True)):
        np.testing.assert_array_equal(mean.y, 2 * values[:, i])
        assert mean.colour == network_colour(i, 2)
        np.testing.assert_array_equal(band.low, values[:, i])
        np.testing.assert_array_equal(band.high, 3 * values[:, i])
    assert chart.y_limits is not None
    assert name == "dead" or chart.y_limits[1] >= 3 * values[:, :layers].max()


@pytest.mark.parametrize(
    ("name", "measure"),
    [("gradient_profile", "grad_norm"), ("delta_profile", "delta_rms"), ("dead_profile", "dead"),
     ("activations", "activation_mean")],
)  # fmt: skip
def test_curves_across_layers_have_the_band_of_the_record_shown(
    banded: Trace, name: str, measure: str
) -> None:
    trace = replace(banded, cursor=1)
    chart = figure(name, trace)
    (band,) = chart.bands
    count = len(band.x)
    np.testing.assert_array_equal(band.low, trace.snapshot.layers(measure)[1, :count])
    (mean,) = [c for c in chart.curves if c.label == "seeds"]
    np.testing.assert_array_equal(mean.y, 2 * band.low)


def test_loss_and_accuracy_have_their_bands(banded: Trace) -> None:
    chart = figure("loss", banded)
    loss, accuracy = chart.bands
    np.testing.assert_array_equal(loss.low, banded.snapshot.scalar("loss"))
    heights = next(c for c in chart.curves if c.label == "accuracy").y
    np.testing.assert_allclose(accuracy.low, heights)
    assert accuracy.colour == loss.colour == series_colour("seeds")


def test_a_band_is_drawn_in_every_character_set(banded: Trace) -> None:
    chart = figure("loss", banded)
    assert any(span[2] == series_colour("seeds") for row in draw(chart) for span in row)
    plain = draw(replace(chart, charset="ascii"))
    assert any(":" in span[0] for row in plain for span in row)


def test_the_frame_says_how_many_seeds_and_how_far(banded: Trace) -> None:
    trace, seeds = banded, banded.seeds
    assert seeds is not None
    newest = int(trace.snapshot.steps[-1])
    assert seeds_told(replace(trace, steps=newest)) == "3 seeds"
    assert seeds_told(replace(trace, steps=newest + 1)) == f"3 seeds to step {newest}"
    gone = replace(trace, steps=newest + 1, seeds=over(trace, 3, 3))
    assert seeds_told(gone) == "3 seeds, 3 diverged"
    assert seeds_told(replace(trace, seeds=None)) == ""


# In the lab


def test_n_asks_how_many(drive: Any) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("n")
        assert "Each run's setup is trained with this many seeds" in lab.text
        await lab.press("9", "9")
        assert "'99' should be a whole number from 1 to 64" in lab.text
        await lab.press("backspace", "backspace", "5", "enter")
        assert lab.bench.seeds.count == 5
        await lab.press("n")
        lab.burst_keys("backspace", "7", "enter")
        await lab.calm()
        assert lab.bench.seeds.count == 7

    drive(scenario, drawing=False)
