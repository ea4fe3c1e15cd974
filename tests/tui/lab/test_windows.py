"""Keys, clicks and closing in any order: no window of the lab ends the program."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual._styles_cache import StylesCache
from textual.widgets import Input, OptionList

from caveats.config import RunConfig
from caveats_tui.screens.dialogs import Ask, Edit, Picker
from caveats_tui.screens.gallery import Gallery
from caveats_tui.screens.help import Help
from caveats_tui.screens.palette import Palette
from caveats_tui.screens.runs.screen import RunsScreen

Drive = Callable[..., None]
Configured = Callable[..., RunConfig]

SMALL = {"data.name": "moons", "network.widths": [8, 8], "training.steps": 30}
# The key that opens each window.
WINDOWS = {"a": Picker, "e": Gallery, "ctrl+p": Palette, "L": RunsScreen, "question_mark": Help}
WITH_LIST = [key for key in WINDOWS if key != "question_mark"]


def click(lab: Any, x: int, y: int) -> None:
    for kind in (events.MouseDown, events.MouseUp):
        event = kind(None, x, y, 0, 0, 1, False, False, False, screen_x=x, screen_y=y)
        event.set_sender(lab.app)
        lab.app._driver.send_message(event)


@pytest.mark.parametrize("key", WITH_LIST)
def test_a_click_on_any_cell_of_a_window_harms_nothing(
    key: str, drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        for filtered in ("", "zzzz", "re"):
            await lab.press(key)
            await lab.press(*filtered)
            for y in range(0, 40, 3):
                for x in (3, 60, 116):
                    click(lab, x, y)
            await lab.calm()
            await leave_all(lab)
        await lab.press("s")
        await lab.until(lambda: lab.bench.status.step == 1)

    drive(scenario, configured(SMALL), drawing=False)


def test_windows_that_were_left_leave_no_drawn_lines_behind(
    drive: Drive, configured: Configured
) -> None:
    def kept() -> int:
        gc.collect()
        return sum(type(thing) is StylesCache for thing in gc.get_objects())

    async def scenario(lab: Any) -> None:
        await lab.opened()
        counts = []
        for _ in range(3):
            await lab.press("question_mark")
            await lab.calm()
            await leave_all(lab)
            await lab.calm()
            counts.append(kept())
        assert counts[0] == counts[1] == counts[2]

    drive(scenario, configured(SMALL), drawing=False)


def test_the_lab_says_once_that_torch_is_loaded(drive: Drive, configured: Configured) -> None:
    told = []

    async def scenario(lab: Any) -> None:
        lab.app._loaded = lambda: told.append(lab.bench.status.state)
        await lab.until(lambda: told)
        await lab.pilot.pause(0.5)

    drive(scenario, configured(SMALL), drawing=False)
    assert told == ["paused"]


async def leave_all(lab: Any) -> None:
    while lab.app.screen is not lab.app.lab:
        before = lab.app.screen
        await lab.press("escape")
        await lab.calm()
        if lab.app.screen is before and isinstance(before, RunsScreen):
            await lab.press("escape")


@pytest.mark.parametrize("key", WITH_LIST)
def test_a_click_on_a_row_that_has_gone_since_it_was_drawn(
    key: str, drive: Drive, configured: Configured
) -> None:
    """The list is filtered, and clicked before the shorter list is drawn."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press(key)
        if key == "L":
            return
        view = lab.app.screen.query_one(OptionList)
        region = view.content_region
        low = min(view.virtual_size.height, region.height) - 1
        lab.app.screen.query_one(Input).value = "zzzz"
        click(lab, region.x + 3, region.y + low)
        await lab.calm()
        await leave_all(lab)

    drive(scenario, configured(SMALL), drawing=False)


