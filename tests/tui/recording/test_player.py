"""Replays: every way to a moment shows the same picture; in a real terminal, a hostile file shows
only text, and the terminal is restored."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveats.errors import ConfigError
from caveats_tui.keys import KEYS
from caveats_tui.recording.cast import CastEvent, Recording
from caveats_tui.recording.player import PLAYER_KEYS, Player, does_not_fit
from caveats_tui.recording.replay import keys_of

FRAMES = 12


def recording() -> Recording:
    """A picture a second, each other than the one before, a mark at every fourth."""
    events = []
    for second in range(1, FRAMES + 1):
        if second % 4 == 0:
            events.append(CastEvent(float(second), "m", f"mark {second}"))
        colour = 31 + second % 6
        text = f"\x1b[{1 + second % 3};{second}H\x1b[{colour}mpicture {second}\x1b[0m"
        events.append(CastEvent(float(second), "o", text))
    return Recording((30, 4), "test", tuple(events))


class Shown:
    """A player on a terminal of pyte's with room for the status below."""

    def __init__(self, size: tuple[int, int] = (30, 5)) -> None:
        self.screen = pyte.Screen(*size)
        stream = pyte.Stream(self.screen)
        self.player = Player(recording(), stream.feed, size)

    @property
    def picture(self) -> list[list[Any]]:
        """The rows of the recording, colours and all."""
        return [[self.screen.buffer[y][x] for x in range(30)] for y in range(4)]

    @property
    def status(self) -> str:
        return str(self.screen.display[4])


def straight_to(moment: float) -> list[list[Any]]:
    shown = Shown()
    shown.player.advance(moment)
    return shown.picture


def test_pictures_come_when_they_are_due() -> None:
    shown = Shown()
    assert shown.player.due() == 1.0
    shown.player.advance(0.9)
    assert not shown.screen.display[1].strip()
    shown.player.advance(0.1)
    assert shown.screen.display[1].strip() == "picture 1"


@given(st.lists(st.sampled_from(["\x1b[C", "h", "m", "<", ".", "-", "+", " "]), max_size=12))
def test_however_a_moment_is_reached_the_picture_is_the_same(keys: list[str]) -> None:
    shown = Shown()
    for key in keys:
        shown.player.press(key)
        shown.player.advance(0.3)
    assert shown.picture == straight_to(shown.player.time)


def test_keys_pause_step_seek_and_change_the_speed() -> None:
    shown = Shown()
    shown.player.press(" ")
    shown.player.advance(100.0)
    assert shown.player.time == 0.0
    shown.player.press(".")
    shown.player.press(".")
    assert shown.player.time == 2.0
    assert "paused" in shown.status
    shown.player.press("m")
    assert shown.player.time == 4.0
    assert "mark 4" in shown.status
    shown.player.press("\x1b[C")
    assert shown.player.time == 9.0
    shown.player.press("\x1b[D")
    assert shown.player.time == 4.0
    shown.player.press(" ")
    shown.player.press("+")
    shown.player.press("=")
    shown.player.advance(1.0)
    assert shown.player.time == 8.0
    assert "4×" in shown.status
    shown.player.press("m")
    shown.player.press("m")
    assert "over" in shown.status
    shown.player.press("<")
    assert shown.player.time == 0.0
    shown.player.press(">")
    assert "over" in shown.status
    shown.player.press("q")
    assert shown.player.leaving


@pytest.mark.parametrize(
    ("name", "method"),
    [("play", "pause"), ("faster", "faster"), ("slower", "slower"), ("forth", "step"),
     ("first", "restart"), ("last", "to_end"), ("quit", "leave"), ("back_out", "leave")],
)  # fmt: skip
def test_a_key_of_the_lab_does_the_same_here(name: str, method: str) -> None:
    [shown] = [key.shown for key in KEYS if key.id == name]
    sent = {"space": " ", "escape": "\x1b"}.get(shown, shown)
    assert PLAYER_KEYS[sent] == method


