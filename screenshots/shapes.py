"""Signs that must meet at the edges of their cells, as geometry: braille, blocks, frames. Fonts
draw them with gaps, or not at all.

A shape is in parts of a cell: x from 0 (left) to 1, y from 0 (top) to 1.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Arc", "Dot", "Rect", "Shape", "shapes"]


class Rect(NamedTuple):
    """``opacity`` is below 1 for shades."""

    left: float
    top: float
    right: float
    bottom: float
    opacity: float = 1.0


class Dot(NamedTuple):
    """A round dot; ``radius`` in parts of the cell's width."""

    x: float
    y: float
    radius: float


class Arc(NamedTuple):
    """A rounded corner: a stroke from the middle of the edge ``across`` (-1 left, 1 right) to the
    middle of the edge ``down`` (-1 top, 1 bottom)."""

    across: int
    down: int


Shape = Rect | Dot | Arc

# Half the width of a stroke, in parts of a cell's width and height (twice the width).
LIGHT = (0.07, 0.035)
HEAVY = (0.14, 0.07)

# Strokes from the middle to each edge (left, right, up, down): 0 none, 1 light, 2 heavy.
_FRAMES = {
    "─": "1100", "━": "2200", "│": "0011", "┃": "0022", "┌": "0101", "┐": "1001", "└": "0110",
    "┘": "1010", "├": "0111", "┤": "1011", "┬": "1101", "┴": "1110", "┼": "1111", "╴": "1000",
    "╶": "0100", "╵": "0010", "╷": "0001", "╸": "2000", "╺": "0200", "╹": "0020", "╻": "0002",
    "┏": "0202", "┓": "2002", "┗": "0220", "┛": "2020", "┣": "0222", "┫": "2022", "┳": "2202",
    "┻": "2220", "╋": "2222", "╼": "1200", "╾": "2100", "╽": "0012", "╿": "0021",
}  # fmt: skip
_DASHES = {"┄": (3, 0), "┈": (4, 0), "╌": (2, 0), "┆": (3, 1), "┊": (4, 1), "╎": (2, 1)}
_ROUND = {"╭": (1, 1), "╮": (-1, 1), "╰": (1, -1), "╯": (-1, -1)}
_QUADRANTS = {
    "▖": "0010", "▗": "0001", "▘": "1000", "▝": "0100", "▙": "1011", "▚": "1001", "▛": "1110",
    "▜": "1101", "▞": "0110", "▟": "0111",
}  # fmt: skip
_SHADES = {"░": 0.25, "▒": 0.5, "▓": 0.75}
# Bit n of a braille character, as (column, row).
_BRAILLE = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))


def shapes(char: str) -> tuple[Shape, ...] | None:
    """The shapes of a sign; None if a font should draw it."""
    code = ord(char) if len(char) == 1 else 0
    if 0x2800 <= code <= 0x28FF:
        return tuple(
            Dot(0.25 + 0.5 * column, 0.125 + 0.25 * row, 0.17)
            for bit, (column, row) in enumerate(_BRAILLE)
            if code - 0x2800 >> bit & 1
        )
    if char in _FRAMES:
        return _frame(_FRAMES[char])
    if char in _ROUND:
        return (Arc(*_ROUND[char]),)
    if char in _DASHES:
        return _dashes(*_DASHES[char])
    if 0x2580 <= code <= 0x259F:
        return _block(char, code)
    return None


def _frame(strokes: str) -> tuple[Shape, ...]:
    left, right, up, down = (int(digit) for digit in strokes)
    wide, high = HEAVY if "2" in strokes else LIGHT  # how far a stroke extends beyond the middle
    parts: list[Shape] = []
    for weight, edge in ((left, 0.0), (right, 1.0)):
        if weight:
            half = (LIGHT, HEAVY)[weight - 1][1]
            ends = sorted((edge, 0.5 + wide if edge == 0 else 0.5 - wide))
            parts.append(Rect(ends[0], 0.5 - half, ends[1], 0.5 + half))
    for weight, edge in ((up, 0.0), (down, 1.0)):
        if weight:
            half = (LIGHT, HEAVY)[weight - 1][0]
            ends = sorted((edge, 0.5 + high if edge == 0 else 0.5 - high))
            parts.append(Rect(0.5 - half, ends[0], 0.5 + half, ends[1]))
    return tuple(parts)


def _dashes(count: int, vertical: int) -> tuple[Shape, ...]:
    parts: list[Shape] = []
    for index in range(count):
        start, stop = (index + 0.2) / count, (index + 0.8) / count
        if vertical:
            parts.append(Rect(0.5 - LIGHT[0], start, 0.5 + LIGHT[0], stop))
        else:
            parts.append(Rect(start, 0.5 - LIGHT[1], stop, 0.5 + LIGHT[1]))
    return tuple(parts)


def _block(char: str, code: int) -> tuple[Shape, ...]:
    if char in _SHADES:
        return (Rect(0, 0, 1, 1, _SHADES[char]),)
    if char in _QUADRANTS:
        return tuple(
            Rect(0.5 * (n % 2), 0.5 * (n // 2), 0.5 * (n % 2) + 0.5, 0.5 * (n // 2) + 0.5)
            for n, digit in enumerate(_QUADRANTS[char])
            if digit == "1"
        )
    if char == "▀":
        return (Rect(0, 0, 1, 0.5),)
    if char == "▐":
        return (Rect(0.5, 0, 1, 1),)
    if char == "▔":
        return (Rect(0, 0, 1, 1 / 8),)
    if char == "▕":
        return (Rect(7 / 8, 0, 1, 1),)
    if code <= 0x2588:  # lower blocks, one to eight eighths
        return (Rect(0, 1 - (code - 0x2580) / 8, 1, 1),)
    return (Rect(0, 0, (0x2590 - code) / 8, 1),)  # left blocks, seven eighths to one
