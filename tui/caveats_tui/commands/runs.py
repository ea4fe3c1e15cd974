"""`caveats-tui runs`: what has been kept, as a table for people or JSON for scripts."""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from caveats.runs.manifest import SILENT_AFTER, Manifest
from caveats.runs.shelf import Entry, default_place, list_runs
from caveats.status import LIVE
from caveats_tui.commands.charset import carried

__all__ = ["age", "listed", "runs"]

COLUMNS = ("", "run", "network", "state", "step", "loss", "verdicts", "age")


@click.command(short_help="List the runs that were kept.")
@click.argument("place", metavar="[DIR]", required=False, type=Path)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def runs(place: Path | None, as_json: bool) -> None:
    """List the runs in DIR, the newest first; without DIR, all that were kept.

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
    rows = [row(entry) for entry in entries if entry.manifest is not None]
    for line in table(rows) if rows else [f"no runs in {place}"]:
        click.echo(carried(line, sys.stdout))
    for entry in entries:
        if entry.problem:
            click.echo(carried(entry.problem, sys.stderr), err=True)


def listed(entry: Entry) -> dict[str, Any]:
    """One run as plain values; numbers that are not finite are None."""
    manifest = entry.manifest
    document: dict[str, Any] = {"run": str(entry.folder), "problem": entry.problem or None}
    if manifest is None:
        return document
    now = manifest.standing
    return {
        **document,
        "name": entry.label.name or None,
        "starred": entry.label.starred,
        "kind": manifest.kind,
        "created": manifest.created.isoformat(),
        "state": now.state,
        "silent": silent(manifest),
        "step": now.step,
        "steps": manifest.config.training.steps,
        "seconds": finite(now.seconds),
        "loss": finite(now.loss),
        "accuracy": finite(now.accuracy),
        "verdicts": None if now.verdicts is None else [list(verdict) for verdict in now.verdicts],
        "device": manifest.device,
        "versions": dict(manifest.versions),
        "config": manifest.config.to_dict(),
    }


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def silent(manifest: Manifest) -> bool:
    """Whether a run that is not over has given no sign of life lately."""
    seconds = (datetime.now(UTC) - manifest.standing.time).total_seconds()
    return manifest.standing.state in LIVE and seconds > SILENT_AFTER


def row(entry: Entry) -> tuple[str, ...]:
    manifest = entry.manifest
    assert manifest is not None
    now, config = manifest.standing, manifest.config
    state = "no news" if silent(manifest) else now.state
    verdicts = "?" if now.verdicts is None else ", ".join(name for name, _ in now.verdicts) or "-"
    widths = "-".join(map(str, config.network.widths)) or "linear"
    return (
        "*" if entry.label.starred else "",
        entry.label.name or entry.folder.name,
        widths if len(widths) <= 20 else f"{len(config.network.widths)} layers",
        state,
        f"{now.step:,}",
        "-" if math.isnan(now.loss) else f"{now.loss:.4g}",
        verdicts,
        age((datetime.now(UTC) - manifest.created).total_seconds()),
    )


def age(seconds: float) -> str:
    """A span of time in its largest unit: "3 min", "2 h", "5 d"."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def table(rows: list[tuple[str, ...]]) -> list[str]:
    everything = [COLUMNS, *rows]
    widths = [max(len(r[i]) for r in everything) for i in range(len(COLUMNS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(r, widths, strict=True)).rstrip()
        for r in everything
    ]
