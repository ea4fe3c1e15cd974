"""By mouse, and by the letters of vi: footer, wheel, double click, j k h l; help for the place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.events import MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp

from caveats.config import RunConfig
from caveats.views import gradient_noise
from caveats_tui.screens.help import Help
from caveats_tui.screens.lab.bars import Footer
from caveats_tui.screens.lab.setup import SetupList

SMALL = {"data.name": "moons", "network.widths": [8, 8], "training.steps": 1_000_000}


@pytest.fixture
def small(configured: Callable[..., RunConfig]) -> RunConfig:
    return configured(SMALL)


def test_a_click_on_the_footer_does_what_the_key_does(
    drive: Callable[..., None], small: RunConfig
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        footer = lab.app.lab.query_one(Footer)
        row = lab.rows[footer.region.y]
        await lab.pilot.click(offset=(row.index("step") + 1, footer.region.y))
        await lab.until("step 1/1,000,000")
        await lab.pilot.click(offset=(row.index("? help") + 1, footer.region.y))
        assert isinstance(lab.app.screen, Help)

    drive(scenario, small, drawing=False)


def test_a_wheel_beside_a_terminal_that_has_become_smaller_does_nothing(
    drive: Callable[..., None], small: RunConfig
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        for event in (MouseScrollUp, MouseScrollDown):
            lab.app.lab.post_message(event(None, 130, 60, 0, 0, 0, False, False, False, 130, 60))
        await lab.pilot.pause()
        assert lab.app.is_running

    drive(scenario, small, drawing=False)


def test_a_click_on_what_has_just_been_taken_away_does_nothing(
    drive: Callable[..., None], small: RunConfig
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        screen, footer = lab.app.lab, lab.app.lab.query_one(Footer)
        x, y = footer.region.x + 1, footer.region.y
        footer._detach()
        for event in (MouseDown, MouseMove, MouseUp):
            screen._forward_event(event(None, x, y, 0, 0, 1, False, False, False, x, y))
        footer._attach(screen)

    drive(scenario, small, drawing=False)


def test_the_footer_is_that_of_the_place(drive: Callable[..., None], small: RunConfig) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        assert "← → change" in lab.rows[-1]
        assert "0-9 type" not in lab.rows[-1]
        await lab.press("down", "down", "down")
        assert "0-9 type" in lab.rows[-1]
        await lab.press("tab")
        await lab.until("z zoom")
        assert "← → change" not in lab.rows[-1]
        await lab.press("question_mark")
        await lab.until("here, on a chart")
        await lab.press("slash", *"zoom")
        assert "z        Show the focused chart alone" in " ".join(lab.text.split("  ")) or (
            "Show the focused chart alone" in lab.text
        )
        assert "Choose the activation" not in lab.text
        await lab.press("escape")
        assert isinstance(lab.app.screen, Help)  # escape ends the search first
        await lab.press("escape")
        assert lab.app.screen is lab.app.lab

    drive(scenario, small, drawing=False)


def test_a_double_click_zooms_a_chart_and_takes_a_row(
    drive: Callable[..., None], small: RunConfig
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.pilot.click("#chart-2", times=2)
        await lab.until(lambda: lab.visible() == [2])
        await lab.pilot.click("#chart-2", times=2)
        await lab.until(lambda: lab.visible() == [1, 2, 3, 4])
        [y] = [y for y, row in enumerate(lab.rows) if "learning rate" in row]
        await lab.pilot.click(offset=(5, y))
        await lab.calm()
        assert lab.app.screen is lab.app.lab
        assert lab.app.lab.query_one(SetupList).current.key == "optimizer.lr"
        await lab.pilot.click(offset=(5, y), times=2)
        await lab.until("the size of a step")

    drive(scenario, small, drawing=False)


def test_j_k_h_l_move_in_the_setup_list(drive: Callable[..., None], small: RunConfig) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        setup = lab.app.lab.query_one(SetupList)
        await lab.press("j", "j", "j")
        assert setup.current.key == "optimizer.lr"
        await lab.press("l")
        assert lab.bench.config.optimizer.lr == 0.2
        await lab.press("h", "h", "k")
        assert lab.bench.config.optimizer.lr == 0.05
        assert setup.current.key == "optimizer.name"

    drive(scenario, small, drawing=False)


def test_a_message_ends_with_the_next_key_and_no_key_is_silent(
    drive: Callable[..., None], small: RunConfig
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("g")
        assert lab.message == "this run's curves stay as the ghost; g removes them"
        await lab.press("down")
        await lab.until(lambda: "ghost" not in lab.message)
        await lab.press("g")
        assert lab.message == "the ghost is removed"
        await lab.press("r")
        assert lab.message == "at step 0 again: space trains"
        await lab.press("3", "3")
        assert lab.message == "chart 3 has only this view"
        await lab.press("right")
        assert lab.message in (  # the new run may have its first record by now
            "there are no records yet to look back at",
            "this is the newest record: , steps back",
        )
        await lab.press("escape", *["down"] * 2, "left")
        setup = lab.app.lab.query_one(SetupList)
        while setup.current.key != "network.widths":
            await lab.press("down")
        await lab.press("right")
        assert lab.message == "widths is not changed by steps: enter types it"
        while setup.current.key != "network.dropout":
            await lab.press("down")
        await lab.press("left")
        assert lab.message == "dropout 0 is as far as it goes"

    drive(scenario, small, drawing=False, size=(120, 40))


def test_a_picture_can_be_taken_of_a_window_too(
    drive: Callable[..., None],
    small: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    async def scenario(lab: Any) -> None:
        told: list[str] = []
        lab.app.notify = lambda said, **_: told.append(said)
        for key in ("a", "e", "question_mark", "ctrl+p", "L"):
            await lab.press(key, "ctrl+s")
            [saved] = tmp_path.glob("*.svg")
            assert told.pop().startswith("saved ")
            saved.unlink()
            await lab.press("escape")
            assert lab.app.screen is lab.app.lab

    drive(scenario, small, drawing=False, place=tmp_path / "runs")


def test_a_long_verdict_has_its_cure_on_lines_of_its_own(
    drive: Callable[..., None], configured: Callable[..., RunConfig]
) -> None:
    """At 60 columns, where what was found takes the whole first line."""
    nothing = {**SMALL, "network.init": "zeros", "network.activation": "tanh"}

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.until("hard to break symmetry")
        change = lab.bench.verdicts()[0].next[0].change
        await lab.until("f: init zeros")
        assert lab.message.count("→") == len(change)
        await lab.until(lambda: lab.app.lab.query_one("#message").region.height >= 2)

    drive(scenario, configured(nothing), drawing=False, size=(60, 16))


def test_the_story_of_an_experiment_and_its_lesson(drive: Callable[..., None]) -> None:
    from caveats.experiments import find

    experiment = find("born_dead")
    short = experiment.config.changed({"training.seed": 3})  # device and seed may differ

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.until("born_dead: Ten ReLU layers of two units")
        await lab.press("space")
        await lab.state("finished")
        await lab.until("lesson: A layer of N units is silent")
        await lab.press("f")
        await lab.until("born_dead with its cure: widths 2×10 → 10×10")
        await lab.press("e", *"mass", "enter")
        await lab.until("mass_extinction: Adam at 0.3")
        await lab.press("o", *"rmsprop", "enter")
        await lab.until(lambda: "mass_extinction" not in lab.text)

    drive(scenario, short, drawing=False)


def test_a_click_on_a_chart_sets_the_cursor_to_that_step(
    drive: Callable[..., None], configured: Callable[..., RunConfig]
) -> None:
    """The marked step is the record nearest to the clicked column, by the labels of the axis."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("space")
        await lab.state("finished")
        await lab.drawn()
        chart = lab.panel(3)
        rows = lab.rows
        [axis] = [y for y in range(chart.region.y, chart.region.bottom) if "└" in rows[y]]
        inside = slice(chart.region.x, chart.region.right)
        ticks = [x for x, c in enumerate(rows[axis]) if c == "┬"][-2:]
        labels = [int(number) for number in re.findall(r"\d+", rows[axis + 1][inside])[-2:]]
        column = round(
            ticks[0] + (60 - labels[0]) / (labels[1] - labels[0]) * (ticks[1] - ticks[0])
        )
        place = column - chart.region.x, axis - 3 - chart.region.y
        await lab.pilot.click(chart, offset=place)
        await lab.until("the values are those of step")
        trace = lab.bench.trace()
        at = int(trace.seen.steps[-1])
        cell = (labels[1] - labels[0]) / (ticks[1] - ticks[0])
        assert abs(at - 60) <= cell + 10  # a record every ten steps
        await lab.until(f"step {at}")
        await lab.pilot.click(chart, offset=place, times=2)  # zooms, and leaves the cursor
        await lab.until(lambda: lab.visible() == [3])
        assert int(lab.bench.trace().seen.steps[-1]) == at
        await lab.press("z", "greater_than_sign")
        assert lab.bench.trace().cursor is None
        lab.panel(1).turn(("dead_map", "dead"))  # on a map too
        await lab.drawn()
        await lab.pilot.click("#chart-1", offset=(8, 3))
        await lab.until("the values are those of step")
        assert lab.bench.trace().cursor is not None

    drive(scenario, configured(SMALL, **{"training.steps": 100}), every=10)


