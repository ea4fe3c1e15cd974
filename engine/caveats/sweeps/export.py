"""A sweep's outcomes as one table: a row for each cell that is done."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from caveats.errors import ConfigError, visible
from caveats.runs.files import replace_file
from caveats.sweeps.folder import Sweep

__all__ = ["FORMATS", "columns_and_rows", "export"]

FORMATS = ("csv", "parquet")


def columns_and_rows(sweep: Sweep) -> tuple[list[str], list[list[Any]]]:
    """The columns (id, the axes' keys, the outcome's names) and a row for each cell, in the order
    of the cells."""
    keys = [axis.key for axis in sweep.plan.every_axis]
    rows, names = [], list[str]()
    for index, outcome, name in sorted(sweep.results(), key=lambda found: found[0]):
        values = sweep.plan.cells[index].values
        document = outcome.document()
        document["caveats"] = " ".join(document["caveats"])
        names = list(document)
        rows.append([name, *(told(values[key]) for key in keys), *document.values()])
    return ["id", *keys, *names], rows


def told(value: Any) -> Any:
    """A value of an axis as one cell of a table: widths as 64-64."""
    return "-".join(map(str, value)) if isinstance(value, list) else value


def export(sweep: Sweep, out: Path, kind: str) -> int:
    """Write the table to ``out`` and return the number of rows.

    Raises:
        ConfigError: if the file cannot be written, if nothing is done yet, or for parquet where
            pandas cannot write it.
    """
    if out.is_dir():
        raise ConfigError(f"{visible(out)} is a folder: name a file")
    columns, rows = columns_and_rows(sweep)
    if not rows:
        raise ConfigError(f"{visible(sweep.folder)} has no results yet")
    try:
        if kind == "csv":
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
            replace_file(out, text.getvalue().encode())
        else:
            as_parquet(columns, rows, out)
    except OSError as error:
        raise ConfigError(f"{visible(out)} cannot be written: {error.strerror}") from None
    return len(rows)


def as_parquet(columns: list[str], rows: list[list[Any]], out: Path) -> None:
    import pandas

    part = out.with_name(f".{out.name}.part")
    try:
        pandas.DataFrame(rows, columns=columns).to_parquet(part)
    except ImportError:
        raise ConfigError("parquet needs pyarrow: pip install pyarrow, or use csv") from None
    os.replace(part, out)
