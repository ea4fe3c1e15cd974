"""The screen of a watched command with many layers: its list and maps, and its keys, under
Textual's pilot."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot

from caveats.config import RunConfig
from caveats.facts import LayerFacts, RunFacts
from caveats.history import History
from caveats.measures import LAYER_MEASURES
from caveats.runs.manifest import Command
from caveats.runs.writer import Writer
from caveats_tui.bench.child import Child
from caveats_tui.charts.trace import Trace
from caveats_tui.keys import KEYS
from caveats_tui.options import LabOptions, ScreenOptions
from caveats_tui.screens.watch import screen
from caveats_tui.screens.watch.keys import WATCH_KEYS
from caveats_tui.screens.watch.layers import chosen, held, layer_lines, narrowed
from caveats_tui.watch_app import WatchApp

BLOCKS = 100
NAMES = (*(f"h.{i}.{part}" for i in range(BLOCKS) for part in ("fc", "proj")), "head")
UNITS, WORST = 8, "h.60.fc"


def history() -> History:
    """A model of 201 layers; one of them is dead, and its neighbour half dead."""
    facts = RunFacts(layers=tuple(LayerFacts(n, "linear", UNITS, UNITS, "relu") for n in NAMES))
    made = History(NAMES, facts=facts)
    for step in range(0, 60, 10):
        values = {name: np.ones(len(NAMES)) for name in LAYER_MEASURES}
        values["units"] = np.full(len(NAMES), float(UNITS))
        values["distinct"] = np.full(len(NAMES), float(UNITS))
        values["dead"] = np.zeros(len(NAMES))
        values["dead"][NAMES.index(WORST)] = UNITS
        values["dead"][NAMES.index("h.61.fc")] = UNITS / 2
        values["grad_norm"] = np.linspace(1.0, 2.0, len(NAMES))
        states = tuple(np.zeros(UNITS, np.uint8) for _ in NAMES)
        made.append(step, {"loss": 1.0, "batch_loss": 1.0, "lr": 0.1}, values, states)
    return made


class Kept:
    """What the writer asks of a training."""

    units, device, step, seconds, speed = [UNITS] * len(NAMES), "cpu", 50, 1.0, 50.0

    def __init__(self) -> None:
        self.history = history()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = tmp_path / "runs" / "deep"
    writer = Writer(Kept(), run, state="running", command=Command(("python", "deep.py"), "."))
    writer.tell("finished")
    writer.close()
    assert writer.join()
    assert not writer.problem
    (run / "output.txt").write_text("".join(f"line {i} of it\n" for i in range(500)))
    return run


def trace() -> Trace:
    made = history()
    return Trace(made.snapshot(), made.layers, 60)


def test_the_worst_layers_come_first_and_the_output_stays_last() -> None:
    seen = trace()
    order = chosen(seen, "", worst_first=True)
    assert [NAMES[i] for i in order[:3]] == [WORST, "h.61.fc", "h.0.fc"]  # then by gradient
    shown = narrowed(seen, order, 10)
    assert shown.layers == (*(NAMES[i] for i in order[:10]), "head")
    assert shown.seen.layers("dead")[-1, :3].tolist() == [UNITS, UNITS / 2, 0]
    assert len(shown.seen.states[-1]) == 11
    assert narrowed(seen, chosen(seen, "", worst_first=False), 1000) is seen


def test_records_of_the_loss_alone_show_the_newest_layers() -> None:
    made = history()
    made.append(60, {"loss": 0.5}, {}, made.snapshot().states[-1])
    shown = held(Trace(made.snapshot(), made.layers, 60))
    assert shown.seen.layers("dead")[-1].tolist() == made.snapshot().layers("dead")[-2].tolist()
    assert shown.seen.scalar("loss")[-1] == 0.5
    assert held(trace()).seen.steps.tolist() == trace().seen.steps.tolist()


def test_a_search_finds_layers_by_any_part_of_their_name() -> None:
    seen = trace()
    found = chosen(seen, "H.6", worst_first=False)
    assert {NAMES[i].split(".")[1] for i in found} == {"6", *(str(i) for i in range(60, 70))}
    assert len(chosen(seen, "no such layer", worst_first=False)) == len(NAMES)


@pytest.mark.parametrize("width", [34, 76])
def test_each_module_stands_once_above_its_layers(width: int) -> None:
    seen = trace()
    lines = layer_lines(seen, chosen(seen, "h.6", False), tree=True, width=width).plain.splitlines()
    assert [line.strip() for line in lines[1:3]] == ["h.6", lines[2].strip()]
    assert lines[2].startswith("  fc ")
    assert lines[3].startswith("  proj ")
    assert lines[4] == "h.60"
    assert "100%" in lines[5]
    assert max(map(len, lines)) <= width
    flat = layer_lines(seen, chosen(seen, "", True), tree=False, width=width).plain.splitlines()
    assert flat[1].startswith(f"{WORST} ")


class Watching:
    def __init__(self, app: WatchApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def text(self) -> str:
        rows = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in rows)

    async def until(self, wanted: str) -> None:
        deadline = time.monotonic() + 120
        while wanted not in self.text:
            assert time.monotonic() < deadline, f"{wanted} never came:\n{self.text}"
            await self.pilot.pause(0.05)

    async def gone(self, unwanted: str) -> None:
        deadline = time.monotonic() + 120
        while unwanted in self.text:
            assert time.monotonic() < deadline, f"{unwanted} stayed:\n{self.text}"
            await self.pilot.pause(0.05)


def drive(
    folder: Path, size: tuple[int, int], scenario: Callable[[Watching], Awaitable[None]]
) -> None:
    async def body() -> None:
        options = LabOptions(RunConfig(), screen=ScreenOptions(), place=folder.parent)
        app = WatchApp(folder, options)  # no chart comes back, which saves the start of a process
        try:
            async with app.run_test(size=size) as pilot:
                await scenario(Watching(app, pilot))
        finally:
            app.charts.stop()

    asyncio.run(body())


SIZES = [(80, 24), (120, 40)]


@pytest.mark.parametrize("size", SIZES)
def test_the_maps_and_the_list_show_the_worst_first(folder: Path, size: tuple[int, int]) -> None:
    async def scenario(seen: Watching) -> None:
        await seen.until("a row, the worst")  # 201 layers in a few rows
        await seen.pilot.press("w")
        await seen.until(f"{WORST} ")
        await seen.gone("h.99.proj ▀")
        await seen.pilot.press("t")
        await seen.until(f"{WORST} ")
        await seen.until("100%")
        await seen.pilot.press("w")  # as a tree
        await seen.until("  fc")
        await seen.pilot.press("slash", *"h.60")
        await seen.until("100%")
        await seen.pilot.press("escape")
        await seen.until("1 dead neurons")

    drive(folder, size, scenario)


@pytest.mark.parametrize("size", SIZES)
def test_the_output_is_read_from_its_end_searched_and_scrolled(
    folder: Path, size: tuple[int, int]
) -> None:
    async def scenario(seen: Watching) -> None:
        await seen.until("line 499 of it")
        await seen.pilot.press("o")
        await seen.gone("1 dead neurons")
        await seen.until("line 499 of it")
        await seen.pilot.press("home")
        await seen.until("line 0 of it")
        await seen.pilot.press("slash")
        await seen.until("lines that hold")
        await seen.pilot.press(*"77 of")
        await seen.until("line 477 of it")
        await seen.gone("line 478")
        await seen.pilot.press("escape")
        await seen.until("1 dead neurons")

    drive(folder, size, scenario)


@pytest.mark.parametrize("size", SIZES)
def test_what_a_key_says_ends_with_the_next_key(folder: Path, size: tuple[int, int]) -> None:
    async def scenario(seen: Watching) -> None:
        await seen.until("a row, the worst")
        await seen.pilot.press("c")
        await seen.until("copied")
        await seen.pilot.press("comma")
        await seen.until("looking back")
        await seen.gone("copied")
        await seen.pilot.press("p")
        await seen.until("drawing paused")
        await seen.pilot.press("p")
        await seen.gone("drawing paused")

    drive(folder, size, scenario)


class Ending:
    """A command whose exit code comes ``looks`` looks after its training has ended."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.child = Child(self.over, self.no, self.no, lambda text: None, lambda: "")

    def over(self) -> int | None:
        self.looks -= 1
        return 0 if self.looks < 0 else None

    def no(self) -> None:
        raise AssertionError("it must not be told to stop")


