"""`caveats-tui doctor`: what this machine and terminal are, and what to change."""

from __future__ import annotations

import sys

import click

__all__ = ["doctor"]


@click.command(short_help="Say what this machine and terminal are, and what to change.")
def doctor() -> None:
    """Say what this machine and terminal are, and what to change.

    Versions, devices, terminal, colours and characters, where files live. It changes nothing and
    needs no terminal: send its output along when something does not work.
    """
    # Imported late: it loads Textual, and then torch.
    from caveats_tui.doctor import print_report

    print_report(sys.stdout, sys.stderr)
