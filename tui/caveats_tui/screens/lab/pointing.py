"""What the mouse does on the charts of the lab."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from textual.errors import NoWidget
from textual.events import Click, MouseScrollDown, MouseScrollUp

from caveats_tui.screens.lab.panel import Panel

if TYPE_CHECKING:
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["look", "scroll", "zoom"]


def look(lab: LabScreen, event: Panel.Pointed) -> None:
    """A click on a chart sets the time cursor."""
    trace = lab.bench.trace()
    lab.looked_at = math.inf
    if trace is not None and (trace.cursor is not None or lab.bench.replays):
        lab.looked_at = float(trace.seen.steps[-1])
    lab.do(lambda: lab.bench.look_at(event.step))


def zoom(lab: LabScreen, event: Click) -> None:
    """A double click zooms; the cursor goes back to where its first click found it."""
    if isinstance(event.widget, Panel) and event.chain == 2:
        if event.widget.across is not None:
            lab.bench.look_at(lab.looked_at)
            lab.bench.notice = ""
        lab.action_zoom()


def scroll(lab: LabScreen, event: MouseScrollUp | MouseScrollDown) -> None:
    """Over a chart the wheel moves the time cursor."""
    try:
        under, _ = lab.get_widget_at(event.screen_x, event.screen_y)
    except NoWidget:  # the terminal has become smaller
        return
    if isinstance(under, Panel):
        lab.action_look_back(1 if isinstance(event, MouseScrollDown) else -1)
