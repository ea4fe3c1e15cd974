"""Pieces of text that several windows are made of: headings, indented lines, two columns."""

from __future__ import annotations

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

__all__ = ["heading", "indented", "two_columns"]


def heading(text: str) -> Padding:
    return Padding(Text(text, style="bold underline"), (1, 0, 0, 0))


def indented(text: str) -> Padding:
    return Padding(Text(text), (0, 0, 0, 2))


def two_columns(rows: list[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=max(len(left) for left, _ in rows) + 2, no_wrap=True)
    grid.add_column(ratio=1)
    for left, right in rows:
        grid.add_row(Text(f"  {left}", style="bold"), right)
    return grid