@pytest.mark.parametrize("key", WITH_LIST)
@pytest.mark.parametrize("focused", ["line", "list"])
def test_paging_in_a_list_that_the_filter_has_emptied(
    key: str, focused: str, drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press(key)
        line, view = lab.app.screen.query_one(Input), lab.app.screen.query_one(OptionList)
        (line if focused == "line" else view).focus()
        await lab.calm()
        line.value = "zzzz"
        lab.burst_keys("pagedown", "pageup", "end", "home", "down", "up", "pagedown")
        await lab.calm()
        view.clear_options()
        view.add_options(["one", "two"])
        view.action_page_down()  # before these rows have been laid out
        view.action_page_up()
        await leave_all(lab)

    drive(scenario, configured(SMALL), drawing=False)


@pytest.mark.parametrize("key", WINDOWS)
@pytest.mark.parametrize(
    "ends",
    ["escape", "ctrl+p", *(pytest.param(e, marks=pytest.mark.slow) for e in ("enter", "down"))],
)
def test_many_keys_at_once_leave_one_window_at_most(
    key: str, ends: str, drive: Drive, configured: Configured
) -> None:
    """Twice, before the window is there, while it closes, and after it has gone."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        for burst in ((key, ends), (key, ends, ends), (key, key, ends), (key, ends, key, ends)):
            lab.burst_keys(*burst)
            await lab.calm()
            await leave_all(lab)
        for _ in range(2):
            await lab.press(key)
            lab.burst_keys(ends, ends, ends)
            await lab.calm()
            await leave_all(lab)

    drive(scenario, configured(SMALL), drawing=False)


def test_a_window_is_left_once_and_calls_back_once(drive: Drive, configured: Configured) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        taken: list[Any] = []
        window = Ask("Which?", {"y": "yes"})
        lab.app.push_screen(window, taken.append)
        await lab.calm()
        window.dismiss("y")
        window.dismiss("n")
        window.action_leave()
        await lab.calm()
        assert taken == ["y"]
        assert lab.app.screen is lab.app.lab

    drive(scenario, configured(SMALL), drawing=False)


def test_a_window_below_another_cannot_take_that_one_away(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        lower, upper = Ask("Which?", {"y": "yes"}), Help()
        lab.app.push_screen(lower)
        await lab.calm()
        lab.app.push_screen(upper)
        await lab.calm()
        lower.dismiss("y")
        await lab.calm()
        assert lab.app.screen is upper

    drive(scenario, configured(SMALL), drawing=False)


def test_a_window_closed_before_it_was_mounted(drive: Drive, configured: Configured) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        for make in (Help, lambda: Gallery(lab.app.charts, "braille"), lambda: Ask("Which?", {})):
            window = make()
            lab.app.push_screen(window)
            window.dismiss(None)
            await lab.calm()
            assert lab.app.screen is lab.app.lab

    drive(scenario, configured(SMALL), drawing=False)


@pytest.mark.parametrize("key", WINDOWS)
def test_keys_that_arrive_while_the_program_ends(
    key: str, drive: Drive, configured: Configured
) -> None:
    """As a signal ends it: the window's parts are taken away, and it never was left."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press(key)
        window = lab.app.screen
        lab.app.exit()
        for typed in ("x", "enter", "down"):
            event = events.Key(typed, typed if len(typed) == 1 else None)
            window.post_message(event)
        await window.query("*").remove()
        lab.burst_keys("x", "enter", "down", "escape")

    drive(scenario, configured(SMALL), drawing=False)


@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_random_keys_and_clicks(seed: int, drive: Drive, configured: Configured) -> None:
    """A short piece of ``python -m benchmarks.reliability``, without a terminal."""
    rng = random.Random(seed)
    keys = [
        *"aiodelfFxgvzyu1234[],.<>+-/?*ncR ", "enter", "escape", "down", "up", "pagedown",
        "pageup", "home", "end", "tab", "left", "right", "ctrl+p", "delete", "backspace",
    ]  # fmt: skip

    async def scenario(lab: Any) -> None:
        await lab.opened()
        for _ in range(150):
            if rng.random() < 0.2:
                click(lab, rng.randrange(120), rng.randrange(40))
            else:
                lab.burst_keys(rng.choice(keys))
            if rng.random() < 0.3:
                await lab.calm()
        await lab.calm()

    drive(scenario, configured(SMALL), drawing=False)


@pytest.mark.parametrize("pasted", ["1x9999-" * 150, "64-" * 15_000, "1x9999" * 150, "[" * 50_000])
def test_any_paste_into_widths_is_answered_with_a_sentence(
    pasted: str, drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        setup = lab.app.lab.query_one("#setup")
        setup.highlighted = [line.key for line in setup._shown].index("network.widths")
        await lab.press("enter")
        await lab.until(lambda: isinstance(lab.app.screen, Edit))
        for _ in range(3):
            lab.app.screen.query_one(Input).post_message(events.Paste(pasted))
        await lab.calm()
        assert lab.app.screen.query_one("#problem").content
        await lab.press("enter", "escape")
        assert lab.app.screen is lab.app.lab

    drive(scenario, configured(SMALL), drawing=False)


def test_a_setting_and_its_value_typed_into_the_palette(
    drive: Drive, configured: Configured
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("ctrl+p", *"learning rate 0.01", "enter")
        await lab.until(lambda: lab.bench.config.optimizer.lr == 0.01)
        await lab.press("ctrl+p", *"optimizer.name=rmspropp", "enter")
        await lab.until("did you mean 'rmsprop'")
        await lab.press("ctrl+p", *"theme", "enter")
        await lab.until("choose: theme")
        await lab.press(*"caveats-light", "enter")
        await lab.until(lambda: lab.app.theme == "caveats-light")

    drive(scenario, configured(SMALL), drawing=False)


def test_leaving_when_the_runs_folder_has_been_deleted(
    drive: Drive, configured: Configured, tmp_path: Path
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("space")
        await lab.until(lambda: lab.bench.folder and (lab.bench.folder / "run.toml").exists())
        lab.bench.folder.rename(tmp_path / "elsewhere")
        await lab.press("q", "d")
        await lab.until(lambda: lab.app._exit)

    drive(scenario, configured({**SMALL, "training.steps": 10**8}), drawing=False, place=tmp_path)


@pytest.mark.parametrize("turns", [1, 3, 5, 8, 12])
def test_a_window_that_opens_while_the_program_ends_harms_nothing(
    drive: Drive, configured: Configured, turns: int
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        lab.app.simulate_key("ctrl+p")
        for _ in range(turns):  # of the loop; then the program's parts are taken away
            await asyncio.sleep(0)

    drive(scenario, configured(SMALL), drawing=False)


def test_explanation_and_remedies_stay_while_the_cure_runs(
    drive: Drive, configured: Configured
) -> None:
    """x explains the failed run, and F tries another of its remedies, from the failed setup."""

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("f")
        await lab.until(lambda: lab.bench.cure and not lab.bench.verdicts())
        failed, first = lab.bench.cure.failed, lab.bench.config
        await lab.press("x")
        await lab.until("hard to break symmetry")
        assert lab.app.screen._cases[0].config == failed
        await lab.press("escape", "F")
        await lab.until("what could cure")
        await lab.press("down", "enter")
        await lab.until(lambda: lab.bench.config != first)
        assert lab.bench.cure.failed == failed
        verdict = lab.bench.cure.verdict
        assert lab.bench.config == failed.changed(verdict.next[1].change)
        await lab.until(lambda: lab.bench.ghost is not None)
        assert lab.bench.ghost.snapshot.steps[-1] == 0  # still the failed run

    nothing = {"network.init": "zeros", "network.activation": "tanh", "training.steps": 10**7}
    drive(scenario, configured({**SMALL, **nothing}), drawing=False)
