"""A screen as cells: each character with its colours.

Cells come from a running app, or from a terminal emulator that has read an app's output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyte
from pyte.graphics import FG_BG_256
from rich.color import Color
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.app import App

__all__ = ["Cell", "Picture", "background", "from_app", "from_terminal", "text_of"]

# For the terminal's default colours: the greys of the program's dark theme.
PAPER, INK = "#121212", "#d0d0d0"
_THEME = TerminalTheme((18, 18, 18), (208, 208, 208), [(0, 0, 0)] * 8)
_NAMED = {
    "black": 0, "red": 1, "green": 2, "brown": 3, "blue": 4, "magenta": 5, "cyan": 6, "white": 7,
    "brightblack": 8, "brightred": 9, "brightgreen": 10, "brightbrown": 11, "brightblue": 12,
    "brightmagenta": 13, "bfightmagenta": 13, "brightcyan": 14, "brightwhite": 15,
}  # fmt: skip


class Cell(NamedTuple):
    """One character, its colours as #rrggbb. ``char`` is empty in the second half of a wide one."""

    char: str = " "
    ink: str = INK
    paper: str = PAPER
    bold: bool = False
    italic: bool = False
    underline: bool = False


Picture = tuple[tuple[Cell, ...], ...]  # rows of cells


def from_app(app: App[Any]) -> Picture:
    """What the app shows now, with any driver."""
    update = app.screen._compositor.render_update(
        full=True, screen_stack=app._background_screens, simplify=False
    )
    strips = update.strips  # type: ignore[union-attr]
    return tuple(tuple(_cells(line)) for line in strips)


def _cells(line: Any) -> Iterator[Cell]:
    for text, style, control in (segment for strip in line for segment in strip):
        if not control:
            look = _look(style or Style())
            for char in text:
                yield Cell(char, *look)


def _look(style: Style) -> tuple[str, str, bool, bool, bool]:
    ink = _hex(style.color, True)
    paper = _hex(style.bgcolor, False)
    if style.reverse:
        ink, paper = paper, ink
    if style.dim:
        ink = mixed(ink, paper, 0.6)
    return ink, paper, bool(style.bold), bool(style.italic), bool(style.underline)


def _hex(color: Color | None, foreground: bool) -> str:
    if color is None or color.is_default:
        return INK if foreground else PAPER
    return color.get_truecolor(_THEME, foreground).hex


def mixed(ink: str, paper: str, share: float) -> str:
    """``share`` of ink on paper."""
    pairs = zip(bytes.fromhex(ink[1:]), bytes.fromhex(paper[1:]), strict=True)
    return "#" + bytes(round(share * a + (1 - share) * b) for a, b in pairs).hex()


def from_terminal(screen: pyte.Screen) -> Picture:
    """What a terminal of pyte shows now."""
    return tuple(
        tuple(_terminal_cell(screen.buffer[y][x]) for x in range(screen.columns))
        for y in range(screen.lines)
    )


def _terminal_cell(char: Any) -> Cell:
    ink, paper = _terminal_colour(char.fg, INK), _terminal_colour(char.bg, PAPER)
    if char.reverse:
        ink, paper = paper, ink
    return Cell(char.data, ink, paper, char.bold, char.italics, char.underscore)


def _terminal_colour(name: str, default: str) -> str:
    if name == "default":
        return default
    return "#" + (FG_BG_256[_NAMED[name]] if name in _NAMED else name)


def text_of(picture: Picture) -> str:
    """The characters alone, one line for each row, without blanks at the ends."""
    return "\n".join("".join(cell.char for cell in row).rstrip() for row in picture)


def background(picture: Picture) -> str:
    """The colour behind the program: the most frequent one in the left column."""
    return Counter(row[0].paper for row in picture).most_common(1)[0][0]
