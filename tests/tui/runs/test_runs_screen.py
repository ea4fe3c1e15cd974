"""The list of kept runs, on folders as other processes leave them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.events import MouseScrollUp
from textual.widgets import Input

from caveats.runs.shelf import read_label
from caveats_tui.bench.following import Following
from caveats_tui.screens.runs.compare import Compare
from caveats_tui.screens.runs.listing import heading
from caveats_tui.screens.runs.screen import RunsScreen, footer


@pytest.fixture
def place(tmp_path: Path, folder_of: Callable[..., Path]) -> Path:
    """Four runs: one that goes on, one gone silent, one that finished, one that diverged."""
    shelf = tmp_path / "runs"
    # Its last sign of life lies ahead, so that a slow machine does not let it fall silent.
    folder_of(shelf / "live", state="running", age=10, seconds=-300, verdicts=None)
    folder_of(shelf / "quiet", state="running", age=300, seconds=120, verdicts=None)
    folder_of(
        shelf / "done", {"optimizer.lr": 0.25}, age=7200, loss=0.125, curve=(1.0, 0.5, 0.125),
        verdicts=(("dying_relu", "critical"), ("dormant", "note")),
    )  # fmt: skip
    folder_of(shelf / "blown", {"optimizer.lr": 9.0}, state="diverged", age=100_000)
    return shelf


def row(lab: Any, word: str) -> str:
    """The first row with a word: below the list the highlighted run is named again."""
    return str(next(row for row in lab.rows if f" {word} " in row))


async def listed(lab: Any) -> RunsScreen:
    await lab.opened()
    await lab.press("L")
    screen = lab.app.screen
    assert isinstance(screen, RunsScreen)
    await lab.until("4 of 4 runs")
    return screen


def names(screen: RunsScreen) -> list[str]:
    return [entry.folder.name for entry in screen._shown]


async def to(lab: Any, screen: RunsScreen, name: str) -> None:
    """Highlight a run with the arrow keys."""
    await lab.press(*["up"] * 4, *["down"] * names(screen).index(name))
    assert screen._current is not None
    assert screen._current.folder.name == name


def test_a_line_shows_the_state_of_its_run(drive: Callable[..., None], place: Path) -> None:
    async def scenario(lab: Any) -> None:
        screen = await listed(lab)
        assert names(screen) == ["live", "quiet", "done", "blown"]
        assert " running " in row(lab, "live")
        assert " silent 2 min " in row(lab, "quiet")
        assert " finished " in row(lab, "done")
        assert " 0.125 " in row(lab, "done")
        assert " dying ReLU +1 " in row(lab, "done")
        assert " █▅▂ " in row(lab, "done")
        assert row(lab, "done").rstrip().endswith(" 2 h")
        assert " diverged " in row(lab, "blown")
        assert "digits · 8-8" in row(lab, "blown")

    drive(scenario, size=(160, 30), drawing=False, place=place)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_titles_stand_over_their_columns(
    width: int, drive: Callable[..., None], place: Path
) -> None:
    async def scenario(lab: Any) -> None:
        await listed(lab)
        heads, line = lab.rows[2], row(lab, "0.125")
        assert heads.index("state") == line.index("finished")
        assert heads.index("loss") == line.index("0.125")
        assert heads.index("verdict") == line.index("dying ReLU")
        assert heads.index("age") == line.index("2 h")
        assert ("course" in heads) == (width >= 120)

    drive(scenario, size=(width, 24), drawing=False, place=place)


def test_typing_filters_and_escape_shows_all_again(drive: Callable[..., None], place: Path) -> None:
    async def scenario(lab: Any) -> None:
        screen = await listed(lab)
        await lab.press("slash", *"dying")
        assert names(screen) == ["done"]
        await lab.press(*" sgd")
        assert names(screen) == ["done"]
        await lab.press("x")
        assert names(screen) == []
        await lab.press("escape")
        assert len(names(screen)) == 4
        assert not screen.query_one(Input).has_focus
        await lab.press("escape")
        assert lab.app.screen is lab.app.lab

    drive(scenario, drawing=False, place=place)


def test_a_star_and_a_name_are_kept_on_disk(drive: Callable[..., None], place: Path) -> None:
    async def scenario(lab: Any) -> None:
        screen = await listed(lab)
        await to(lab, screen, "done")
        await lab.press("asterisk")
        await lab.until("★")
        await lab.press("n", *"best one", "enter")
        await lab.until("best one")
        await lab.press("asterisk")
        await lab.until(lambda: "★" not in lab.text)

    drive(scenario, drawing=False, place=place)
    assert read_label(place / "done").name == "best one"
    assert not read_label(place / "done").starred


def test_a_deleted_run_comes_back_with_undo(drive: Callable[..., None], place: Path) -> None:
    async def scenario(lab: Any) -> None:
        screen = await listed(lab)
        await to(lab, screen, "done")
        await lab.press("d")
        await lab.until("3 of 3 runs")
        assert not (place / "done").exists()
        await lab.press("u")
        await lab.until("4 of 4 runs")
        assert (place / "done" / "run.toml").exists()
        await lab.press("u")
        await lab.until("nothing to take back")
        await to(lab, screen, "live")
        await lab.press("delete")
        await lab.until("live is being trained: stop it first")
        assert (place / "live").exists()
        await to(lab, screen, "done")
        await lab.press("d")
        await lab.until("3 of 3 runs")
        await lab.press("escape", "L")  # looked at the lab, and saw that it was a mistake
        await lab.until("3 of 3 runs")
        await lab.press("u")
        await lab.until("4 of 4 runs")
        assert (place / "done" / "run.toml").exists()

    drive(scenario, drawing=False, place=place)


def test_a_run_that_goes_on_elsewhere_is_not_taken_over(
    drive: Callable[..., None], place: Path
) -> None:
    async def scenario(lab: Any) -> None:
        screen = await listed(lab)
        await to(lab, screen, "live")
        await lab.press("R")
        await lab.until("live is being trained: enter looks at it")
        assert lab.app.screen is screen

    drive(scenario, drawing=False, place=place)


def test_two_marked_runs_are_compared(drive: Callable[..., None], place: Path) -> None:
    async def scenario(lab: Any) -> None:
        screen = await listed(lab)
        await lab.press("c")
        await lab.until("mark two runs or more")
        await to(lab, screen, "done")
        await lab.press("space", "space", "c")  # the mark goes on to the next: blown
        await lab.until(lambda: isinstance(lab.app.screen, Compare))
        await lab.until("optimizer.lr")
        [said] = [row for row in lab.rows if "optimizer.lr" in row]
        assert "9" in said
        assert "0.25" in said
        assert "network.activation" not in lab.text
        await lab.until(lambda: lab.app.screen.query_one("#chart-compare").rows)
        await lab.press("escape")
        assert lab.app.screen is screen

    drive(scenario, place=place, size=(120, 60))


def test_enter_opens_a_run_over_the_lab_and_q_goes_back(
    drive: Callable[..., None], place: Path
) -> None:
    async def scenario(lab: Any) -> None:
        screen = await listed(lab)
        await to(lab, screen, "done")
        await lab.press("enter")
        await lab.until(lambda: lab.app.front is not lab.app.lab)
        bench = lab.app.front.bench
        assert isinstance(bench, Following)
        assert bench.folder == place / "done"
        await lab.until("finished")
        await lab.until(lambda: lab.app.screen is lab.app.front)
        await lab.until(" q back")
        await lab.press("q")
        assert lab.app.screen is lab.app.lab
        assert not lab.app._exit
        assert not bench.reader.problems

    drive(scenario, drawing=False, place=place)


def test_hands_in_the_list_and_in_a_kept_run(drive: Callable[..., None], place: Path) -> None:
    """The list's own help and footer, j and k; arrows, wheel and escape in a kept run."""

    async def scenario(lab: Any) -> None:
        screen = await listed(lab)
        await lab.press("question_mark")
        await lab.until("here, in the list of kept runs")
        await lab.press("escape", "j", "j", "k", "j")
        assert screen._current is not None
        assert screen._current.folder.name == "done"
        assert "done  digits · 8-8" in lab.rows[-2]  # the line above may have cut it
        keys = lab.rows[-1]
        await lab.pilot.click(offset=(keys.index("star") + 1, len(lab.rows) - 1))
        await lab.until("★")
        await lab.press("slash", *"nothing fits", "enter", "R")
        await lab.until("there is no run here")
        await lab.press("escape")
        await to(lab, screen, "done")
        await lab.press("enter")
        await lab.until(lambda: lab.app.screen is lab.app.front is not lab.app.lab)
        kept = lab.app.front
        await lab.until(", . record")
        await lab.until(lambda: kept.bench.verdicts())
        newest = kept.bench.trace().seen.steps[-1]
        await lab.press("1", "h")
        assert kept.bench.cursor == newest - 10
        await lab.pilot._post_mouse_events([MouseScrollUp], offset=(50, 5), button=0)
        await lab.until(lambda: kept.bench.cursor == newest - 20)
        await lab.press("l", "right")
        assert kept.bench.cursor is None
        await lab.press("z")
        await lab.press("escape")
        assert not kept.has_class("-zoomed")
        await lab.press("escape")
        assert lab.app.screen is lab.app.lab

    drive(scenario, drawing=False, place=place, size=(120, 30))