def test_a_command_that_is_ending_is_left_without_a_question(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "ENDING", 1e6)

    async def scenario(seen: Watching) -> None:
        await seen.until("finished")
        seen.app.watch_screen.child = Ending(6).child
        await seen.pilot.press("q")
        deadline = time.monotonic() + 120
        while not seen.app._exit:
            assert time.monotonic() < deadline
            await seen.pilot.pause(0.01)

    drive(folder, (120, 40), scenario)


def test_a_command_that_does_more_after_its_training_is_asked_about(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "ENDING", 0.0)

    async def scenario(seen: Watching) -> None:
        await seen.until("finished")
        seen.app.watch_screen.child = Ending(10**9).child
        await seen.pilot.press("q")
        await seen.until("Stop it?")

    drive(folder, (120, 40), scenario)


@pytest.mark.parametrize("size", SIZES)
def test_kept_runs_are_listed_over_the_screen(folder: Path, size: tuple[int, int]) -> None:
    async def scenario(seen: Watching) -> None:
        await seen.until("a row, the worst")
        await seen.pilot.press("L")
        await seen.until("1 of 1 runs")
        await seen.pilot.press("enter")
        await seen.until("a row, the worst")
        assert len(seen.app.screen_stack) == 2
        await seen.pilot.press("q")
        while len(seen.app.screen_stack) > 1:
            await seen.pilot.pause(0.05)
        await seen.pilot.press("question_mark")
        await seen.until("here, watching a command")
        await seen.pilot.press("slash", *"not training")
        await seen.until("Pause drawing, not training")
        await seen.pilot.press("escape", "escape")
        await seen.gone("Pause drawing, not training")

    drive(folder, size, scenario)