def test_a_mark_of_someone_elses_is_shown_as_text() -> None:
    sent: list[str] = []
    mark = CastEvent(1.0, "m", "\x1b]52;c;cm0gLXJmIH4=\x07 label \x9b6n")
    player = Player(Recording((30, 4), "", (mark,)), sent.append, (80, 5))
    player.press("m")
    assert "label" in sent[-1]
    assert "\x07" not in "".join(sent)
    assert "\x9b" not in "".join(sent)
    assert "]52;c;" in sent[-1]
    assert "\x1b]" not in "".join(sent)


def test_a_terminal_without_a_row_to_spare_shows_the_status_only_while_it_stands() -> None:
    shown = Shown((30, 4))
    shown.player.advance(2.0)
    assert shown.picture == straight_to(2.0)
    shown.player.press(" ")
    assert "paused" in shown.screen.display[3]
    shown.player.press(" ")
    assert shown.picture == straight_to(2.0)


def test_a_terminal_that_has_become_too_small_says_so_until_it_is_larger() -> None:
    shown = Shown()
    shown.player.advance(2.0)
    shown.player.resize((20, 5))
    assert "this recording" in "".join(shown.screen.display)
    shown.player.advance(5.0)
    assert shown.player.time == 2.0
    shown.player.resize((30, 5))
    assert shown.picture == straight_to(2.0)
    assert does_not_fit((30, 4), (30, 4)) is None


def test_typed_ahead_keys_are_told_apart() -> None:
    assert keys_of(" \x1b[C\x1b[D]q\x1b") == [" ", "\x1b[C", "\x1b[D", "]", "q", "\x1b"]


HOSTILE = (
    "\x1b]52;c;cm0gLXJmIH4=\x07\x1b]0;title\x07"
    "\x1b[c\x1b[6n\x1b[>q\x1b[?1003h\x1b[18t\x1bP$qm\x1b\\"
)


def cast(path: Path, columns: int, rows: int, *texts: str) -> Path:
    lines: list[Any] = [{"version": 3, "term": {"cols": columns, "rows": rows}}]
    lines += [[0.01, "o", text] for text in texts]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def play(terminal: Callable[..., Any], path: Path, columns: int, rows: int) -> Any:
    code = "from caveats_tui.commands.play import play; play()"
    return terminal([sys.executable, "-c", code, str(path)], columns, rows)


def test_a_hostile_recording_shows_text_and_nothing_else(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    huge = "\x1b]52;c;" + "A" * 10_000_000 + "\x07"
    path = cast(tmp_path / "bad.cast", 40, 5, HOSTILE, huge, "z" * 100_000, f"{HOSTILE}\r\nend")
    shown = play(terminal, path, 60, 10)
    shown.wait_for("over", timeout=60)
    assert shown.screen[4].startswith("end")
    sent = bytes(shown.received).decode()
    assert re.findall(r"\x1b[\]PX^_Z]|[\x05\x07\x0e]|\x1b\[[>=]?[0-9;]*[cntqi]", sent) == []
    assert set(re.findall(r"\x1b\[\?([0-9]+)[hl]", sent)) <= {"25", "7", "1049"}
    shown.send("q")
    assert shown.exit_code() == 0
    shown.assert_given_back()


def test_a_terminal_too_small_is_one_sentence(terminal: Callable[..., Any], tmp_path: Path) -> None:
    shown = play(terminal, cast(tmp_path / "a.cast", 120, 40, "text"), 80, 24)
    shown.wait_for("needs 120×40")
    assert shown.exit_code() != 0


def test_a_replay_without_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from caveats_tui.recording.replay import check_terminal

    class Pipe:
        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "__stdin__", Pipe())
    with pytest.raises(ConfigError, match="stdin is not a terminal"):
        check_terminal({"TERM": "xterm"})
