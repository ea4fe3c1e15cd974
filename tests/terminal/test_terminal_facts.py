"""What is concluded from the environment and the streams, against Rich's own rule and real ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from caveats.errors import ConfigError
from caveats_tui.terminal.facts import (
    Streams,
    charset,
    check,
    colours,
    inside,
    streams,
    too_small,
)

TTY = Streams(True, True, "utf-8", (80, 24))
XTERM = {"TERM": "xterm-256color"}


def test_a_usual_terminal_is_accepted() -> None:
    check(TTY, XTERM, platform="linux")


@pytest.mark.parametrize(
    ("streams", "environ", "platform", "names"),
    [
        (TTY._replace(stdin_tty=False), XTERM, "linux", ["stdin", "caveats-tui run"]),
        (TTY._replace(stdout_tty=False), XTERM, "linux", ["stdout", "caveats-tui run"]),
        (TTY, {"TERM": "dumb"}, "linux", ["TERM", "dumb", "xterm-256color", "caveats-tui run"]),
        (TTY, {"TERM": "DUMB"}, "linux", ["TERM", "DUMB"]),
        (TTY, {"TERM": ""}, "linux", ["TERM is not set", "caveats-tui run"]),
        (TTY, {}, "linux", ["TERM is not set", "caveats-tui run"]),
        (TTY, {}, "win32", ["Windows", "caveats-tui run"]),
    ],
)
def test_a_terminal_without_a_screen_is_refused_in_one_line_that_says_what_to_do(
    streams: Streams, environ: dict[str, str], platform: str, names: list[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        check(streams, environ, platform=platform)
    sentence = str(refused.value)
    assert "\n" not in sentence
    for name in names:
        assert name in sentence


@given(st.integers(0, 300), st.integers(0, 100))
def test_too_small_is_said_exactly_below_60_by_16(columns: int, rows: int) -> None:
    sentence = too_small(columns, rows)
    assert (sentence is None) == (columns >= 60 and rows >= 16)
    if sentence is not None:
        assert "60×16" in sentence
        assert f"{columns}×{rows}" in sentence


@pytest.mark.parametrize(
    ("environ", "encoding", "name"),
    [
        ({"LANG": "en_GB.UTF-8"}, "utf-8", "braille"),
        ({"LANG": "en_GB.utf8"}, "UTF8", "braille"),
        ({}, "utf-8", "braille"),  # a container: no locale, and Python writes UTF-8
        ({"LANG": "C"}, "utf-8", "braille"),  # the same, said aloud
        ({"LANG": "de_DE.ISO-8859-1"}, "utf-8", "ascii"),  # a locale that is not installed
        ({"LANG": "de_DE.ISO-8859-15@euro"}, "iso8859-15", "ascii"),
        ({"LANG": "de_DE@euro"}, "iso8859-15", "ascii"),
        ({"LC_ALL": "C"}, "utf-8", "ascii"),  # nobody exports this by accident
        ({"LC_ALL": "C", "PYTHONUTF8": "1"}, "utf-8", "braille"),
        ({"LC_ALL": "POSIX", "LANG": "en_GB.UTF-8"}, "utf-8", "ascii"),
        ({"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LANG": "fr_FR.ISO-8859-1"}, "utf-8", "braille"),
        ({"LC_ALL": "ja_JP.EUC-JP", "LC_CTYPE": "C.UTF-8"}, "utf-8", "ascii"),
        ({"LANG": "en_GB.UTF-8"}, "ascii", "ascii"),  # PYTHONIOENCODING
        ({"LANG": "en_GB.UTF-8", "TERM": "linux"}, "utf-8", "ascii"),
        ({"LANG": "en_GB.UTF-8", "TERM": "vt220"}, "utf-8", "ascii"),
        ({"LANG": "en_GB.UTF-8", "TERM": "screen-256color"}, "utf-8", "braille"),
    ],
)
def test_the_charset_follows_the_locale_the_encoding_and_the_terminal(
    environ: dict[str, str], encoding: str, name: str
) -> None:
    assert charset("auto", environ, encoding).name == name


@pytest.mark.parametrize("name", ["braille", "block", "ascii"])
def test_a_charset_that_is_asked_for_is_taken(name: str) -> None:
    assert charset(name, {"LC_ALL": "C", "TERM": "linux"}, "ascii").name == name


def test_an_unknown_charset_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"--charset 'brail' .*'braille'"):
        charset("brail", {}, "utf-8")


@given(
    term=st.sampled_from(
        ["xterm", "xterm-256color", "xterm-kitty", "screen", "screen-256color", "linux"]
    )
    | st.from_regex(r"[a-z]{1,6}(-[a-z0-9]{1,8})?", fullmatch=True).filter(
        lambda name: name not in ("dumb", "unknown")
    ),
    colorterm=st.sampled_from([None, "", "truecolor", "24bit", "TrueColor ", "yes"]),
    no_color=st.booleans(),
)
def test_the_colours_are_those_that_rich_will_use(
    term: str, colorterm: str | None, no_color: bool
) -> None:
    environ = {"TERM": term}
    if colorterm is not None:
        environ["COLORTERM"] = colorterm
    if no_color:
        environ["NO_COLOR"] = "1"
    console = Console(force_terminal=True, force_jupyter=False, _environ=environ)
    depth = {"standard": "16", "256": "256", "truecolor": "truecolor", None: "16"}
    expected = "none" if console.no_color else depth[console.color_system]
    assert colours(environ).depth == expected


def test_programs_between_us_and_the_terminal_are_named() -> None:
    assert inside({}) == ()
    assert inside({"TMUX": "/tmp/tmux-0/default,1,0", "SSH_TTY": "/dev/pts/0"}) == ("tmux", "SSH")
    assert inside({"STY": "1.pts-0"}) == ("GNU screen",)


LOOK = "from caveats_tui.terminal.facts import streams; print(tuple(streams()))"


def test_streams_of_a_pipe_are_no_terminal() -> None:
    said = subprocess.run(
        [sys.executable, "-c", LOOK], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert said.stdout.startswith("(False, False, ")
    assert said.stdout.endswith("None)\n")


def test_streams_of_a_terminal_have_its_size(terminal: Callable[..., Any]) -> None:
    started = terminal([sys.executable, "-c", LOOK], 97, 31)
    started.wait_for("(True, True, 'utf-8', (97, 31))")


def test_looking_does_not_need_a_terminal() -> None:
    assert streams().encoding


def test_refusing_loads_neither_textual_nor_numpy() -> None:
    code = "import sys, caveats_tui.terminal.facts; print({'textual', 'numpy'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.stdout == "set()\n"
