"""Tables and paragraphs for a page of 80 columns, as plain text without colours."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

__all__ = ["WIDTH", "aligned", "columns", "cut", "folded"]

WIDTH = 80


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines; the first two rows are headings. The first column is aligned left,
    the others right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    # One space is enough between counts of seven digits, so these fit into 80 columns too.
    gap = "  " if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else " "
    lines = [
        gap.join(
            cell.ljust(width) if position == 0 else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]
    rule = "-" * len(lines[0])
    return [line.rstrip() for line in (*lines[:2], rule, *lines[2:])]


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells, with their headings, as lines; every column is aligned left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def folded(name: str, text: str, *, indent: int = 2, room: int = 6) -> list[str]:
    """``text`` in lines of the page's width, beside ``name`` in a column of ``room`` characters."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"{' ' * indent}{name:<{room}}",
        subsequent_indent=" " * (indent + room),
        break_on_hyphens=False,
    )


def cut(line: str) -> str:
    """A line that is too wide for the page, cut and ending in dots."""
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."
