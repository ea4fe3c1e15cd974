"""The lab as a person uses it: set up, train, see; small screens, failures, any data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.content import Content

from caveats.config import RunConfig
from caveats.history import History
from caveats_tui.charts.trace import Trace
from caveats_tui.screens.dialogs import Edit
from caveats_tui.screens.lab.setup import SetupList

Drive = Callable[..., None]
Configured = Callable[..., RunConfig]

SIZES = [pytest.param((120, 40), id="120x40"), pytest.param((80, 24), id="80x24")]
SMALL = {"data.name": "moons", "network.widths": [8, 8], "training.steps": 30}


def test_a_run_replaced_while_a_frame_is_made_is_drawn_by_the_next(
    drive: Drive, configured: Configured
) -> None:
    """The frame after f showed the failed run, marked as the new one: a new run that was over by
    the next frame, with as many records, was never drawn."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("space")
        await lab.state("finished")
        lab.app.lab.frame()
        assert "dead 8" in lab.text
        bench, look = lab.bench, lab.bench.trace

        def late() -> Any:
            """The records of the run that is there, and then another has taken its place."""
            seen = look()
            bench.trace = look
            bench.session.restart(bench.config.changed({"optimizer.lr": 1e-6}), play=True)
            assert bench.session.settled()
            while bench.status.state == "running":
                assert bench.session.settled()
            return seen

        bench.trace = late
        lab.app.lab.frame()
        lab.app.lab.frame()
        await lab.calm()
        assert "dead 8" not in lab.text

    killed = {"data.shift": 10.0, "data.standardize": False, "optimizer.lr": 10.0}
    shape = {"network.widths": [8], "training.steps": 12}
    drive(scenario, configured({**SMALL, **shape, **killed}), drawing=False)


@pytest.mark.parametrize("size", SIZES)
def test_set_up_by_keyboard_train_and_see(
    size: tuple[int, int], drive: Drive, configured: Configured
) -> None:
    """What the first issue asks for: a "sigm" enter, i xavier_normal, o adam, space."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("a", *"sigm", "enter", "i", *"xavier_normal", "enter", "o", *"adam")
        await lab.press("enter")
        await lab.until("sigmoid")
        await lab.until("step 0/")
        await lab.drawn()
        rows = {number: lab.panel(number).rows for number in lab.visible()}
        await lab.press("space")
        await lab.state("finished")
        await lab.until("step 100/100")
        await lab.drawn()
        for number, before in rows.items():
            if lab.panel(number).view not in ("dead", "neurons"):  # sigmoids do not die
                assert lab.panel(number).rows != before, number
        config = lab.bench.session.run.config
        assert config.network.activation == "sigmoid"
        assert config.network.init.name == "xavier_normal"
        assert config.optimizer.name == "adam"

    drive(scenario, configured({"training.steps": 100}), size)


def test_the_charts_move_while_it_trains(drive: Drive, configured: Configured) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("space")
        seen: set[object] = set()
        steps: set[str] = set()

        def moved() -> bool:
            seen.add(lab.panel(3).rows)
            steps.add(lab.rows[0].rpartition("step ")[2].partition("/")[0])
            return len(seen) >= 4 and len(steps) >= 4

        await lab.until(moved)
        assert lab.bench.running

    drive(scenario, configured({**SMALL, "training.steps": 1_000_000}))


def test_nothing_is_written_while_nothing_changes(drive: Drive, configured: Configured) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("s", "g")
        await lab.drawn()
        written = lab.recorded()
        for _ in range(5):
            lab.app.lab.frame()
            await lab.calm()
        assert "".join(written) == ""
        await lab.press("down")
        assert "init" in "".join(written), "the test sees what is written"

    drive(scenario, configured(SMALL), (120, 40))


def test_a_new_number_in_a_title_repaints_the_frame_and_not_the_chart(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.drawn()
        panel, written = lab.panel(3), lab.recorded()
        label = panel._label
        panel._label = lambda *_: None  # a chart that comes late says nothing
        label("3 loss: 0.25", Content())
        await lab.calm()
        written.clear()
        label("3 loss: 0.75 and more", Content.styled("two", "#ff0000"))
        await lab.calm()
        top, bottom = panel.region.y, panel.region.bottom - 1
        left, right = panel.region.x, panel.region.right
        title = " 3 loss: 0.75 and more "
        assert lab.rows[top][left:right] == f"╭─{title:─<{right - left - 3}}╮"
        assert lab.rows[bottom][left:right].endswith(" two ─╯")
        addressed = {int(row) - 1 for row in re.findall(r"\x1b\[(\d+);\d+H", "".join(written))}
        assert addressed == {top, bottom}

    drive(scenario, configured(SMALL), (120, 40))


# Sizes


def test_below_60_by_16_one_sentence_says_so_and_growing_brings_the_lab_back(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        for width, height in ((59, 15), (60, 15), (59, 16), (20, 5)):
            await lab.pilot.resize_terminal(width, height)
            await lab.calm()
            said = " ".join(lab.text.split())
            there = f"this terminal has {width}×{height}."
            assert said == f"The lab needs 60×16 characters, and {there}"
        await lab.pilot.resize_terminal(60, 16)
        await lab.until("setup")
        assert "The lab needs" not in lab.text
        await lab.pilot.resize_terminal(120, 40)
        await lab.until(lambda: lab.visible() == [1, 2, 3, 4])
        await lab.drawn()
        assert all(len(lab.panel(n).rows) == lab.panel(n).size.height for n in (1, 2, 3, 4))

    drive(scenario, configured(SMALL), (80, 24))


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (103, 40), (120, 25)])
def test_where_there_is_no_room_for_four_one_chart_is_shown(
    size: tuple[int, int], drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        assert lab.visible() == [1]
        await lab.press("3")
        await lab.until(lambda: lab.visible() == [3])
        await lab.drawn()
        assert "loss" in lab.text

    drive(scenario, configured(SMALL), size)


@pytest.mark.parametrize("size", [(104, 26), (200, 60)])
def test_where_there_is_room_all_four_are_shown(
    size: tuple[int, int], drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        assert lab.visible() == [1, 2, 3, 4]

    drive(scenario, configured(SMALL), size, drawing=False)


# What goes wrong


def test_a_network_that_cannot_be_allocated_is_reported_and_the_lab_stays_usable(
    drive: Drive, configured: Configured
) -> None:
    """Two layers of a million units: 4 TB of weights."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        setup = lab.app.lab.query_one(SetupList)
        while setup.current.key != "network.widths":
            await lab.press("down")
        await lab.press("enter")
        assert isinstance(lab.app.screen, Edit)
        await lab.press(*"1000000-1000000", "enter")
        await lab.state("failed")
        await lab.until("out of memory: network.widths and training.batch_size need")
        await lab.press("space", "s")  # nothing to train, and no harm
        await lab.press("u")
        await lab.state("paused")
        await lab.press("space")
        await lab.state("finished")
        await lab.until("step 30/30")

    drive(scenario, configured(SMALL))