def test_no_key_is_silent_and_its_message_ends_with_the_next(folder: Path) -> None:
    async def scenario(seen: Watching) -> None:
        await seen.until("a row, the worst")
        for key, said in (
            ("m", "this command trains one model"),
            ("i", "no command goes on here"),
            ("full_stop", "this is the newest record"),
        ):
            await seen.pilot.press(key)
            await seen.until(said)
            await seen.pilot.press("t", "t")
            await seen.gone(said)
        await seen.pilot.press("3", "3")
        await seen.until("chart 3 has only this view")
        await seen.pilot.press("4", "y")
        await seen.until("neurons: this view has no axis to change")
        await seen.pilot.press("z")
        await seen.gone("1 dead neurons")
        await seen.pilot.press("escape")
        await seen.until("1 dead neurons")

    drive(folder, (150, 50), scenario)


def test_the_same_key_does_the_same_as_in_the_lab() -> None:
    mine = {one: key.action for key in WATCH_KEYS for one in key.keys.split(",")}
    labs = {one: key.action for key in KEYS for one in key.keys.split(",")}
    both = {"explain", "view", "zoom", "runs", "chart", "scale", "copy", "picture", "record"}
    for action in (*both, "help", "leave"):
        keys = {one for one, does in labs.items() if does == action} - {"ctrl+q"}
        assert keys
        assert all(mine[one] == action for one in keys), action
    for one in ("comma", "full_stop", "less_than_sign", "greater_than_sign"):
        assert mine[one].startswith("look_back")
        assert labs[one].startswith("look_back")


def test_a_chart_that_comes_while_the_program_ends_is_left_alone(folder: Path) -> None:
    """The thread of the charts has no app of its own (NoActiveAppError), and the screen has been
    taken away."""

    async def scenario(seen: Watching) -> None:
        await seen.until("a row, the worst")
        wrong: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, what: wrong.append(what))
        seen.app.exit()
        screen = seen.app.watch_screen
        above, screen._parent = screen._parent, None
        thread = threading.Thread(target=seen.app._charts_ready)
        thread.start()
        thread.join()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        screen._parent = above
        assert wrong == []

    drive(folder, (80, 24), scenario)


def test_nothing_is_waited_for_once_a_command_without_a_step_is_over(tmp_path: Path) -> None:
    why = "nothing was watched: it did not import torch"
    over = Child(lambda: 1, *(Ending(0).no,) * 2, lambda text: None, lambda: why)

    async def scenario(seen: Watching) -> None:
        await seen.until("waiting for the first step of an optimizer")
        seen.app.watch_screen.child = over
        await seen.until(why)
        await seen.until("no record: see below why")
        assert "exit code 1" in seen.text
        assert "waiting" not in seen.text
        await seen.pilot.press("v")
        await seen.pilot.pause()
        assert "waiting" not in seen.text

    drive(tmp_path / "runs" / "none", (80, 24), scenario)
