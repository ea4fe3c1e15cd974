"""A drawn chart as a grid of cells: words, bands and colours are written into it before it becomes
rows."""

from __future__ import annotations

import re

from caveats_tui.charts.spec import Row, Rows, Span

__all__ = ["Cells"]

_SGR = re.compile(r"\x1b\[([0-9;]*)m([^\x1b]*)")


class Cells:
    """``text[row][column]`` is the character of a cell, ``ink`` its colour and ``paper`` its
    background (None for the widget's own). ``written`` holds the cells that have a word."""

    def __init__(self, text: list[list[str]], ink: list[list[int | None]]) -> None:
        self.text, self.ink = text, ink
        self.paper: dict[tuple[int, int], int] = {}
        self.written: set[tuple[int, int]] = set()

    @classmethod
    def read(cls, coloured: str) -> Cells:
        """From lines of text with SGR sequences, of which only foreground colours are used."""
        text: list[list[str]] = []
        ink: list[list[int | None]] = []
        for line in coloured.removesuffix("\n").split("\n"):
            characters: list[str] = []
            colours: list[int | None] = []
            colour: int | None = None
            for codes, part in _SGR.findall(line):
                if codes == "0":
                    colour = None
                elif codes.startswith("38;5;"):
                    colour = int(codes[5:])
                characters += part
                colours += [colour] * len(part)
            text.append(characters)
            ink.append(colours)
        return cls(text, ink)

    def put(self, row: int, column: int, character: str, colour: int) -> None:
        """Write one cell."""
        self.text[row][column], self.ink[row][column] = character, colour

    def write(self, row: int, column: int, word: list[tuple[str, int]]) -> None:
        """Write parts of text, each in its colour, and keep their cells for them."""
        for part, colour in word:
            for character in part:
                self.put(row, column, character, colour)
                self.written.add((row, column))
                column += 1

    def free(self, row: int, start: int, length: int, live: set[int]) -> bool:
        """Whether a word may stand there: on no other word nor right beside one, and on nothing of
        a ``live`` colour."""
        beside = {(row, start - 1), (row, start + length)}
        if not 0 <= row < len(self.text) or beside & self.written:
            return False
        text, ink = self.text[row], self.ink[row]
        return start + length <= len(text) and all(
            (text[x] == " " or ink[x] not in live) and (row, x) not in self.written
            for x in range(start, start + length)
        )

    def rows(self) -> Rows:
        return tuple(self._row(y) for y in range(len(self.text)))

    def _row(self, y: int) -> Row:
        """Neighbouring cells of one look as one span. Blanks join the span before them, whatever
        its colour: fewer spans, fewer bytes to the terminal."""
        runs: list[Span] = []
        start, paper = 0, self.paper
        text, ink = self.text[y], self.ink[y]
        here: tuple[int | None, int | None] = (None, None)
        for x, (character, colour) in enumerate(zip(text, ink, strict=True)):
            behind = paper.get((y, x)) if paper else None
            look = (here[0] if character == " " and x else colour), behind
            if look != here:
                if x > start:
                    runs.append(_span(text[start:x], here))
                start, here = x, look
        if len(text) > start:
            runs.append(_span(text[start:], here))
        return tuple(runs)


def _span(characters: list[str], look: tuple[int | None, int | None]) -> Span:
    text = "".join(characters)
    return text, None if text.isspace() else look[0], look[1], False
