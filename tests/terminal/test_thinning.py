"""Text that is thinned looks the same in a terminal, in fewer bytes."""

from __future__ import annotations

from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveats_tui.terminal.thinning import Thinner

COLUMNS, ROWS = 20, 6

colours = st.one_of(
    st.integers(30, 37), st.integers(40, 47), st.integers(90, 97), st.integers(100, 107),
    st.sampled_from([39, 49, 0, 1, 3, 4, 7, 9, 22, 23, 24, 27, 29]),
).map(str) | st.tuples(st.sampled_from(["38;5", "48;5"]), st.integers(0, 255)).map(
    lambda parts: f"{parts[0]};{parts[1]}"
)  # fmt: skip
styles = st.lists(colours, max_size=4).map(lambda codes: f"\x1b[{';'.join(codes)}m")
places = st.tuples(st.integers(1, ROWS), st.integers(1, COLUMNS)).map(
    lambda place: f"\x1b[{place[0]};{place[1]}H"
)
words = st.text(" ab─é", min_size=1, max_size=6)
frames = st.lists(st.one_of(styles, styles, places, words, st.just("\x1b[K")), max_size=30)


def cells(texts: list[str]) -> list[list[tuple[Any, ...]]]:
    """What each cell of a terminal shows: of a blank, only what can be seen."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    for text in texts:
        stream.feed(text)
    return [[seen(screen.buffer[y][x]) for x in range(COLUMNS)] for y in range(ROWS)]


def seen(cell: Any) -> tuple[Any, ...]:
    lined = cell.underscore, cell.strikethrough, cell.reverse
    if cell.data == " " and not any(lined):
        return (" ", cell.bg)
    return (cell.data, cell.fg, cell.bg, cell.bold, cell.italics, *lined)


@given(st.lists(frames, max_size=4))
def test_every_cell_looks_the_same(texts: list[list[str]]) -> None:
    thinner = Thinner()
    whole = ["".join(pieces) for pieces in texts]
    assert cells([thinner.thinned(text) for text in whole]) == cells(whole)


def test_a_style_is_set_once_and_blanks_need_no_colour_of_their_own() -> None:
    row = (
        "\x1b[2;1H\x1b[38;5;74;48;5;234m╭\x1b[0m\x1b[38;5;74;48;5;234m─\x1b[0m"
        "\x1b[1;38;5;251;48;5;234m  \x1b[0m\x1b[38;5;251;48;5;234mrelu\x1b[0m"
    )
    assert Thinner().thinned(row) == "\x1b[2;1H\x1b[38;5;74;48;5;234m╭─  \x1b[38;5;251mrelu\x1b[0m"


@pytest.mark.parametrize("code", ["38;7;1", "58;5;3", "999", "38;5", "4:3"])
def test_codes_that_are_not_known_pass_as_they_are(code: str) -> None:
    text = f"\x1b[1ma\x1b[{code}mb\x1b[0mc"
    assert f"\x1b[{code}m" in Thinner().thinned(text)
    assert Thinner().thinned(text).endswith("\x1b[0mc")


def test_a_screen_of_the_program_loses_most_of_its_bytes_of_style() -> None:
    line = "".join(
        f"\x1b[38;5;{240 + part % 2};48;5;233m{'─' * 3}\x1b[0m\x1b[38;5;241;48;5;233m   \x1b[0m"
        for part in range(20)
    )
    frame = "".join(f"\x1b[{row};1H{line}\n" for row in range(1, 40))
    assert len(Thinner().thinned(frame)) < 0.5 * len(frame)
