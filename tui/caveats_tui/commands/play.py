"""`caveats-tui play`: replays a recording in the terminal."""

from __future__ import annotations

import os

import click

from caveats_tui.recording.cast import read_cast

__all__ = ["play"]


@click.command(short_help="Replay a recording.")
@click.argument("file", metavar="FILE.cast")
@click.option(
    "--speed",
    type=click.FloatRange(0.05, 100),
    default=1.0,
    show_default=True,
    help="How many times as fast as the recording.",
)
@click.option(
    "--idle-limit",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Cut longer pauses to this.",
)
def play(file: str, speed: float, idle_limit: float | None) -> None:
    """Replay a recording (asciicast, version 2 or 3) in this terminal.

    Only text, colours and movements of the cursor are let through: a recording from someone else
    cannot do more than show text. While it plays:

    \b
    space   pause, go on         - +   slower, faster
    .       next picture         ← →   5 seconds back, forward; also h l
    m       next mark            < >   to the start, to the end
    q       leave
    """
    recording = read_cast(file, idle_limit)
    # Imported late: it holds the terminal, which is not needed if the file is not a recording.
    from caveats_tui.recording.replay import check_terminal, replay

    check_terminal(os.environ)
    raise SystemExit(replay(recording, speed=speed))
