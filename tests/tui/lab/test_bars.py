"""The header says how far a run has come, and what is left at its present speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.content import Content

from caveats.config import RunConfig
from caveats.facts import RunFacts
from caveats.history import History
from caveats_tui.charts.trace import Trace
from caveats_tui.screens.lab.bars import ahead
from caveats_tui.screens.lab.titles import beside_loss, ending, layer_names, told, whole, with_ghost
from caveats_tui.text.numbers import brief


@pytest.mark.parametrize(
    ("step", "steps", "speed", "said"),
    [
        (420, 1000, 10.0, "42 %  0:58 left"),
        (0, 3600, 1.0, "0 %  1:00:00 left"),
        (1000, 1000, 10.0, "100 %  0:00 left"),
        (2000, 1000, 10.0, "100 %  0:00 left"),  # the number of steps was lowered
        (10, 1000, 0.0, ""),
        (10, 0, 5.0, ""),
    ],
)
def test_what_is_done_and_what_is_left(step: int, steps: int, speed: float, said: str) -> None:
    assert ahead(step, steps, speed) == said


def test_the_step_moves_between_two_records(
    drive: Callable[..., None], configured: Callable[..., RunConfig]
) -> None:
    """With a record every million steps: the charts stand still, and the header counts."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("space")
        seen: set[str] = set()

        def counts() -> bool:
            seen.add(lab.rows[0].rpartition("step ")[2].partition("/")[0])
            return len(seen) > 3

        await lab.until(counts)
        await lab.until(" left ")
        assert len(lab.bench.trace().snapshot) == 1

    settings = {"data.name": "moons", "network.widths": [8], "training.steps": 10**8}
    drive(scenario, configured(settings), every=10**6, drawing=False)


@pytest.mark.parametrize(
    ("room", "title"),
    [
        (50, "2 gradient norm (log): layer 1 0.45 · out 2.3"),
        (42, "2 gradient (log): layer 1 0.45 · out 2.3"),
        (39, "2 gradient norm: layer 1 0.45 · out 2.3"),
        (38, "2 gradient: layer 1 0.45 · out 2.3"),
        (30, "2 gradient: 0.45 · out 2.3"),
        (25, "2 gradient 0.45 · 2.3"),
        (20, "2 gradient: out 2.3"),
    ],
)
def test_the_title_of_a_chart_is_never_cut_before_its_value(room: int, title: str) -> None:
    assert whole("2 gradient norm", " (log)", "layer 1 0.45 · out 2.3", room) == title


def test_a_watched_layer_keeps_its_name_in_a_title_until_there_is_no_room() -> None:
    said = f"{ending('encoder.blocks.0.feed_forward')} 0.45 · {ending('fc2')} 2.3"
    assert said == "..ed_forward 0.45 · fc2 2.3"
    assert whole("2 gradient norm", " (log)", said, 60) == f"2 gradient norm (log): {said}"
    assert whole("2 gradient norm", " (log)", said, 30) == "2 gradient: 0.45 · fc2 2.3"
    assert (ending("layer 1"), ending("output")) == ("layer 1", "out")


@pytest.mark.parametrize(
    ("room", "title"),
    [
        (50, "3 train (log): loss 3.1e-5 · accuracy 99.9%"),
        (40, "3 train: loss 3.1e-5 · accuracy 99.9%"),
        (30, "3 train: 3.1e-5 · 99.9%"),
        (20, "3 train: 3.1e-5"),
    ],
)
def test_the_title_of_the_loss_says_that_it_is_that_of_training(room: int, title: str) -> None:
    assert whole("3 train", " (log)", "loss 3.1e-5 · accuracy 99.9%", room) == title


def test_a_regression_has_a_loss_and_no_accuracy() -> None:
    history = History(("layer 1", "output"))
    history.append(0, {"loss": 0.000123}, {})
    first = Trace(history.snapshot(), history.layers, 10)
    assert told("loss", "loss", first) == ("train", "loss 0.000123")
    history.append(1, {"loss": 0.5, "accuracy": 0.25}, {})
    second = Trace(history.snapshot(), history.layers, 10)
    assert told("loss", "loss", second)[1] == "loss 0.5 · accuracy 25.0%"


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (40, "before: lr 0.3, init zeros · layer 1 2"),
        (34, "before: lr 0.3 +1 · layer 1 2"),
        (28, "before: lr 0.3, init zeros"),
        (20, "before: lr 0.3 +1"),
        (10, "before: lr"),
    ],
)
def test_the_legend_says_what_was_otherwise_before(room: int, said: str) -> None:
    legend = with_ghost(("lr 0.3", "init zeros"), Content("layer 1 2"), room, True)
    assert legend.plain == said


