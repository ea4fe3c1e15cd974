"""Parts that several screens and windows share: headings, indented lines, two columns, and text
that is repainted only if it changed."""

from __future__ import annotations

from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from textual.screen import Screen
from textual.widgets import Static

__all__ = ["heading", "indented", "put", "two_columns"]


def put(screen: Screen[Any], selector: str, content: str | Text) -> None:
    """Show ``content`` in a `Static`, but only if it has changed: a `Static` always repaints."""
    widget = screen.query_one(selector, Static)
    if getattr(widget, "said", None) != content:
        widget.said = content  # type: ignore[attr-defined]
        widget.update(content)


def heading(text: str) -> Padding:
    return Padding(Text(text, style="bold underline"), (1, 0, 0, 0))


def indented(text: str) -> Padding:
    return Padding(Text(text), (0, 0, 0, 2))


def two_columns(rows: list[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=max(len(left) for left, _ in rows) + 2, no_wrap=True)
    grid.add_column(ratio=1)
    for left, right in rows:
        grid.add_row(Text(f"  {left}", style="bold"), Text(right))
    return grid
