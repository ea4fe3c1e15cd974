"""Demos: valid scripts, the same numbers each time, and a recording that shows what the app did."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pyte
import pytest

from caveats.errors import ConfigError
from caveats_tui.demos.demo import record_demo
from caveats_tui.demos.offscreen import offscreen_driver
from caveats_tui.demos.script import Wait, find_script, parse_script, scripts
from caveats_tui.demos.stage import Stage
from caveats_tui.options import LabOptions
from caveats_tui.recording.cast import Recording, read_cast

SHORT = """
title = "short"
every = 2
pace = 40

[config.data]
name = "moons"
[config.network]
widths = [8, 8]
[config.training]
steps = 40

[[scene]]
caption = "It opens."
hold = 0.5
[[scene]]
caption = "It trains."
keys = ["4", "v", "space"]
wait = "step 20"
[[scene]]
caption = "A list opens."
keys = ["a"]
type = "tan"
hold = 0.25
[[scene]]
caption = "It ends."
keys = ["enter"]
wait = "finished"
hold = 0.5
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    """The same script, recorded twice."""
    folder = tmp_path_factory.mktemp("casts")
    script = parse_script("short", SHORT, "short.toml")
    for number in (1, 2):
        record_demo(script, folder / f"{number}.cast", (108, 28))
    return [read_cast(folder / f"{number}.cast") for number in (1, 2)]


def shown(recording: Recording) -> list[tuple[float, str, tuple[str, ...]]]:
    """The screen at every mark and at the end of each moment, as pyte sees it."""
    screen = pyte.Screen(*recording.size)
    stream = pyte.Stream(screen)
    moments: list[tuple[float, str, tuple[str, ...]]] = []
    for event, after in zip(recording.events, [*recording.events[1:], None], strict=True):
        if event.code == "o":
            stream.feed(event.data)
        if after is None or after.time > event.time or event.code == "m":
            label = event.data if event.code == "m" else ""
            moments.append((event.time, label, tuple(screen.display)))
    return moments


def changes(moments: list[tuple[float, str, tuple[str, ...]]]) -> list[tuple[float, Any]]:
    """What a person sees: when the picture became which. Repaints of the same picture are not."""
    pictures = [(time, screen) for time, label, screen in moments if not label]
    return [p for p, before in zip(pictures, [None, *pictures], strict=False)
            if before is None or p[1] != before[1]]  # fmt: skip


def test_two_recordings_of_one_demo_show_the_same(recorded: list[Recording]) -> None:
    first, second = (changes(shown(recording)) for recording in recorded)
    assert first == second
    marks = [[e.data for e in r.events if e.code == "m"] for r in recorded]
    assert marks[0] == marks[1]
    assert [m for m in marks[0] if m.startswith("key")] == [
        f"key {key}" for key in ("4", "v", "space", "a", "t", "a", "n", "enter")
    ]


def test_a_recording_tells_the_story(recorded: list[Recording]) -> None:
    moments = shown(recorded[0])
    screens = ["\n".join(screen) for _, _, screen in moments]
    said = [
        next(i for i, screen in enumerate(screens) if caption in screen)
        for caption in ("It opens.", "It trains.", "A list opens.", "It ends.")
    ]
    assert said == sorted(said)
    assert any("choose: activation" in screen for screen in screens)
    # The last picture, before the program leaves the screen: trained to the end under tanh.
    last = next(s for s in reversed(screens) if "caveats" in s)
    assert "step 40/40" in last
    assert "tanh" in last


def test_a_recording_replays_to_what_the_app_showed() -> None:
    """What the compositor of the app holds and what a terminal made of its output are the same
    cells."""
    received: list[str] = []
    size = (108, 28)
    script = parse_script("short", SHORT, "short.toml")
    held: list[str] = []

    async def perform(pilot: Any) -> None:
        app = pilot.app
        await stage.settle()
        await pilot.press("space")
        for _ in range(4):
            assert stage.session is not None
            stage.session.grant(10)
            await stage.settle()
        strips = app.screen._compositor.render_strips()
        held.extend("".join(segment.text for segment in strip) for strip in strips)
        app.exit()

    driver = offscreen_driver(received.append, size)
    stage = Stage(LabOptions(script.config, every=2), 40.0, driver_class=driver)
    app = stage.app
    app.charts.start()
    try:
        asyncio.run(app.run_async(auto_pilot=perform))
    finally:
        app.charts.stop()
    screen = pyte.Screen(*size)
    # Without the last text, in which the app gives the screen back.
    pyte.Stream(screen).feed("".join(received[:-1]))
    assert "step 40/40" in held[0]
    assert screen.display == held


def test_the_speed_shown_is_the_pace_of_the_demo(recorded: list[Recording]) -> None:
    speeds = {
        screen[0].split("/s")[0].split()[-1]
        for _, _, screen in shown(recorded[0])
        if "/s" in screen[0]
    }
    assert speeds == {"40"}


@pytest.mark.parametrize("name", list(scripts()))
def test_shipped_scripts_are_valid_and_tell_what_happens(name: str) -> None:
    script = find_script(name)
    assert script.title
    assert all(scene.caption or scene.wait for scene in script.scenes)
    # Two lines of 98 columns hold each caption, beside the badge of a key.
    assert max(len(scene.caption) for scene in script.scenes) <= 180