def test_a_wrong_value_is_reported_while_it_is_typed_and_not_taken(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        setup = lab.app.lab.query_one(SetupList)
        while setup.current.key != "network.widths":
            await lab.press("down")
        for wrong, words in (("0", "network.widths"), ("8-x", "network.widths")):
            await lab.press("enter", *wrong)
            await lab.until(words)
            await lab.press("enter")
            assert isinstance(lab.app.screen, Edit), "it stays open"
            await lab.press("escape")
        assert lab.bench.config.network.widths == (8, 8)

    drive(scenario, configured(SMALL), (80, 24), drawing=False)


def test_a_diverging_run_stops_and_says_where(drive: Drive, configured: Configured) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("space")
        await lab.state("diverged")
        await lab.until("✖ diverged")
        await lab.drawn()
        assert lab.bench.verdicts()[0].caveat in ("exploding_gradient", "step_too_large")
        assert lab.message.startswith("✖ ")
        assert "diverged" in shapes(lab, 3), "the step is marked"
        await lab.press("space")
        assert "the run is over" in lab.message

    mse = {"training.loss": "mse", "optimizer.lr": 1e4, "network.activation": "identity"}
    drive(scenario, configured({**SMALL, **mse}))


def test_a_chart_that_cannot_be_drawn_is_noted_and_the_rest_goes_on(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        lab.app._chart_trouble("chart-2", "ValueError: no axis")
        await lab.press("right_square_bracket")
        await lab.until("chart-2: ValueError: no axis")

    drive(scenario, configured(SMALL), drawing=False)


def test_a_new_verdict_replaces_a_notice(drive: Drive, configured: Configured) -> None:
    """What a person pressed in vain a minute ago must not hide that the run is dying now."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("f")
        await lab.until("nothing to fix")
        lab.bench.session.play()
        await lab.until("dying ReLU")
        assert "nothing to fix" not in lab.message

    drive(scenario, configured({"optimizer.name": "adam", "optimizer.lr": 0.3}), drawing=False)


# Any data, any depth


async def trained(lab: Any) -> None:
    await lab.opened()
    await lab.press("space")
    await lab.state("finished")
    await lab.drawn()


def shapes(lab: Any, number: int) -> str:
    return "".join(run[0] for row in lab.panel(number).rows for run in row)


def test_one_input_and_one_target_show_the_fit(drive: Drive, configured: Configured) -> None:
    async def scenario(lab: Any) -> None:
        await trained(lab)
        assert "accuracy" not in shapes(lab, 3)
        assert "%" not in lab.panel(3).border_title
        await lab.press("4")
        while lab.panel(4).view != "fit":
            await lab.press("v")
        await lab.drawn()
        await lab.until(lambda: "prediction" in shapes(lab, 4))
        assert "•" in shapes(lab, 4)

    drive(scenario, configured({**SMALL, "data.name": "sine", "optimizer.lr": 0.01}))


def test_two_inputs_and_classes_show_the_decision_boundary(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await trained(lab)
        await lab.press("4", "v")
        assert lab.panel(4).view == "boundary"
        await lab.until(lambda: "•" in shapes(lab, 4))
        map_rows = [row[1:] for row in lab.panel(4).rows[:-1]]  # without the axes
        paints = {run[2] for row in map_rows for run in row}
        assert 2 <= len(paints) <= 6, "two classes, up to three backgrounds each"

    drive(scenario, configured(SMALL))


def test_after_a_restart_the_curves_stay_until_the_new_ones_come(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await trained(lab)
        await lab.press("g")
        await lab.drawn()
        before = {n: (lab.panel(n).rows, lab.panel(n)._labels) for n in (1, 2, 3, 4)}
        trace = lab.bench.trace()
        assert lab.bench.before == ("same setup",)
        empty = Trace(History(trace.layers).snapshot(), trace.layers, 10)
        lab.bench.trace = lambda: empty
        lab.bench.session.status = replace(lab.bench.status, state="loading")
        lab.app.lab.frame()
        assert all(lab.panel(n).rows == rows for n, (rows, _) in before.items())
        assert all(lab.panel(n)._labels[0] == title for n, (_, (title, _)) in before.items())

    drive(scenario, configured(SMALL))


def test_a_view_that_the_next_data_do_not_have_is_replaced(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("4", "v")
        assert lab.panel(4).view == "boundary"
        await lab.press("d", *"digits", "enter")
        await lab.state("paused")
        await lab.until(lambda: lab.panel(4).view == "neurons")

    drive(scenario, configured(SMALL), drawing=False)


def test_without_a_hidden_layer_everything_can_be_looked_at(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await trained(lab)
        assert "no hidden layer" in lab.panel(1).border_title
        for number in (1, 2, 3, 4):
            await lab.press(str(number))
            for _ in lab.panel(number).views:
                await lab.press("v")
                await lab.drawn()
        assert lab.bench.status.step == 30

    drive(scenario, configured({**SMALL, "network.widths": []}))


def test_thirty_layers_are_ten_curves_and_a_map_of_all(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await trained(lab)
        assert "layer 1 " in shapes(lab, 4)
        assert "layer 30" in shapes(lab, 4)
        assert lab.panel(2).view == "gradient_map"
        await lab.press("2")
        while lab.panel(2).view != "gradient":
            await lab.press("v")
        await lab.until(lambda: len(lab.panel(2)._labels[1].spans) == 10)

    deep = {**SMALL, "network.widths": [8] * 30, "training.steps": 5}
    drive(scenario, configured(deep))


def test_a_csv_of_ones_own_is_trained_on(
    drive: Drive, configured: Configured, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    rows = [f"{a},{b},{c},{'up' if a + b > 0 else 'down'}" for a, b, c in x]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["a,b,c,sign", *rows]))

    async def scenario(lab: Any) -> None:
        await trained(lab)
        assert "mine.csv · 8-8-2" in lab.rows[0]
        assert float(lab.bench.trace().snapshot.scalar("accuracy")[-1]) > 0.8
        await lab.press("4")
        assert lab.panel(4).view == "neurons"  # three inputs have no plane

    changes = {"data.file": str(path), "data.target": "sign", "training.steps": 100}
    config = RunConfig().changed({**changes, "network.widths": [8, 8]}, "test")
    drive(scenario, config)


def test_another_theme_has_other_colours_in_the_charts(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.drawn()
        before = {run[1] for row in lab.panel(2).rows for run in row}
        lab.app.theme = "caveats-light"
        await lab.calm()
        await lab.drawn()
        after = {run[1] for row in lab.panel(2).rows for run in row}
        assert before.isdisjoint(after - {None, 245, 242})

    drive(scenario, configured(SMALL))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data.name": "moons", "data.validation": 0.2}, ("held out 0.", "%")),
        (
            {"data.name": "sine", "data.validation": 0.2, "data.standardize_target": True},
            ("R² ", ", error ", "; held out "),
        ),
    ],
    ids=str,
)
def test_the_rows_held_out_and_r2_stand_below_the_loss(
    drive: Drive, configured: Configured, changes: dict[str, Any], said: tuple[str, ...]
) -> None:
    async def scenario(lab: Any) -> None:
        await trained(lab)
        below = lab.panel(3)._labels[1].plain
        assert all(part in below for part in said)
        await lab.calm()
        assert below in lab.text

    drive(scenario, configured({**SMALL, **changes}))


def test_two_classes_of_one_output_and_a_number_of_epochs(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await trained(lab)
        assert "moons · 8-8-1" in lab.rows[0]
        assert "step 188/188" in lab.rows[0]  # 12 · 1,000 rows in batches of 64
        await lab.press("4", "v")
        await lab.until(lambda: lab.panel(4).view == "boundary")
        await lab.until(lambda: lab.panel(4).picture is not None)
        picture = lab.panel(4).picture
        assert {0, 1} == set(picture.classes.ravel().tolist())
        right = lab.bench.trace().snapshot.scalar("accuracy")[-1]
        assert picture.right.mean() == pytest.approx(right, abs=0.05)

    changes = {"data.name": "moons", "network.widths": [8, 8], "training.epochs": 12}
    drive(scenario, configured({**changes, "training.loss": "bce"}))
