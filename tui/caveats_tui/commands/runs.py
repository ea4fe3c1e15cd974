"""`caveats-tui runs`: the kept runs, as a table for people or JSON for scripts."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any, TextIO

import click

from caveats.runs.shelf import Entry, default_place, list_runs
from caveats_tui.text.ascii import carried
from caveats_tui.text.differences import told_apart
from caveats_tui.text.kept_runs import name, silent
from caveats_tui.text.numbers import loss_text
from caveats_tui.text.tables import columns
from caveats_tui.text.times import age, now

__all__ = ["listed", "runs"]

HEADINGS = ("", "run", "network", "differs", "state", "step", "loss", "verdicts", "age")
# What a terminal that is too narrow leaves out, and what it cuts then: a run's name at last, as
# other commands take it.
SPARE = [HEADINGS.index(name) for name in ("network", "step", "age", "differs", "loss")]
LONG = [HEADINGS.index(name) for name in ("verdicts", "run")]


@click.command(short_help="List the kept runs.")
@click.argument("place", metavar="[DIR]", required=False, type=Path)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def runs(place: Path | None, as_json: bool) -> None:
    """List the runs in DIR, the newest first; without DIR, all that were kept. "differs" names the
    settings of a run that most of the others have not. A narrow terminal gets fewer columns.

    \b
    caveats-tui runs --json | jq -r '.runs[] | select(.loss < 0.1) | .run'
    """
    place = default_place() if place is None else place
    entries = list_runs(place)
    if as_json:
        found = [listed(entry) for entry in entries]
        document = {"place": str(place), "runs": found}
        click.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    known = [entry for entry in entries if entry.manifest is not None]
    apart = told_apart([entry.manifest.config for entry in known if entry.manifest is not None])
    rows = [row(entry, said) for entry, said in zip(known, apart, strict=True)]
    table = columns([HEADINGS, *rows], room(sys.stdout), SPARE, LONG)
    for line in table if rows else [f"no runs in {place}"]:
        click.echo(carried(line, sys.stdout))
    for entry in entries:
        if entry.problem:
            click.echo(carried(entry.problem, sys.stderr), err=True)


def room(stream: TextIO) -> int | None:
    """The columns of the terminal that a stream writes to; None where it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def listed(entry: Entry) -> dict[str, Any]:
    """One run as plain values; numbers that are not finite are None."""
    manifest = entry.manifest
    document: dict[str, Any] = {"run": str(entry.folder), "problem": entry.problem or None}
    if manifest is None:
        return document
    end = manifest.standing
    return {
        **document,
        "name": entry.label.name or None,
        "starred": entry.label.starred,
        "kind": manifest.kind,
        "created": manifest.created.isoformat(),
        "state": end.state,
        "silent": silent(manifest, now()),
        "step": end.step,
        "steps": manifest.planned(),
        "seconds": finite(end.seconds),
        "loss": finite(end.loss),
        "accuracy": finite(end.accuracy),
        "verdicts": None if end.verdicts is None else [list(verdict) for verdict in end.verdicts],
        "device": manifest.device,
        "versions": dict(manifest.versions),
        "config": None if manifest.config is None else manifest.config.to_dict(),
    }


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def row(entry: Entry, apart: str) -> tuple[str, ...]:
    manifest = entry.manifest
    assert manifest is not None
    end, hidden = manifest.standing, manifest.units[:-1]
    state = "no news" if silent(manifest, now()) else end.state
    found = end.verdicts
    verdicts = "?" if found is None else ", ".join(caveat for caveat, _ in found) or "-"
    widths = "-".join(map(str, hidden)) or "linear"
    return (
        "*" if entry.label.starred else "",
        name(entry),
        widths if len(widths) <= 20 else f"{len(hidden)} layers",
        apart or "-",
        state,
        f"{end.step:,}",
        loss_text(end.loss),
        verdicts,
        age((now() - manifest.created).total_seconds()),
    )
