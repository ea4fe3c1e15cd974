"""`caveats-tui` without a command: examines the terminal and opens the lab in it."""

from __future__ import annotations

import gc
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from caveats.config import RunConfig
from caveats.errors import ConfigError, nearest, visible
from caveats_tui.options import LabOptions
from caveats_tui.terminal.preferences import Preferences, default_file

if TYPE_CHECKING:
    from caveats_tui.bench.child import Child
    from caveats_tui.options import ScreenOptions
    from caveats_tui.terminal.facts import Streams

__all__ = ["check_theme", "open_lab", "open_watched", "with_charset"]


def open_lab(options: LabOptions) -> None:
    """Show the lab until the user leaves it.

    Raises:
        ConfigError: for a terminal that cannot show it, an unknown name, or a file to record to
            that cannot be written.
    """
    from caveats_tui.terminal import facts

    streams = facts.streams()
    preferences = Preferences(default_file())
    screen = preferred(with_charset(options.screen, streams), preferences)
    facts.check(streams, os.environ)

    # Imported late: Textual takes 0.2 s, which a refusal need not wait for. The garbage collector
    # is off, since it would take a tenth of that and find nothing.
    gc.disable()
    from caveats_tui.app import run_lab

    gc.freeze()
    gc.enable()
    if options.screen.theme is not None:
        check_theme(options.screen.theme)
    screen = with_known_theme(screen, preferences)
    code = run_lab(replace(options, screen=screen, preferences=preferences))
    # If Python ends while a thread is inside torch (its import, one long step, a prediction), the
    # process aborts. The terminal has been given back by now, so the process can end at once.
    if threading.active_count() > 1:
        os._exit(code)
    raise SystemExit(code)


def open_watched(folder: Path, screen: ScreenOptions, child: Child | None = None) -> int | None:
    """Show a watched command until the user leaves it; returns the signal that ended the screen
    instead, None without one.

    Raises:
        ConfigError: for a terminal that cannot show it, or an unknown theme.
    """
    from caveats_tui.terminal import facts

    streams = facts.streams()
    facts.check(streams, os.environ)
    if screen.theme is not None:
        check_theme(screen.theme)
    preferences = Preferences(default_file())
    screen = with_known_theme(preferred(with_charset(screen, streams), preferences), preferences)
    from caveats_tui.watch_app import run_watch_screen

    return run_watch_screen(folder, LabOptions(RunConfig(), screen=screen), child)


def preferred(screen: ScreenOptions, preferences: Preferences) -> ScreenOptions:
    """``screen``, with what the user chose in earlier sessions where the command line is silent."""
    values = preferences.values
    return replace(screen, fps=screen.fps or values.fps, theme=screen.theme or values.theme)


def with_known_theme(screen: ScreenOptions, preferences: Preferences) -> ScreenOptions:
    """``screen``; a theme of the settings file that does not exist is left out and reported."""
    try:
        if screen.theme is not None:
            check_theme(screen.theme, f"{visible(preferences.file or '')}: theme =")
    except ConfigError as error:
        preferences.problem = preferences.problem or str(error)
        return replace(screen, theme=None)
    return screen


def with_charset(screen: ScreenOptions, streams: Streams) -> ScreenOptions:
    """``screen`` with the characters that suit the terminal, unless the user chose some."""
    from caveats_tui.terminal.facts import charset

    return replace(screen, charset=charset(screen.charset, os.environ, streams.encoding).name)


def check_theme(name: str, where: str = "--theme") -> None:
    """Raises ConfigError for a theme that neither the program nor Textual has."""
    from textual.theme import BUILTIN_THEMES

    from caveats_tui.themes import THEMES

    known = [*(theme.name for theme in THEMES), *BUILTIN_THEMES]
    if name not in known:
        raise ConfigError(f"{where} {visible(repr(name))} is no theme: {nearest(name, known)}")
