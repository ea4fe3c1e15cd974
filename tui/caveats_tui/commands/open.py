"""`caveats-tui open`: looks at a kept run in the lab, whether or not it still goes on."""

from __future__ import annotations

import click

from caveats_tui.commands.options import frames_per_second
from caveats_tui.terminal.facts import CHARSETS

__all__ = ["open_command"]


@click.command("open", short_help="Watch a run that goes on, or step through one that is over.")
@click.argument("run", metavar="DIR")
@click.option(
    "--fps",
    metavar="N",
    default="10",
    show_default=True,
    callback=frames_per_second,
    help="Redraw charts at most N times a second.",
)
@click.option(
    "--charset",
    type=click.Choice(CHARSETS),
    default="auto",
    help="What charts are drawn with; auto looks at the terminal.",
)
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.option("--theme", metavar="NAME", help="The colours, as caveats-light.")
def open_command(run: str, fps: float, charset: str, no_mouse: bool, theme: str | None) -> None:
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
    )
