"""Pieces of text that several windows of the lab are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from caveats.config import RunConfig
from caveats.errors import visible
from caveats_tui.lab.setup import shown

__all__ = ["changes_shown", "heading", "indented", "two_columns"]


def changes_shown(changes: Mapping[str, Any], config: RunConfig) -> str:
    """A change of config in words: "lr 0.3 → 0.003"; what stays as it is goes unsaid."""
    flat = config.flat()
    return ", ".join(
        f"{called(key)} {shown(flat.get(key))} → {shown(value)}"
        for key, value in changes.items()
        if flat.get(key) != value
    )


def called(key: str) -> str:
    """A dotted key in a word: lr, init, optimizer."""
    section, _, name = key.partition(".")
    return visible(section if name == "name" else name)


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
