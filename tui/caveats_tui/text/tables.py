"""Tables and paragraphs for a page of 80 columns, as plain text without colours."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

__all__ = ["WIDTH", "aligned", "columns", "cut", "folded"]

WIDTH = 80
LEAST = 10  # characters that are left of a cell


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


def columns(
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    spare: Sequence[int] = (),
    long: Sequence[int] = (),
) -> list[str]:
    """Rows of cells, with their headings, as lines; every column is aligned left.

    Lines of more than ``width`` characters lose the columns at the places ``spare``, one after the
    other, and then the ends of the cells at the places ``long``.
    """
    widths = {at: max(map(len, cells)) for at, cells in enumerate(zip(*rows, strict=True))}
    over = 0 if width is None else sum(widths.values()) + 2 * (len(widths) - 1) - width
    for at in spare:
        if over > 0:
            over -= widths.pop(at) + 2
    for at in long:
        if over > 0:
            less = min(over, max(0, widths[at] - LEAST))
            widths[at], over = widths[at] - less, over - less
    return [
        "  ".join(shortened(row[at], room).ljust(room) for at, room in widths.items()).rstrip()
        for row in rows
    ]


def shortened(cell: str, room: int) -> str:
    return cell if len(cell) <= room else f"{cell[: room - 2]}.."


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
