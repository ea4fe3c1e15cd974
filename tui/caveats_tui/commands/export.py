"""`caveats-tui export`: a kept run as csv, JSON lines, npz or TensorBoard files."""

from __future__ import annotations

from pathlib import Path

import click

from caveats.errors import visible
from caveats.runs.export import FORMATS, export
from caveats.runs.shelf import find

__all__ = ["export_command"]


@click.command("export", short_help="Write a kept run as csv, jsonl, npz or TensorBoard files.")
@click.argument("run", metavar="DIR")
@click.option("--to", required=True, type=click.Choice(tuple(FORMATS)), help="The format.")
@click.option(
    "--out", metavar="PATH", type=Path, help="Where to; the run's name here if not given."
)
def export_command(run: str, to: str, out: Path | None) -> None:
    """Write a kept run, by its folder or its name, in another format.

    \b
    csv          one row for each record and layer
    jsonl        one JSON object for each record and each event
    npz          weights, the rows they are measured on, and the measures, to compute them again
    tensorboard  event files, by the tensorboard package
    """
    click.echo(visible(export(find(run), to, out)))