def test_the_noise_scale_is_read_while_its_view_is_open(
    drive: Callable[..., None], configured: Callable[..., RunConfig]
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("4")
        while lab.panel(4).view != "noise":
            await lab.press("v")
        await lab.until("· batch 64")
        run = lab.bench.session.run
        told = gradient_noise(run.trainer.network, run.dataset, run.config)
        assert lab.panel(4).picture.values.tolist() == [told]
        assert f"noise scale (log): {told:,.3g} · batch 64" in lab.text.replace("e+0", "e")
        await lab.press("s")
        await lab.until(lambda: lab.panel(4).picture.steps.tolist() == [0, 1])
        await lab.drawn()
        await lab.until("noise scale")
        assert "batch" in lab.text
        await lab.press("c")
        assert "noise scale: copied 2 rows" in lab.message

    drive(scenario, configured(SMALL), every=1)


def test_minus_and_plus_go_through_slow_motion(
    drive: Callable[..., None], small: RunConfig
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        said = []
        for key in ("-",) * 6 + ("+",) * 6:
            await lab.press({"-": "minus", "+": "plus"}[key])
            said.append((lab.message.split(";")[0], lab.bench.limit))
        down = [(f"slow motion: {n} steps a second", n) for n in (50, 20, 10, 5, 2)]
        slowest = ("slow motion: 1 step a second", 1)
        fastest = ("training as fast as possible", 0)
        assert said == [*down, slowest, *reversed(down), fastest]

    drive(scenario, small, drawing=False)
