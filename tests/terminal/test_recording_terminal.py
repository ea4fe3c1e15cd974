"""Recordings of the running program in a real terminal: they contain what the terminal got, and
trouble with the file does not stop the program."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte
import pytest

from caveats_tui.recording.cast import Recording, read_cast
from caveats_tui.recording.sequences import Filter

Start = Callable[..., Any]

PROGRAM = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]
SMALL = [
    "--set", "data.name=moons", "--set", "network.widths=[8, 8]", "--set", "training.steps=200",
]  # fmt: skip
ENDLESS = [*SMALL, "--set", "training.steps=100000000"]
DYING = ["--set", "optimizer.name=adam", "--set", "optimizer.lr=0.3", "--set", "training.steps=60"]


@pytest.fixture
def lab(terminal: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """``lab(arguments, columns, rows)``: the program in an empty folder, step 0 on the screen."""
    monkeypatch.chdir(tmp_path)

    def start(arguments: list[str], columns: int = 100, rows: int = 30) -> Any:
        env = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        opened = terminal([*PROGRAM, *arguments], columns, rows, env)
        opened.wait_for("paused", 60)
        return opened

    return start


def outputs(recording: Recording) -> str:
    return "".join(event.data for event in recording.events if event.code == "o")


def marks(recording: Recording) -> list[str]:
    return [event.data for event in recording.events if event.code == "m"]


def last_picture(recording: Recording) -> list[str]:
    """What a terminal of the last size shows at the end, of what a replay would let through."""
    screen = pyte.Screen(*recording.size)
    stream, passing = pyte.Stream(screen), Filter(recording.size[1])
    for event in recording.events:
        if event.code == "r":
            columns, rows = map(int, event.data.split("x"))
            screen.resize(rows, columns)
        elif event.code == "o":
            stream.feed(passing.feed(event.data))
    return list(screen.display)


def leave(terminal: Any) -> None:
    terminal.press("q")
    assert terminal.exit_code() == 0
    terminal.assert_given_back()


def test_a_recording_is_what_the_terminal_got_from_the_first_byte_to_the_last(
    lab: Start, tmp_path: Path
) -> None:
    terminal = lab([*SMALL, "--record", "a.cast"])
    assert "rec" in terminal.screen[0]
    terminal.press("space")
    terminal.wait_for("finished")
    terminal.press("?")
    terminal.wait_for("arrows scroll")
    terminal.press("escape")
    terminal.wait_for(lambda t: "arrows scroll" not in t.text)
    leave(terminal)
    recording = read_cast(tmp_path / "a.cast")
    assert recording.size == (100, 30)
    assert recording.title.startswith("moons · 8-8")
    said = terminal.received.decode()
    assert re.search(r"recorded 0:\d\d in a\.cast", said)
    # What is said once the screen is given back belongs to the shell.
    assert said[: said.rindex("recorded")] == outputs(recording)
    assert marks(recording) == ["key space", "key question_mark", "key escape", "key q"]


def test_ctrl_r_records_from_a_key_to_a_key_and_the_screen_says_so(
    lab: Start, tmp_path: Path
) -> None:
    terminal = lab(SMALL)
    terminal.press("s")
    terminal.wait_for("step 1/200")
    terminal.press("ctrl+r")
    terminal.wait_for("ctrl+r ends it")
    assert terminal.screen[0].rstrip().endswith("rec")
    terminal.press("space")
    terminal.wait_for("step 200/200")
    terminal.wait_for("finished")
    while terminal._read(time.monotonic() + 1.0):
        pass  # until the last charts have come
    terminal.press("ctrl+r")
    terminal.wait_for("caveats-tui play shows it")
    assert not terminal.screen[0].rstrip().endswith("rec")
    [path] = tmp_path.glob("caveats-*.cast")
    recording = read_cast(path)
    keys = [mark for mark in marks(recording) if mark.startswith("key")]  # verdicts are marked too
    assert keys == ["key space", "key ctrl+r"]
    # It began in the middle, and shows all rows that have not changed since too; the last row but
    # one says what happened after it.
    shown = last_picture(recording)
    assert "step 200/200" in shown[0]
    assert shown[1:-2] == terminal.screen[1:-2]
    assert shown[-1] == terminal.screen[-1]
    leave(terminal)


@pytest.mark.slow
def test_a_killed_program_leaves_a_recording_that_plays(lab: Start, tmp_path: Path) -> None:
    terminal = lab([*ENDLESS, "--record", "a.cast"])
    terminal.press("space")
    terminal.wait_for("running")
    terminal.wait_for(lambda t: re.search(r"step [1-9]", t.text))
    terminal.kill(signal.SIGKILL)
    assert terminal.exit_code() == -signal.SIGKILL
    recording = read_cast(tmp_path / "a.cast")
    got = outputs(recording)
    # All but what was on its way when it was killed.
    assert terminal.received.decode("utf-8", "replace").startswith(got)
    assert len(terminal.received) - len(got.encode()) < 40_000
    assert re.search(r"step [\d,]+/100,000,000", last_picture(recording)[0])


@pytest.mark.slow
def test_verdicts_are_marked_and_sizes_follow_the_terminal(lab: Start, tmp_path: Path) -> None:
    terminal = lab([*DYING, "--record", "a.cast", "--cast-version", "2"], 120, 40)
    terminal.press("space")
    terminal.wait_for("finished", 60)
    terminal.resize(90, 28)
    terminal.wait_for(lambda t: t.screen[-1].rstrip().endswith("q quit"))
    leave(terminal)
    recording = read_cast(tmp_path / "a.cast")
    assert (tmp_path / "a.cast").read_text("utf-8").startswith('{"version": 2, "width": 120')
    assert any(re.fullmatch(r"(critical|warning): dying ReLU", mark) for mark in marks(recording))
    assert [event.data for event in recording.events if event.code == "r"] == ["90x28"]


@pytest.mark.slow
def test_pressed_keys_can_be_shown_in_a_corner(lab: Start, tmp_path: Path) -> None:
    terminal = lab([*SMALL, "--record", "a.cast", "--show-keys"])
    terminal.press("a")
    terminal.wait_for("choose: activation")
    terminal.wait_for(lambda t: t.screen[-1].rstrip().endswith(" a"))
    leave_dialog(terminal)
    terminal.wait_for(lambda t: t.screen[-1].rstrip().endswith(" escape"))
    terminal.wait_for(lambda t: t.screen[-1].rstrip().endswith("q quit"))
    leave(terminal)


def leave_dialog(terminal: Any) -> None:
    terminal.press("escape")
    terminal.wait_for(lambda t: "choose:" not in t.text)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("none/a.cast", "No such file or directory"),
        (".", "Is a directory"),
        ("pipe", "No such device or address"),
        ("taken.cast", "exists already, and a recording replaces no file"),
    ],
)
def test_a_file_that_cannot_be_recorded_to_is_one_sentence_on_the_normal_screen(
    path: str, says: str, terminal: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("taken.cast").write_text("precious")
    shown = terminal(
        [*PROGRAM, *SMALL, "--record", path], 100, 30, {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert shown.exit_code() == 2
    assert f"Error: {path}" in shown.text
    assert says in " ".join(shown.text.split())
    assert b"\x1b[?1049h" not in shown.received
    shown.assert_given_back()
    assert Path("taken.cast").read_text() == "precious"


@pytest.mark.slow
def test_a_full_disk_ends_the_recording_and_not_the_program(lab: Start) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    terminal = lab([*SMALL, "--record", "/dev/full"])
    terminal.wait_for("recording stopped: No space left on device")
    assert not terminal.screen[0].rstrip().endswith("rec")
    terminal.press("space")
    terminal.wait_for("finished")
    leave(terminal)