@pytest.mark.parametrize(
    ("width", "shown", "least"),
    [
        (56, ["run", "state", "verdict"], 16),  # of a terminal of 60 cells
        (76, ["run", "state", "loss", "verdict", "age"], 16),
        (196, ["run", "state", "loss", "accuracy", "verdict", "course", "age"], 38),
    ],
)
def test_columns_give_way_to_what_sets_a_run_apart(
    width: int, shown: list[str], least: int
) -> None:
    head = heading(width).plain
    assert head.split() == shown
    assert len(head) <= width
    assert head.index("state") - head.index("run") > least


def test_what_is_typed_right_after_the_list_was_called_is_not_taken_for_a_filter(
    drive: Callable[..., None], place: Path
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        lab.burst("Lq")
        await lab.until(lambda: lab.app.screen is lab.app.lab)
        lab.burst("L")
        await lab.until(lambda: isinstance(lab.app.screen, RunsScreen))
        assert lab.app.screen.query_one(Input).value == ""

    drive(scenario, drawing=False, place=place)


def test_a_narrow_list_tells_the_end_of_its_place(drive: Callable[..., None], place: Path) -> None:
    async def scenario(lab: Any) -> None:
        await listed(lab)
        assert lab.rows[0].rstrip().endswith("/runs")
        assert " in …" in lab.rows[0]

    drive(scenario, size=(60, 16), drawing=False, place=place)


def test_the_keys_below_the_list_are_whole_in_every_width() -> None:
    everything = footer(200).plain
    for width in range(27, 200):
        shown = footer(width).plain
        assert len(shown) <= width
        assert everything.startswith(shown)
        assert f"{everything} "[len(shown)] == " "
        assert shown.startswith(" enter open ? help q leave")
    assert footer(60).plain.endswith(" c compare")
