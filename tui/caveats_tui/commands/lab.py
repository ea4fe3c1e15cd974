"""`caveats-tui` without a command: looks at the terminal and opens the lab in it."""

from __future__ import annotations

import gc
import os
import threading
from typing import TYPE_CHECKING

from caveats.config import RunConfig
from caveats.errors import ConfigError, nearest, visible

if TYPE_CHECKING:
    from caveats.runs.reader import Reader
    from caveats_tui.recording.wish import Wish

__all__ = ["open_lab"]


def open_lab(
    config: RunConfig,
    *,
    every: int | None,
    fps: float,
    charset: str,
    mouse: bool,
    theme: str | None,
    reader: Reader | None = None,
    replay: float | None = None,
    wish: Wish,
) -> None:
    """Show the lab until it is left.

    ``every`` is steps between two records, None for automatic; ``fps`` the fastest that charts are
    redrawn; ``charset`` "auto", "braille", "block" or "ascii"; ``theme`` a name, None for the
    usual one; ``reader`` a kept run to watch instead of beginning one, or to replay at
    ``replay`` times its speed (0, all of it in half a minute); ``wish`` what is
    recorded.

    Raises:
        ConfigError: for a terminal that cannot show it, and a name that is not known, and a file
            to record that cannot be written.
    """
    from caveats_tui.terminal import facts

    streams = facts.streams()
    characters = facts.charset(charset, os.environ, streams.encoding)
    facts.check(streams, os.environ)

    # Textual takes 0.2 s to import: not spent where the terminal is refused. A tenth of it would
    # be the collector looking for garbage among modules, of which there is none.
    gc.disable()
    from caveats_tui.app import run_lab
    from caveats_tui.themes import THEMES

    gc.freeze()
    gc.enable()
    if theme is None:
        theme = THEMES[0].name
    else:
        check_theme(theme)
    code = run_lab(
        config,
        every=every,
        fps=fps,
        charset=characters.name,
        mouse=mouse,
        theme=theme,
        reader=reader,
        replay=replay,
        wish=wish,
    )
    # A thread that is inside torch (its import, one long step, a prediction) aborts the process
    # when Python ends under it; the terminal has been given back by now, so end without it.
    if threading.active_count() > 1:
        os._exit(code)
    raise SystemExit(code)


def check_theme(name: str) -> None:
    """Raises ConfigError for a theme that neither the program nor Textual has."""
    from textual.theme import BUILTIN_THEMES

    from caveats_tui.themes import THEMES

    known = [*(theme.name for theme in THEMES), *BUILTIN_THEMES]
    if name not in known:
        raise ConfigError(f"--theme {visible(repr(name))} is no theme: {nearest(name, known)}")
