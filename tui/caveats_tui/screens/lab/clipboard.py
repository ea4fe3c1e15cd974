"""Sends a chart's data to the user's clipboard, also over SSH and through tmux."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from caveats_tui.charts.as_csv import copied
from caveats_tui.terminal.facts import inside

if TYPE_CHECKING:
    from textual.app import App

    from caveats_tui.charts.trace import Trace
    from caveats_tui.screens.lab.panel import Panel

__all__ = ["copy"]


def copy(app: App[None], panel: Panel, trace: Trace | None) -> str:
    """Send what ``panel`` shows to the clipboard; returns the sentence to show."""
    found = copied(panel.view, trace, panel.picture)
    said = f"{panel.title}: {found.sentence}"
    if found.text is None:
        return said
    app.copy_to_clipboard(found.text)
    return said + " (tmux: set-clipboard on)" * ("tmux" in inside(os.environ))
