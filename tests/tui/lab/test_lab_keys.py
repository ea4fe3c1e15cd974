"""Every key of the table does what its sentence says, at both sizes of screen."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from caveats.config import RunConfig
from caveats.experiments import experiments
from caveats_tui.keys import FOOTERS, KEYS, LAST
from caveats_tui.options import RecordingOptions
from caveats_tui.recording.cast import read_cast
from caveats_tui.recording.recorder import Recorder
from caveats_tui.screens.atlas.axes import AskAxes
from caveats_tui.screens.dialogs import Ask, Edit, Picker
from caveats_tui.screens.explanation import Explain
from caveats_tui.screens.gallery import Gallery
from caveats_tui.screens.help import Help
from caveats_tui.screens.lab.bars import Footer
from caveats_tui.screens.lab.setup import SetupList
from caveats_tui.screens.palette import Palette
from caveats_tui.screens.remedies import RemedyList
from caveats_tui.screens.runs.screen import RunsScreen
from caveats_tui.terminal.output import Output

Check = Callable[[Any], Awaitable[None]]
CHECKS: dict[str, Check] = {}

SIZES = [
    pytest.param((120, 40), id="120x40", marks=pytest.mark.slow),
    pytest.param((80, 24), id="80x24"),
]
SMALL = {"data.name": "moons", "network.widths": [8, 8], "training.steps": 1_000_000}
# Zeros and tanh: every gradient is 0, and the verdict is there at step 0.
NOTHING_HAPPENS = {**SMALL, "network.init": "zeros", "network.activation": "tanh"}


def check(key_id: str) -> Callable[[Check], Check]:
    def keep(function: Check) -> Check:
        CHECKS[key_id] = function
        return function

    return keep


def setup(lab: Any) -> SetupList:
    found = lab.app.lab.query_one(SetupList)
    assert isinstance(found, SetupList)
    return found


async def highlight(lab: Any, key: str) -> None:
    """Go to a line of the setup list with the arrow keys."""
    for _ in range(40):
        line = setup(lab).current
        if line is not None and line.key == key:
            return
        await lab.press("down")
    raise AssertionError(f"no line {key}")


async def chosen(lab: Any, opener: str, key: str, typed: str, name: str) -> None:
    before = lab.bench.config
    await lab.press(opener)
    assert isinstance(lab.app.screen, Picker)
    await lab.press("escape")
    assert lab.app.screen is lab.app.lab
    assert lab.bench.config is before
    await lab.press(opener, *typed, "enter")
    assert lab.app.screen is lab.app.lab
    assert lab.bench.config.changed({key: name}, "test") == lab.bench.config
    assert lab.bench.config != before


@check("activation")
async def _(lab: Any) -> None:
    await chosen(lab, "a", "network.activation", "sigm", "sigmoid")


@check("init")
async def _(lab: Any) -> None:
    await chosen(lab, "i", "network.init", "xavier_normal", "xavier_normal")


@check("optimizer")
async def _(lab: Any) -> None:
    await chosen(lab, "o", "optimizer.name", "adam", "adam")


@check("data")
async def _(lab: Any) -> None:
    await chosen(lab, "d", "data.name", "circles", "circles")


@check("experiments")
async def _(lab: Any) -> None:
    before = lab.bench.config
    await lab.press("e")
    assert isinstance(lab.app.screen, Gallery)
    await lab.press("escape")
    assert lab.bench.config is before
    await lab.press("e", *"mass ext", "enter")
    assert lab.bench.config == experiments()["mass_extinction"].config
    assert not lab.bench.running


@check("previous")
async def _(lab: Any) -> None:
    await highlight(lab, "optimizer.lr")
    await lab.press("left")
    assert lab.bench.config.optimizer.lr == 0.05
    await highlight(lab, "network.activation")
    before = lab.bench.config.network.activation
    await lab.press("left")
    assert lab.bench.config.network.activation != before
    await lab.press("right")
    assert lab.bench.config.network.activation == before


@check("next")
async def _(lab: Any) -> None:
    await highlight(lab, "optimizer.lr")
    await lab.press("right")
    assert lab.bench.config.optimizer.lr == 0.2
    await highlight(lab, "network.residual")
    await lab.press("right")
    assert lab.bench.config.network.residual


@check("digit")
async def _(lab: Any) -> None:
    await lab.press("5")
    assert "rows of the setup list that hold a number" in lab.message
    await highlight(lab, "optimizer.lr")
    lab.burst("0.25\r")  # the window opens with the first digit, and gets the others
    await lab.until(lambda: lab.bench.config.optimizer.lr == 0.25)
    await lab.press(*"3e-2", "enter")  # on such a row 1 to 4 are digits too
    assert lab.bench.config.optimizer.lr == 0.03
    await lab.press(*"5", "escape")
    assert lab.bench.config.optimizer.lr == 0.03


@check("save_setup")
@check("open_setup")
async def _(lab: Any) -> None:
    """More in tests/tui/lab/test_setups.py."""
    before = lab.bench.config
    await lab.press("S", "enter")
    assert RunConfig.read("setup.toml") == before
    await highlight(lab, "optimizer.lr")
    await lab.press("right", "O", *"setup", "enter")
    await lab.until(lambda: lab.bench.config == before)
    assert lab.message == "setup.toml is set up: space trains it"


@check("copy_setup")
async def _(lab: Any) -> None:
    await lab.press("C")
    assert lab.app.clipboard.startswith("caveats-tui run --set data.name=moons ")
    assert lab.message.startswith("copied: caveats-tui run --set data.name=moons")


@check("undo")
async def _(lab: Any) -> None:
    before = lab.bench.config
    await highlight(lab, "optimizer.lr")
    await lab.press("right", "u")
    assert lab.bench.config == before
    await lab.press("u")
    assert lab.message == "nothing to undo"


@check("play")
async def _(lab: Any) -> None:
    await lab.press("space")
    await lab.state("running")
    await lab.until(lambda: lab.bench.status.step > 20)
    await lab.press("space")
    await lab.state("paused")
    assert 0 < lab.bench.status.step < lab.bench.config.training.steps


@check("step")
async def _(lab: Any) -> None:
    await lab.press("s")
    await lab.until(lambda: lab.bench.status.step == 1)
    await lab.press("s", "s")
    await lab.until("step 3/1,000,000")
    assert lab.bench.status.state == "paused"


@check("restart")
async def _(lab: Any) -> None:
    await lab.press("s", "s")
    await lab.until("step 2/1,000,000")
    await lab.press("r")
    await lab.until("step 0/1,000,000")
    assert lab.bench.config.training.seed == 0
    assert lab.bench.ghost is not None


async def diagnosed(lab: Any) -> None:
    await lab.until("symmetry")
    assert lab.bench.verdicts()[0].caveat == "symmetry"


@check("fix")
async def _(lab: Any) -> None:
    await diagnosed(lab)
    fixed = lab.bench.config.changed(lab.bench.verdicts()[0].next[0].change, "test")
    await lab.press("f")
    assert lab.bench.config == fixed
    assert lab.bench.ghost is not None
    await lab.until(lambda: lab.bench.status.step > 20)
    await lab.press("space")


@check("remedies")
async def _(lab: Any) -> None:
    await diagnosed(lab)
    before = lab.bench.config
    remedies = lab.bench.verdicts()[0].next
    await lab.press("F")
    assert isinstance(lab.app.screen, RemedyList)
    await lab.press("escape")
    assert lab.bench.config is before
    await lab.press("F", "down", "enter")
    assert lab.bench.config == before.changed(remedies[1].change, "test")
    await lab.press("space")


@check("explain")
async def _(lab: Any) -> None:
    await diagnosed(lab)
    await lab.press("1")
    await lab.until(lambda: lab.panel(1).has_focus)
    await lab.press("enter")
    assert isinstance(lab.app.screen, Explain)
    await lab.press("escape", "x")
    assert isinstance(lab.app.screen, Explain)
    await lab.press("escape")
    setup(lab).focus()
    await lab.calm()
    await highlight(lab, "network.activation")
    await lab.press("enter")
    assert isinstance(lab.app.screen, Picker)
    await lab.press("escape")
    await highlight(lab, "optimizer.lr")
    await lab.press("enter")
    assert isinstance(lab.app.screen, Edit)
    await lab.press(*"0.25", "enter")
    assert lab.bench.config.optimizer.lr == 0.25
    await lab.until(lambda: lab.bench.verdicts())  # at step 0 a change begins a new run
    await lab.press("x")
    assert isinstance(lab.app.screen, Explain)


@check("ghost")
async def _(lab: Any) -> None:
    await lab.press("g")
    pinned = lab.bench.ghost
    assert pinned is not None
    await lab.press("s")
    await lab.press("r")
    assert lab.bench.ghost is pinned
    await lab.press("g")
    assert lab.bench.ghost is None


@check("seeds")
async def _(lab: Any) -> None:
    """More in tests/tui/lab/test_seeds.py."""
    await lab.press("n")
    await lab.press("ctrl+u", "5", "enter")
    assert lab.bench.seeds.count == 5


@check("chart")
async def _(lab: Any) -> None:
    for number in (1, 2, 3, 4):
        await lab.press(str(number))
        await lab.until(lambda n=number: lab.panel(n).has_focus)
        assert number in lab.visible()
    first = lab.panel(4).view
    await lab.press("4")
    assert lab.panel(4).view != first


@check("view")
async def _(lab: Any) -> None:
    await lab.press("2")
    seen = [lab.panel(2).view]
    for _ in range(5):
        await lab.press("v")
        seen.append(lab.panel(2).view)
    views = ["gradient", "gradient_profile", "delta", "delta_profile", "delta_map", "gradient_map"]
    assert seen == views


@check("focus_next")
async def _(lab: Any) -> None:
    assert setup(lab).has_focus
    for number in (1, 2, 3, 4):
        await lab.press("tab")
        await lab.until(lambda n=number: lab.panel(n).has_focus)
    await lab.press("tab")
    assert setup(lab).has_focus
    await lab.press("left_square_bracket", "4", "tab")
    await lab.until(lambda: lab.panel(1).has_focus)  # there is no list to go back to


@check("atlas")
async def _(lab: Any) -> None:
    await lab.press("m")
    assert isinstance(lab.app.screen, AskAxes)
    await lab.press("escape")
    assert lab.app.screen is lab.app.lab


@check("runs")
async def _(lab: Any) -> None:
    await lab.press("L")
    assert isinstance(lab.app.screen, RunsScreen)
    await lab.press("escape")
    assert lab.app.screen is lab.app.lab


@check("resume")
async def _(lab: Any) -> None:
    await lab.press("R")
    assert lab.message == "R continues a kept run: L lists them"


async def looks_back(lab: Any, before: tuple[str, ...], key: str, at: int | None) -> None:
    """In a run of four records; what these keys do in a kept run is tested in tests/tui/runs."""
    await lab.press("s", "s", "s")
    await lab.until("step 3/1,000,000")
    await lab.press(*before, key)
    assert lab.bench.trace().cursor == at
    lab.app.lab.frame()
    legend = lab.panel(1)._labels[1].plain
    assert legend.startswith("layer 1" if at is None else "1: ")


for _id, _key, _before, _at in (
    ("back", "comma", (), 2),
    ("forth", "full_stop", ("comma", "comma"), 2),
    ("first", "<", (), 0),
    ("last", ">", ("comma",), None),
):
    CHECKS[_id] = partial(looks_back, before=_before, key=_key, at=_at)


@check("zoom")
async def _(lab: Any) -> None:
    await lab.press("2")
    before = lab.visible()
    size = lab.panel(2).size
    await lab.press("z")
    assert lab.visible() == [2]
    await lab.until(lambda: lab.panel(2).size.width > 100 * size.width // 80)
    assert not setup(lab).region.area
    await lab.press("z")
    assert lab.visible() == before
    assert lab.panel(2).size == size


@check("back_out")
async def _(lab: Any) -> None:
    await lab.press("2", "z")
    await lab.until(lambda: lab.visible() == [2])
    await lab.press("escape")
    assert not lab.app.lab.has_class("-zoomed")
    assert lab.panel(2).has_focus
    await lab.press("escape")
    assert setup(lab).has_focus
    await lab.press("escape")
    assert lab.message == "nothing to leave here: q leaves the program"


@check("scale")
async def _(lab: Any) -> None:
    await lab.press("2")
    await lab.drawn()
    rows = lab.panel(2).rows
    assert lab.panel(2).log_axis
    await lab.press("y")
    assert not lab.panel(2).log_axis
    assert "(log)" not in str(lab.panel(2).border_title)
    await lab.until(lambda: lab.panel(2).rows != rows)
    await lab.press("y")
    assert lab.panel(2).log_axis


@check("copy")
async def _(lab: Any) -> None:
    await lab.press("s", "s")
    await lab.until("step 2/1,000,000")
    await lab.press("3", "c")
    assert lab.message.startswith("loss: copied 3 rows of csv")
    norms = lab.bench.trace().snapshot.scalar("loss")
    rows = list(csv.DictReader(io.StringIO(lab.app.clipboard)))
    assert [float(row["loss"]) for row in rows] == pytest.approx(norms, rel=1e-8)
    await lab.press("4", "v", "c")  # the decision boundary of moons
    await lab.until(lambda: lab.panel(4).picture is not None)
    await lab.press("c")
    assert lab.app.clipboard.startswith("x1,x2,class,confidence\n")


@check("setup_pane")
async def _(lab: Any) -> None:
    width = lab.panel(1).size.width
    await lab.press("left_square_bracket")
    assert not setup(lab).region.area
    assert lab.panel(1).size.width > width
    await lab.press("left_square_bracket")
    assert setup(lab).has_focus
    assert lab.panel(1).size.width == width


@check("notes_pane")
async def _(lab: Any) -> None:
    await lab.press("s")
    await highlight(lab, "optimizer.lr")
    await lab.press("right", "right_square_bracket")
    await lab.until("step 1: optimizer.lr → 0.2")
    await lab.press("right_square_bracket")
    assert "step 1: optimizer.lr → 0.2" not in lab.text


@check("palette")
async def _(lab: Any) -> None:
    await lab.press("ctrl+p")
    assert isinstance(lab.app.screen, Palette)
    await lab.press(*"restart")
    await lab.until("Begin again from step 0 with the same seed.")
    await lab.press("escape")


@check("picture")
async def _(lab: Any) -> None:
    await lab.press("ctrl+s")
    [saved] = Path.cwd().glob("*.svg")
    assert saved.read_text("utf-8").startswith("<svg")
    assert saved.name in lab.message
    saved.unlink()
    shutil.rmtree(Path.cwd())
    await lab.press("ctrl+s")
    assert lab.message.startswith("the picture could not be saved here: No such file")


@check("faster")
@check("slower")
async def _(lab: Any) -> None:
    for key, limit in (("minus", 50), ("minus", 20), ("plus", 50), ("equals_sign", 0)):
        await lab.press(key)  # what they do in a replay: tests of replays
        assert lab.bench.limit == limit
    assert lab.message.startswith("training as fast as possible")


@check("record")
async def _(lab: Any) -> None:
    await lab.press("ctrl+r")
    assert lab.message.startswith("nothing to record")
    master, slave = os.openpty()
    lab.app.recorder = lab.app.lab.recorder = Recorder(Output(slave), RecordingOptions())
    await lab.press("ctrl+r")
    [path] = Path.cwd().glob("caveats-*.cast")
    assert lab.message == f"recording to {path.name}: ctrl+r ends it"
    assert lab.rows[0].rstrip().endswith("rec")
    await lab.press("s", "ctrl+r")
    assert f"in {path.name}: caveats-tui play shows it" in lab.message
    assert not lab.rows[0].rstrip().endswith("rec")
    assert [e.data for e in read_cast(path).events if e.code == "m"] == ["key s", "key ctrl+r"]
    await lab.press("ctrl+r")  # within the same second, most often
    await lab.press("ctrl+r")
    assert len(list(Path.cwd().glob("caveats-*.cast"))) == 2
    shutil.rmtree(Path.cwd())
    await lab.press("ctrl+r")
    assert lab.message.startswith("no recording: ")
    assert "No such file" in lab.message
    os.close(master)
    os.close(slave)


@check("help")
async def _(lab: Any) -> None:
    for key in ("question_mark", "f1"):
        await lab.press(key)
        assert isinstance(lab.app.screen, Help)
        await lab.press("escape")
        assert lab.app.screen is lab.app.lab


@check("suspend")
async def _(lab: Any) -> None:
    """tests/terminal/test_signals.py looks at what a real terminal shows."""
    asked: list[bool] = []
    lab.app.action_suspend_process = lambda: asked.append(True)
    await lab.press("ctrl+z")
    assert asked == [True]


@check("quit")
async def _(lab: Any) -> None:
    await lab.press("space")
    await lab.state("running")
    for keys in (("q",), ("ctrl+q",), ("a", "ctrl+q")):
        await lab.press(*keys)
        assert isinstance(lab.app.screen, Ask)
        assert "A run is going" in lab.text
        await lab.press("escape", "escape")
        assert lab.bench.running
    await lab.press("q", "y")
    assert lab.app._exit


NEED_A_VERDICT = {"fix", "remedies", "explain"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key_id", [key.id for key in KEYS])
def test_a_key_does_what_its_sentence_says(
    key_id: str,
    size: tuple[int, int],
    drive: Callable[..., None],
    configured: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await CHECKS[key_id](lab)

    config = configured(NOTHING_HAPPENS if key_id in NEED_A_VERDICT else SMALL)
    drive(scenario, config, size, drawing=key_id == "scale")


def test_leaving_while_nothing_runs_asks_nothing(
    drive: Callable[..., None], configured: Callable[..., Any]
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("q")
        assert lab.app._exit

    drive(scenario, configured(SMALL), drawing=False)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_footer_is_made_from_the_table(width: int, drive: Callable[..., None]) -> None:
    pairs = [f"{hint.shown} {hint.label}" for hint in (*FOOTERS["setup"], *LAST)]

    async def scenario(lab: Any) -> None:
        await lab.calm()
        footer = lab.app.lab.query_one(Footer)
        row = lab.rows[footer.region.y]
        assert len(row) == width
        said = [part.strip() for part in re.split(r" {3,}", row.strip())]
        assert set(said) <= set(pairs), "a key is cut, or none of the table's"
        assert said == [pair for pair in pairs if pair in said], "in another order"
        assert {"? help", "q quit"} <= set(said)
        if width >= 200:
            assert said == pairs

    drive(scenario, size=(width, 24), drawing=False)
