"""`caveats-tui open`: looks at a kept run in the lab, whether or not it still goes on."""

from __future__ import annotations

import click

from caveats_tui.commands.options import recording_options, screen_options
from caveats_tui.recording.wish import Wish

__all__ = ["open_command"]


@click.command("open", short_help="Watch a run that goes on, or step through one that is over.")
@click.argument("run", metavar="DIR")
@screen_options
@recording_options
def open_command(
    run: str, fps: float, charset: str, no_mouse: bool, theme: str | None, wish: Wish
) -> None:
    """Show the run in DIR, a folder or the name of a kept run.

    A run that another process trains is followed; in one that is over, the keys , and . step
    through its records. R goes on with it here once no process trains it.
    """
    from caveats.runs.reader import Reader
    from caveats.runs.shelf import find
    from caveats_tui.commands.lab import open_lab

    reader = Reader(find(run))
    open_lab(
        reader.config,
        every=None,
        fps=fps,
        charset=charset,
        mouse=not no_mouse,
        theme=theme,
        reader=reader,
        wish=wish,
    )
