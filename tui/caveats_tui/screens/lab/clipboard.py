"""Sends a chart's data, or a text, to the user's clipboard, also over SSH and through tmux."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from caveats_tui.charts.as_csv import copied
from caveats_tui.terminal.facts import inside

if TYPE_CHECKING:
    from textual.app import App

    from caveats_tui.charts.trace import Trace
    from caveats_tui.screens.lab.panel import Panel

__all__ = ["copy", "send"]


def copy(app: App[None], panel: Panel, trace: Trace | None) -> str:
    """Send what ``panel`` shows to the clipboard; returns the sentence to show."""
    found = copied(panel.view, trace, panel.picture)
    said = f"{panel.title}: {found.sentence}"
    if found.text is None:
        return said
    return said + send(app, found.text)


def send(app: App[None], text: str) -> str:
    """Send a text to the clipboard; returns what tmux needs for that, "" outside of it."""
    app.copy_to_clipboard(text)
    return " (tmux: set-clipboard on)" * ("tmux" in inside(os.environ))