def test_a_yardstick_off_the_chart_is_told_below_it(made: Callable[..., Trace]) -> None:
    trace = made(2)
    history = History(trace.layers, facts=RunFacts(baseline=2.3, reachable=1.2e-6))
    known = replace(trace, history=history)
    known.snapshot.table.flags.writeable = True
    known.snapshot.scalar("validation_loss")[-1] = 0.5
    held_out = beside_loss(known, 20)
    assert held_out == "held out 0.5"
    assert beside_loss(known, 40) == "held out 0.5; data allow 1.2e-6"


def test_a_narrow_chart_says_that_its_number_is_the_sharpness() -> None:
    assert whole("4 sharpness", " (log)", "3.23 · limit 127", 24) == "4 sharpness: 3.23"
    assert whole("4 noise scale", " (log)", "21,500 · batch 64", 24) == "4 noise: 21,500"


def test_a_narrow_chart_names_its_counts() -> None:
    assert whole("1 dead neurons by layer", "", "188 of 192", 26) == "1 dead neurons: 188 of 192"
    assert whole("1 dead neurons by layer", "", "188 of 192", 20) == "1 dead: 188 of 192"
    assert whole("4 neurons", "", "188 of 1920 dead", 24) == "4 neurons: 188/1920 dead"
    values = "layer 1 0.00035 · out 0.0038"
    assert whole("4 update/weight", " (log)", values, 24) == "4 update: out 0.0038"


@pytest.mark.parametrize("name", ["gradient norm", "delta", "update/weight"])
def test_no_number_stands_in_a_title_without_what_it_is(name: str) -> None:
    """The charts of the layers look alike: only the title tells which one it is."""
    for first, last in ((0.45, 2.3), (0.000345, 0.00123), (1.23e-10, 4.56e-10)):
        value = f"layer 1 {brief(first, 3)} · out {brief(last, 3)}"
        said = whole(f"2 {name}", " (log)", value, 24)
        assert len(said) <= 24
        assert said.startswith(f"2 {name[:5]}")
        assert brief(last, 3) in said


def test_no_key_is_silent(drive: Callable[..., None], configured: Callable[..., RunConfig]) -> None:
    """A key that can do nothing says why."""

    async def scenario(lab: Any) -> None:
        await lab.press("g")
        assert "no curves yet" in lab.message or lab.bench.ghost is not None
        await lab.opened()
        await lab.press("3", "v")
        await lab.until("chart 3 has only this view")
        await lab.press("space")
        await lab.state("finished")
        await lab.until("kernel regression")  # a verdict that is new replaces a message
        for key in ("s", "space"):
            lab.bench.notice = ""
            await lab.press(key)
            assert "the run is over" in lab.message
        await lab.press("u")
        assert "nothing to undo" in lab.message

    settings = {"data.name": "moons", "network.widths": [8], "training.steps": 20}
    drive(scenario, configured(settings), drawing=False)


def test_the_words_about_seeds_outlast_the_layers_beside_a_ghost() -> None:
    """In 120 columns a chart's frame has 39 cells: the layers stand at their curves too."""
    legend = Content("8 seeds · layer 1 2 3 out")
    said = with_ghost(("lr 0.3",), legend, 39, True, "8 seeds")
    assert said.plain == "before: lr 0.3 · 8 seeds"


def test_what_is_not_known_is_no_number_in_titles(made: Callable[..., Trace]) -> None:
    """As before the first 512 rows of a watched training: no unit is dead or alive yet."""
    trace = replace(made(2), cursor=0)
    trace.snapshot.cube.flags.writeable = True
    trace.snapshot.layers("dead")[0] = float("nan")
    assert told("neurons", "neurons", trace) == ("neurons", "not known")
    assert layer_names(trace, "dead", True, 60).plain == "1: ?  2: ?"


def test_the_layers_of_a_deep_network_are_named_as_far_as_there_is_room(
    made: Callable[..., Trace],
) -> None:
    """Never a part of a name: a number that is cut is another number."""
    trace = made(20)
    assert layer_names(trace, "dead", True, 40).plain == "layer 1 3 5 7 9 12 14 16 18 20"
    for room in range(8, 40):
        named = layer_names(trace, "dead", True, room).plain
        assert len(named) <= room
        assert named.startswith("layer 1")
        assert {int(word) for word in named.split()[1:]} <= {1, 3, 5, 7, 9, 12, 14, 16, 18, 20}
    assert layer_names(trace, "dead", True, 12).plain == "layer 1 9 20"
