"""`caveats-tui demo`: plays a demo in the terminal, or writes it as a recording."""

from __future__ import annotations

import os
import re
import sys
import threading

import click

from caveats.errors import ConfigError, visible
from caveats_tui.commands.progress import ProgressLine
from caveats_tui.commands.shared_options import cast_version_option, idle_limit_option
from caveats_tui.options import ScreenOptions

__all__ = ["demo"]

RECORDED_SIZE = (120, 40)


def columns_and_rows(
    context: click.Context, parameter: click.Parameter, value: str
) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,3})[x×](\d{1,3})", value)
    if found is None or not (60 <= int(found[1]) <= 400 and 16 <= int(found[2]) <= 200):
        raise click.BadParameter(
            f"{visible(repr(value))} should be columns and rows, from 60x16 to 400x200, as 120x40."
        )
    return int(found[1]), int(found[2])


@click.command(short_help="Watch the program show a caveat and cure it.")
@click.argument("name", default="tour")
@click.option("--list", "as_list", is_flag=True, help="Print the demos' names and titles.")
@click.option("--record", "file", metavar="FILE.cast", help="Write a recording, and show nothing.")
@click.option(
    "--size",
    metavar="COLUMNSxROWS",
    default=f"{RECORDED_SIZE[0]}x{RECORDED_SIZE[1]}",
    show_default=True,
    callback=columns_and_rows,
    help="The size of the recording.",
)
@cast_version_option
@idle_limit_option(None)
@click.option("--theme", metavar="NAME", help="Colours, such as caveats-light.")
def demo(
    name: str,
    as_list: bool,
    file: str | None,
    size: tuple[int, int],
    cast_version: str,
    idle_limit: float | None,
    theme: str | None,
) -> None:
    """Watch the program show a caveat and cure it; NAME is a demo or a script of your own (a
    .toml file); without NAME, the tour is shown.

    Press any key to take over the lab. A demo really trains, on the CPU, with a fixed seed: it
    shows the same numbers each time.
    """
    from caveats_tui.demos.script import find_script, scripts

    if as_list:
        for known in scripts().values():
            click.echo(f"{known.name:<20} {known.title}")
        return
    script = find_script(name)
    # Imported late: Textual takes 0.2 s, which an unknown name need not wait for.
    from caveats_tui.commands.lab import check_theme, with_charset
    from caveats_tui.demos.demo import play_demo, record_demo

    if theme is not None:
        check_theme(theme)
    if file is None:
        from caveats_tui.terminal import facts

        streams = facts.streams()
        screen = with_charset(ScreenOptions(theme=theme), streams)
        facts.check(streams, os.environ)
        code = play_demo(script, screen)
        # As after the lab: Python must not end while a thread is inside torch.
        if threading.active_count() > 1:
            os._exit(code)
        raise SystemExit(code)
    progress = ProgressLine(sys.stderr)
    progress.say(f"recording {script.name}")
    try:
        record_demo(
            script, file, size, version=int(cast_version), idle_limit=idle_limit, theme=theme
        )
    except TimeoutError as error:
        raise ConfigError(
            f"{script.name}: {error} was never reached, so the recording ends there"
        ) from None
    finally:
        progress.clear()