def test_the_demos_of_the_readme_are_there() -> None:
    assert list(scripts()) == [
        "atlas", "dying_relu", "symmetry", "vanilla_sgd", "vanishing_gradient", "zero_centred",
        "tour",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title =", "not valid TOML"),
        ("", "has no [[scene]]"),
        ("colour = 1\n[[scene]]", "'colour' is no key"),
        ("every = 0\n[[scene]]", "every = 0 should be from 1"),
        ("every = true\n[[scene]]", "every = True is of the wrong kind"),
        ("experiment = 'mass_extinctoin'\n[[scene]]", "did you mean 'mass_extinction'"),
        ("[config.network]\nactivation = 'rulu'\n[[scene]]", "did you mean 'relu'"),
        ("[[scene]]\nwait = 'verdict dying_rel'", "did you mean 'dying_relu'"),
        ("[[scene]]\nwait = 'a while'", "should be 'step N', 'verdict NAME', 'finished'"),
        ("[[scene]]\nhold = -1", "hold = -1 should be from 0"),
        ("[[scene]]\nhold = nan", "hold = nan should be from 0"),
        ("[[scene]]\nkeys = [1]", "keys holds 1, which names no key"),
        ("[[scene]]\nkey = 'a'", "'key' is no key: did you mean 'keys'"),
        ("scene = [1]", "scene 1 should be a table"),
    ],
)
def test_a_script_that_is_not_valid_is_one_sentence(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_script("mine", text, "mine.toml")
    assert says in str(error.value)
    assert "mine.toml" in str(error.value) or "is no experiment" in str(error.value)


def test_a_script_of_ones_own_is_found_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SHORT, "utf-8")
    script = find_script(str(path))
    assert script.name == "mine"
    assert script.scenes[1].wait == Wait("step", "20")
    assert script.scenes[2].keys == ("a", "t", "a", "n")
    with pytest.raises(ConfigError, match="did you mean 'dying_relu'"):
        find_script("dying_rleu")
    with pytest.raises(ConfigError, match="No such file"):
        find_script(str(tmp_path / "none.toml"))


def test_the_script_that_the_docs_show_is_valid() -> None:
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text("utf-8")
    (text,) = (t for t in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "[[scene]]" in t)
    script = parse_script("mine", text, "commands.md")
    assert script.config.optimizer.lr == 1.0
    assert script.scenes[0].wait == Wait("step", "100")


def test_a_condition_that_is_never_met_ends_the_recording(tmp_path: Path) -> None:
    text = SHORT.partition("[[scene]]")[0] + "[[scene]]\nwait = 'finished'\n"
    with pytest.raises(TimeoutError, match="finished"):
        record_demo(parse_script("stuck", text, "stuck.toml"), tmp_path / "a.cast", (80, 24))
    assert read_cast(tmp_path / "a.cast").seconds >= 100


def test_a_map_fills_in_a_recording_and_a_cell_opens_with_its_curve(tmp_path: Path) -> None:
    """Its cells are trained by the demo, a task a frame, and not beside it."""
    script = parse_script(
        "map",
        """
        every = 2
        pace = 100
        [config.data]
        name = "moons"
        n = 60
        [config.network]
        widths = [4]
        [config.training]
        steps = 40
        batch_size = 20
        [[scene]]
        keys = ["m", "ctrl+u"]
        type = "optimizer.lr=0.1,0.5"
        [[scene]]
        keys = ["enter", "ctrl+u"]
        type = "network.depth=1,2"
        [[scene]]
        keys = ["enter"]
        wait = "map"
        hold = 0.5
        [[scene]]
        keys = ["enter"]
        wait = "finished"
        """,
        "map.toml",
    )
    casts = [tmp_path / name for name in ("1.cast", "2.cast")]
    for cast in casts:
        record_demo(script, cast, (108, 28))
    first, second = (changes(shown(read_cast(cast))) for cast in casts)
    assert first == second
    screens = ["\n".join(screen) for _, screen in first]
    full = next(screen for screen in screens if "4 of 4" in screen)
    cell = re.search(r"loss ([\d.]+), accuracy", full)
    assert cell is not None
    last = next(screen for screen in reversed(screens) if "step 40/40" in screen)
    assert f"{cell[1]} ·" in last  # in the title of the chart


def test_header_and_titles_are_there_before_the_first_record() -> None:
    """Loading torch takes seconds, and a held lab draws no frame in them."""
    script = parse_script("short", SHORT, "short.toml")
    rows: list[str] = []

    async def perform(pilot: Any) -> None:
        while stage.session is None:
            await pilot.pause(0)
        strips = pilot.app.lab._compositor.render_strips()
        rows.extend("".join(segment.text for segment in strip) for strip in strips)
        pilot.app.exit()

    driver = offscreen_driver(lambda text: None, (108, 28))
    stage = Stage(LabOptions(script.config, every=2), 40.0, driver_class=driver)
    stage.app.charts.start()
    try:
        asyncio.run(stage.app.run_async(auto_pilot=perform))
    finally:
        stage.app.charts.stop()
    assert rows[0].startswith(" caveats  moons · 8-8")
    assert "1 dead neurons by layer" in rows[1]
