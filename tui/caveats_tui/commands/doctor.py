"""`caveats-tui doctor`: what this machine and terminal are, and what to change."""

from __future__ import annotations

import os
import sys
from typing import TextIO

import click

from caveats_tui.commands.progress import ProgressLine
from caveats_tui.terminal.facts import streams
from caveats_tui.text.plain import ERRORS

__all__ = ["doctor", "print_report"]


@click.command(short_help="Say what this machine and terminal are, and what to change.")
def doctor() -> None:
    """Say what this machine and terminal are, and what to change.

    Versions, devices, terminal, colours and characters, where files live. It changes nothing and
    needs no terminal: send its output along when something does not work.
    """
    print_report(sys.stdout, sys.stderr)


def print_report(out: TextIO, narration: TextIO) -> None:
    """Write the report on this machine and terminal to ``out``, in the characters that it can
    write. If ``narration`` is a terminal, it says that torch is being loaded."""
    # Imported late: listing the installed versions takes 50 ms, and only this command needs it.
    from caveats_tui.commands.diagnosis import report, text
    from caveats_tui.commands.machine import look

    progress = ProgressLine(narration)
    progress.say("Loading torch ...")
    machine = look()
    progress.clear()
    words = text(report(machine, streams(), os.environ))
    encoding = out.encoding or "ascii"
    out.write(words.encode(encoding, ERRORS).decode(encoding) + "\n")
