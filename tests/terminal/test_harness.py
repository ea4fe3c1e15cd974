"""The harness itself: it sees what a terminal shows, and notices what a program leaves behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

Start = Callable[..., Any]


def say(terminal: Start, written: str, columns: int = 20, rows: int = 4) -> Any:
    """A program that writes, waits for a key, and ends."""
    code = f"import sys; sys.stdout.write({written!r}); sys.stdout.flush(); sys.stdin.readline()"
    return terminal([sys.executable, "-c", code], columns, rows)


def test_it_shows_cells_with_their_colours(terminal: Start) -> None:
    shown = say(terminal, "\x1b[2;3H\x1b[1;38;5;208;48;2;1;2;3mμ⣿\x1b[0m end")
    shown.wait_for("end")
    assert shown.screen[1] == "  μ⣿ end".ljust(20)
    assert shown.cell(2, 1) == ("μ", "ff8700", "010203", True, False)
    assert shown.cell(6, 1).foreground == "default"


def test_it_prints_no_sequence_that_pyte_has_never_heard_of(terminal: Start) -> None:
    shown = say(
        terminal,
        "\x1b[>25u\x1b[?2026$p\x1b[?u\x1b]22;pointer\x07\x1b]8;;http://a\x1b\\x\x1bPq1\x1b\\\x1b[<u.",
    )
    shown.wait_for(".")
    assert shown.text.strip() == "x."


def test_a_sequence_or_a_character_cut_between_two_reads_is_put_together(terminal: Start) -> None:
    halves = ["\\x1b[2;", "3Ha\\xce", "\\xbcb"]
    code = "import os, tty\ntty.setcbreak(0)\n" + "".join(  # else the line echoes the keys
        f"os.write(1, b'{half}'); os.read(0, 1)\n" for half in halves
    )
    shown = terminal([sys.executable, "-c", code], 20, 4)
    for size in (4, 8):
        shown.wait_for(lambda shown, size=size: len(shown.received) >= size)
        shown.send(" ")
    shown.wait_for("aμb")
    assert shown.screen[1].startswith("  aμb")


def test_the_alternate_screen_hides_the_first_and_brings_it_back(terminal: Start) -> None:
    code = (
        "import sys\n"
        "for text in ('shell', '\\x1b[?1049happ', '\\x1b[?1049l'):\n"
        "    sys.stdout.write(text); sys.stdout.flush(); sys.stdin.readline()\n"
    )
    shown = terminal([sys.executable, "-c", code], 20, 4)
    shown.wait_for("shell")
    shown.press("enter")
    shown.wait_for("app")
    assert "shell" not in shown.text
    shown.press("enter")
    shown.wait_for("shell")
    assert "app" not in shown.text


@pytest.mark.parametrize(
    ("left", "complaint"),
    [
        ("\x1b[?1049h", "alternate screen"),
        ("\x1b[?1000;1006h", "1006"),
        ("\x1b[?2004h", "2004"),
        ("\x1b[?25l", "-25"),
        ("\x1b[?7l", "-7"),
        ("\x1b[>1u", "kitty"),
    ],
)
def test_it_notices_what_is_left_behind(terminal: Start, left: str, complaint: str) -> None:
    shown = say(terminal, left + ".")
    shown.wait_for(".")
    shown.press("enter")
    assert shown.exit_code() == 0
    with pytest.raises(AssertionError, match=complaint):
        shown.assert_given_back()


def test_it_notices_a_line_left_raw(terminal: Start) -> None:
    shown = terminal([sys.executable, "-c", "import tty; tty.setraw(0)"])
    assert shown.exit_code() == 0
    with pytest.raises(AssertionError, match="settings"):
        shown.assert_given_back()


def test_a_wait_that_fails_shows_the_screen_and_why(terminal: Start) -> None:
    shown = terminal([sys.executable, "-c", "print('all there was')"])
    with pytest.raises(AssertionError, match=r"the program ended without 'more'(.|\n)*all there"):
        shown.wait_for("more")


def test_nothing_of_the_persons_environment_reaches_the_program(
    terminal: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    code = "import os; print(os.environ.get('COLORTERM'), os.environ['TERM'])"
    shown = terminal([sys.executable, "-c", code], 60, 4)
    shown.wait_for("None xterm-256color")
