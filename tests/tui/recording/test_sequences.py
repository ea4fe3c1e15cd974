"""What a recording may send: everything that shows something, and nothing that does more."""

from __future__ import annotations

import re
from itertools import pairwise

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveats_tui.recording.sequences import Filter

# The claim of the whitelist, written down apart from the code: sequences by their meaning in
# ECMA-48 and xterm's ctlseqs.
HARMLESS = re.compile(
    r"\x1b\[[0-9;:]*[ABCDEFGHJKLMPSTXZ@`abdefrsum]"  # moving, erasing, scrolling, colours
    r"|\x1b\[\?(?:7|25)[hl]"  # wrapping and the cursor
    r"|\x1b[78DEM]|\x1b\([B0]"
    r"|[\b\t\n\r]|[^\x00-\x1f\x7f-\x9f]"
)


def passed(text: str) -> str:
    return Filter(24).feed(text)


def is_harmless(text: str) -> bool:
    return re.fullmatch(f"(?:{HARMLESS.pattern})*", text) is not None


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b]52;c;cm0gLXJmIH4=\x07",  # the clipboard
        "\x1b]52;c;cm0gLXJmIH4=\x1b\\",
        "\x9d52;c;cm0gLXJmIH4=\x9c",  # the same in C1
        "\x1b]0;title\x07",
        "\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\",
        "\x1b]4;1;?\x07",  # asks for a colour
        "\x1b]1337;File=inline=1:AAAA\x07",
        "\x1b[c",  # who are you
        "\x1b[>c",
        "\x1b[=c",
        "\x1b[6n",  # where is the cursor
        "\x1b[?6n",
        "\x1b[5n",
        "\x1b[>q",
        "\x1b[?2026$p",
        "\x1b[18t",  # how large is the window
        "\x1b[21t",  # what is its title: typed back
        "\x1b[8;1;1t",  # be one cell large
        "\x1b[?1003h",  # report the mouse
        "\x1b[?2004h",
        "\x1b[>4;2m",  # keys as sequences
        "\x1b[>1u",
        "\x1b[5i",  # print
        "\x1bP$qm\x1b\\",
        "\x1bP+q544e\x1b\\",
        "\x1b_Gi=1;AAAA\x1b\\",  # pictures
        "\x1b^private\x1b\\",
        "\x1bXstring\x1b\\",
        "\x1bZ",
        "\x05",  # ENQ: answered
        "\x07",
        "\x0e",
        "\x1b%G",
        "\x1b#8",
        "\x1b=",
    ],
)
def test_sequences_that_do_more_than_show_text_are_dropped(hostile: str) -> None:
    kept = passed(f"before {hostile}after")
    assert re.sub("link", "", kept) == "before after"


@given(
    st.text(st.sampled_from("\x1b[]P?>;:0159mhlcnqtHJbr(B \x07\x18\x9b\x9d\x9c\\aμ\n"), max_size=60)
)
def test_any_input_leaves_only_harmless_output(text: str) -> None:
    assert is_harmless(passed(text))


@given(
    st.text(st.sampled_from("\x1b[]?;0159mhlcH(B\x07\x18\x9b\x9c\\aμ\n"), max_size=40),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_it_does_not_matter_where_the_text_is_cut(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = Filter(24)
    fed = "".join(pieces.feed(text[a:b]) for a, b in pairwise(edges))
    assert fed == passed(text)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=80))
def test_plain_text_passes_whole(text: str) -> None:
    assert passed(text) == text


def test_a_repeat_of_a_thousand_million_is_cut() -> None:
    assert passed("a\x1b[999999999b") == "a\x1b[9999b"


def test_a_line_of_10_mb_within_a_string_shows_nothing_and_what_follows_is_shown() -> None:
    assert passed("\x1b]52;c;" + "A" * 10_000_000 + "\x07shown") == "shown"


def test_the_other_screen_is_a_cleared_one_and_leaving_it_keeps_the_last_picture() -> None:
    screen = pyte.Screen(20, 4)
    stream, filtered = pyte.Stream(screen), Filter(4)
    stream.feed(filtered.feed("shell\x1b[?1049h\x1b[2;3Hlab"))
    assert [row.strip() for row in screen.display] == ["", "lab", "", ""]
    stream.feed(filtered.feed("\x1b[?1049l"))
    assert [row.strip() for row in screen.display] == ["", "lab", "", ""]
    stream.feed(filtered.feed("\r\nmore"))
    assert "lab" not in "".join(screen.display)
