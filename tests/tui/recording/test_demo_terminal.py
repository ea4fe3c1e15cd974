"""Demos in a real terminal: their last screen is that of their recording, and any key hands the lab
over."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte
import pytest

from caveats_tui.demos.demo import YOURS, record_demo
from caveats_tui.demos.script import find_script, scripts
from caveats_tui.recording.cast import Recording, read_cast

Start = Callable[..., Any]

PROGRAM = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]
SIZES = [pytest.param((100, 30), id="100x30"), pytest.param((120, 40), id="120x40")]
SHORT = """
every = 5
pace = 100

[config.data]
name = "moons"
[config.network]
widths = [8, 8]
[config.training]
steps = 40

[[scene]]
caption = "It trains."
keys = ["4", "space"]
wait = "finished"
hold = 0.5
"""


@pytest.fixture
def short(tmp_path: Path) -> str:
    path = tmp_path / "short.toml"
    path.write_text(SHORT, "utf-8")
    return str(path)


def recorded(name: str, size: tuple[int, int], folder: Path, version: int = 3) -> Path:
    path = folder / "demo.cast"
    record_demo(find_script(name), path, size, version=version)
    return path


def last_picture(recording: Recording) -> list[str]:
    """What a terminal shows before the program gives its screen back."""
    screen = pyte.Screen(*recording.size)
    stream = pyte.Stream(screen)
    outputs = [event.data for event in recording.events if event.code == "o"]
    assert outputs[-1].endswith("\x1b[?1049l")
    for text in outputs[:-1]:
        stream.feed(text)
    return list(screen.display)


def without_message(screen: list[str]) -> list[str]:
    """At the end of a demo the last row but one tells the person whose the lab is."""
    return [*screen[:-2], screen[-1]]


def plays_as_it_is_recorded(
    name: str, size: tuple[int, int], terminal: Start, folder: Path
) -> None:
    """In the terminal, in the recording and in a replay of that: the same last screen."""
    path = recorded(name, size, folder)
    expected = last_picture(read_cast(path))
    live = terminal([*PROGRAM, "demo", name], *size)
    live.wait_for(YOURS, 240)
    assert without_message(live.screen) == without_message(expected)
    live.press("q")
    assert live.exit_code() == 0
    live.assert_given_back()
    replay = terminal([*PROGRAM, "play", str(path), "--speed", "100"], size[0], size[1] + 1)
    replay.wait_for(lambda t: t.screen[-1].startswith(" over "), 120)
    assert replay.screen[:-1] == expected
    replay.press("q")
    assert replay.exit_code() == 0
    replay.assert_given_back()


def test_a_demo_plays_as_it_is_recorded(short: str, terminal: Start, tmp_path: Path) -> None:
    plays_as_it_is_recorded(short, (100, 30), terminal, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", list(scripts()))
def test_each_demo_plays_as_it_is_recorded(
    name: str, size: tuple[int, int], terminal: Start, tmp_path: Path
) -> None:
    plays_as_it_is_recorded(name, size, terminal, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in scripts() if name != "tour"])
def test_two_recordings_of_a_demo_show_the_same_numbers(name: str, tmp_path: Path) -> None:
    shown = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        recording = read_cast(recorded(name, (100, 30), folder))
        assert 30 <= recording.seconds <= 60
        shown.append((last_picture(recording), recording.seconds, marks(recording)))
    assert shown[0] == shown[1]


def marks(recording: Recording) -> list[str]:
    return [event.data for event in recording.events if event.code == "m"]


def test_any_key_hands_the_lab_over(terminal: Start) -> None:
    live = terminal([*PROGRAM, "demo", "dying_relu"], 100, 30)
    live.wait_for("A sound network on handwritten digits")
    live.press("x")
    live.wait_for("the lab is yours")
    assert "A sound network on handwritten digits" not in live.text
    live.wait_for("paused", 60)
    live.press("space")  # and obeys from now on
    live.wait_for(lambda t: re.search(r"step [1-9]", t.text))
    live.press("q")
    live.wait_for(lambda t: "Stop it and quit" in t.text or t.process.poll() is not None)
    live.press("y")
    assert live.exit_code() == 0
    live.assert_given_back()


@pytest.mark.skipif(
    importlib.util.find_spec("asciinema") is None, reason="the asciinema package is not installed"
)
def test_the_official_player_shows_the_same(short: str, terminal: Start, tmp_path: Path) -> None:
    path = recorded(short, (100, 30), tmp_path, version=2)
    expected = last_picture(read_cast(path))
    play = [sys.executable, "-m", "asciinema", "play", "--speed", "100", str(path)]
    shown = terminal(play, 100, 30)
    assert shown.exit_code(60) == 0
    # It leaves the last picture's screen as the recording does: what it sent tells the rest.
    sent = shown.received.decode()
    screen = pyte.Screen(100, 30)
    pyte.Stream(screen).feed(sent[: sent.rindex("\x1b[0m\x1b[?25h\x1b[?1049l")])
    assert list(screen.display) == expected
