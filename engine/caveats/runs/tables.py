"""Writes a kept run's records as csv and as JSON lines, without torch or the weights."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from caveats.history import Event
from caveats.measures import LAYER_MEASURES, SCALARS
from caveats.runs.export import written
from caveats.runs.lines import Record
from caveats.runs.manifest import Manifest
from caveats.runs.reader import records

__all__ = ["cell", "to_csv", "to_jsonl"]


def to_csv(folder: Path, out: Path) -> None:
    """Write one row for each record and layer: step, the run's scalars, layer, its measures. Cells
    of values that were not measured are empty; infinities are inf."""
    manifest = Manifest.read(folder)
    with written(out) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["step", *SCALARS, "layer", *LAYER_MEASURES])
        for record in only_records(folder, manifest):
            scalars = [cell(record.scalars.get(name, math.nan)) for name in SCALARS]
            missing = np.full(len(manifest.layers), math.nan)
            columns = [record.layers.get(name, missing).tolist() for name in LAYER_MEASURES]
            for name, *values in zip(manifest.layers, *columns, strict=True):
                table.writerow([record.step, *scalars, name, *map(cell, values)])


def cell(value: float) -> str:
    """A number as text with the 9 digits that a float32 needs; empty for NaN."""
    return "" if math.isnan(value) else f"{value:.9g}"


def to_jsonl(folder: Path, out: Path) -> None:
    """Write one object for each record and each event, in order. A record holds one object with a
    name for each layer. Numbers that are not finite are null, and ``nonfinite`` names them."""
    manifest = Manifest.read(folder)
    with written(out) as file:
        for content in records(folder, manifest):
            if isinstance(content, Event):
                line = event_object(content)
            else:
                line = record_object(content, manifest)
            file.write(json.dumps(line, allow_nan=False) + "\n")


def event_object(event: Event) -> dict[str, Any]:
    changes = {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in event.changes.items()
    }
    return {"event": event.kind, "step": event.step, "text": event.text, "changes": changes}


def record_object(record: Record, manifest: Manifest) -> dict[str, Any]:
    infinite: list[str] = []

    def number(value: float, path: str) -> float | int | None:
        if math.isfinite(value):
            return int(value) if value.is_integer() and abs(value) < 2**53 else value
        if math.isinf(value) or path == "loss":
            infinite.append(path)
        return None

    content: dict[str, Any] = {"step": record.step}
    for name, value in record.scalars.items():
        content[name] = number(value, name)
    content["layers"] = [
        {
            "name": layer,
            **{
                name: number(float(column[index]), f"layers.{index}.{name}")
                for name, column in record.layers.items()
            },
        }
        for index, layer in enumerate(manifest.layers)
    ]
    content["nonfinite"] = infinite
    return content


def only_records(folder: Path, manifest: Manifest) -> Iterator[Record]:
    return (r for r in records(folder, manifest) if isinstance(r, Record))
