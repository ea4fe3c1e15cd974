"""Reads a user's file as a data set: checks the file, then calls the reader of its format."""

from __future__ import annotations

import difflib
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from caveats.data.csv_files import read_csv
from caveats.data.csv_text import first_cells
from caveats.data.dataset import Dataset
from caveats.data.file_options import FILE_OPTIONS, Reading
from caveats.data.npz_files import read_npz
from caveats.errors import ConfigError, visible

__all__ = ["SUFFIXES", "columns_of", "read_file"]

T = TypeVar("T")

TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
SUFFIXES = (*TABLES, ".npz")


def read_file(file: str | Path, reading: Reading) -> Dataset:
    """The data set in a .csv or .tsv, compressed as .gz or not (`read_csv`), or .npz (`read_npz`).

    Raises:
        ConfigError: one sentence, if the file does not exist, cannot be read, or does not hold a
            complete data set.
    """

    def read_npz_of(path: Path) -> Dataset:
        refuse_columns(reading, visible(path))
        return read_npz(path, task=reading.task, standardize=reading.standardize)

    return opened(Path(file), lambda path: read_csv(path, reading), read_npz_of)


def columns_of(file: str | Path) -> dict[str, tuple[str, ...]]:
    """The columns from which the target of a table is chosen, each with the cells of its first
    rows; none for an .npz, whose target is its array ``y``. The rows are not read.

    Raises:
        ConfigError: as `read_file`.
    """
    return opened(Path(file), first_cells, lambda path: {})


def opened(path: Path, table: Callable[[Path], T], arrays: Callable[[Path], T]) -> T:
    """What ``table`` or ``arrays`` reads from the file; all that goes wrong becomes a sentence."""
    shown = visible(path)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f"data.file = '{shown}' is not a file that holds rows")
        if path.name.lower().endswith(TABLES):
            return table(path)
        if path.name.lower().endswith(".npz"):
            return arrays(path)
    except FileNotFoundError:
        raise ConfigError(f"data.file = '{shown}' does not exist{meant(path)}") from None
    except ConfigError:
        raise
    except (OSError, ValueError) as error:
        # ValueError: a path with a NUL in it.
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"data.file = '{shown}' cannot be read: {visible(reason)}") from None
    except MemoryError:
        raise ConfigError(f"data.file = '{shown}' does not fit into memory") from None
    raise ConfigError(f"data.file = '{shown}' should be a .csv or a .npz")


def refuse_columns(reading: Reading, shown: str) -> None:
    if reading.target is not None:
        raise ConfigError(
            f"data.target = '{visible(reading.target)}' is for a csv: the target of '{shown}' "
            "is its array y"
        )
    for name, option in FILE_OPTIONS.items():
        if name != "task" and getattr(reading, name) != option.default:
            raise ConfigError(f"data.{name} is for a csv: the columns of '{shown}' have no names")


def meant(path: Path) -> str:
    """The end of the sentence: the file of the same folder with the nearest name, if any."""
    try:
        names = [
            item.name for item in path.parent.iterdir() if item.name.lower().endswith(SUFFIXES)
        ]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, names, n=1)
    return f": did you mean '{visible(path.parent / close[0])}'?" if close else ""
