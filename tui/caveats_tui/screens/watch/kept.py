"""The list of kept runs over the screen of a watched command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from caveats.runs.reader import Reader
from caveats.runs.shelf import default_place
from caveats_tui.screens.runs.screen import RunsScreen

if TYPE_CHECKING:
    from caveats_tui.screens.watch.screen import WatchScreen

__all__ = ["show_list"]


def show_list(screen: WatchScreen) -> None:
    """Open the list; a watched run that is chosen there is shown on a screen of its own."""

    def took(chosen: Reader | Path | None) -> None:
        if isinstance(chosen, Path):
            screen.notice(f"a run is continued by: caveats-tui run --resume {chosen.name}")
        elif chosen is not None and chosen.manifest.config is not None:
            screen.notice(f"the lab shows this run: caveats-tui open {chosen.folder.name}")
        elif chosen is not None:
            another = type(screen)(chosen.folder, screen.tools, screen.options, over=True)
            screen.app.push_screen(another)

    place = screen.options.place or default_place()
    charset = screen.options.charset
    screen.app.push_screen(RunsScreen(place, screen.tools.charts, charset=charset), took)
