"""`caveats-tui open`: shows a kept run in the lab, whether or not it is still going on."""

from __future__ import annotations

import click

from caveats.errors import ConfigError
from caveats_tui.commands.shared_options import recording_options, screen_options
from caveats_tui.options import LabOptions, RecordingOptions, ScreenOptions

__all__ = ["open_command"]


@click.command("open", short_help="Watch a run that is going on, or step through one that is over.")
@click.argument("run", metavar="DIR")
@click.option("--play", is_flag=True, help="Play its records again, as they came in the training.")
@click.option(
    "--speed",
    type=click.FloatRange(0, 1e6, min_open=True),
    metavar="N",
    help="Replay N times as fast as the training; by default, all of it in 30 s.",
)
@screen_options
@recording_options
def open_command(
    run: str,
    play: bool,
    speed: float | None,
    screen: ScreenOptions,
    recording: RecordingOptions,
) -> None:
    """Show the run in DIR, a folder or the name of a kept run.

    A run that another process trains is followed; in one that is over, the keys , and . step
    through its records. R continues it here once no process trains it.

    --play shows it as it was trained, charts and verdicts as they came: space pauses, + and -
    change the speed.
    """
    if speed is not None and not play:
        raise click.UsageError("--speed is for a replay: give --play too")
    from caveats.runs.reader import Reader
    from caveats.runs.shelf import find
    from caveats_tui.commands.lab import open_lab, open_watched

    reader = Reader(find(run))
    if reader.manifest.config is None:
        if play:
            raise ConfigError("a watched training cannot be played again: leave out --play")
        open_watched(reader.folder, screen)
        return
    replay = (speed or 0.0) if play else None
    open_lab(
        LabOptions(reader.config, screen=screen, recording=recording, reader=reader, replay=replay)
    )
