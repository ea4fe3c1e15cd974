"""Parts that several screens and windows share: headings, indented lines, two columns, and text
that is repainted only if it changed."""

from __future__ import annotations

import textwrap
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.text import Text
from textual.screen import Screen
from textual.widgets import Static

__all__ = ["TwoColumns", "heading", "indented", "put"]


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


class TwoColumns:
    """Names in bold, and beside each its sentence, wrapped. A `rich.table.Table` looks the same,
    but all of help then takes 26 ms to draw instead of 7, and Textual draws it to measure it too.
    """

    def __init__(self, rows: list[tuple[str, str]]) -> None:
        self.rows = rows
        self.left = 4 + max(len(name) for name, _ in rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = max(8, options.max_width - self.left)
        text = Text(end="")
        for name, sentence in self.rows:
            lines = textwrap.wrap(sentence, room, break_on_hyphens=False) or [""]
            text.append(f"  {name}".ljust(self.left), style="bold")
            text.append(f"\n{'':{self.left}}".join(lines) + "\n")
        yield text

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widest = self.left + max(len(sentence) for _, sentence in self.rows)
        return Measurement(min(self.left + 8, options.max_width), min(widest, options.max_width))
