"""Reads a .csv with a line of column names: one column is the target, all others are features."""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from caveats.data.dataset import FLOAT32_MAX, Dataset, prepared
from caveats.data.targets import classes_or_numbers
from caveats.errors import ConfigError, nearest, visible

__all__ = ["MAX_VALUES", "read_csv"]

# 400 MB as float64; loading takes about twice as much.
MAX_VALUES = 50_000_000
MAX_BYTES = 2_000_000_000
MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
SHOWN_NAMES = 8


def read_csv(path: Path, target: str | None, *, standardize: bool) -> Dataset:
    """The data set in a UTF-8 file (with or without a byte order mark) of values separated by
    commas, quoted or not. Features are numbers; `caveats.data.targets` says whether the ``target``
    holds classes or numbers.

    Raises:
        ConfigError: naming the column or the line: no header, no such column, a feature that is
            text, a missing value, a line of another length, no rows, too many values.
        OSError: for a file that cannot be read.
    """
    shown = visible(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ConfigError(
            f"{shown} has {size / 1e6:,.0f} MB, but at most {MAX_BYTES / 1e6:,.0f} MB are read"
        )
    features = array("d")
    targets: list[str] = []
    gap = ""
    lines = read_lines(path)
    _, names = next(lines, (0, []))
    check_header(names, shown)
    position = target_position(names, target, shown)
    feature_names = tuple(visible(n) for i, n in enumerate(names) if i != position)
    for line, cells in lines:
        if len(cells) != len(names):
            raise ConfigError(
                f"{shown}: line {line} has {len(cells)} values for {len(names)} columns"
            )
        label = cells.pop(position).strip()
        if label.lower() in MISSING:
            gap = gap or missing(label, line, visible(target), shown)
            if not label:
                raise ConfigError(gap)
        targets.append(label)
        numbers = [as_number(cell) for cell in cells]
        if any(value is None or not fits(value) for value in numbers):
            raise ConfigError(wrong_cell(cells, feature_names, line, shown))
        features.extend(numbers)  # type: ignore[arg-type]
        if len(features) > MAX_VALUES:
            raise ConfigError(f"{shown} holds more than {MAX_VALUES:,} values: use fewer rows")
    if len(targets) < 2:
        raise ConfigError(f"{shown} has fewer than two lines of values")
    x = np.frombuffer(features, dtype=np.float64).reshape(len(targets), -1)
    values = typed(targets)
    # "NA" among words is a word; among numbers it is a missing value, not a class.
    if gap and all(as_number(text) is not None for text in targets if text.lower() not in MISSING):
        raise ConfigError(gap)
    y, classes = classes_or_numbers(values, f"{shown}: column '{visible(target)}'")
    inputs = prepared(x, standardize=standardize)
    return Dataset(visible(path.name), inputs, y, classes)


def read_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each line, the header first; empty lines are skipped."""
    shown = visible(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, skipinitialspace=True, strict=True)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except UnicodeDecodeError:
            raise ConfigError(f"{shown} is not UTF-8 text after line {reader.line_num}") from None
        except csv.Error as error:
            raise ConfigError(f"{shown}: line {reader.line_num}: {visible(error)}") from None


def check_header(names: list[str], shown: str) -> None:
    """Strips the names in place; raises ConfigError if they are not column names."""
    names[:] = [name.strip() for name in names]
    if not names:
        raise ConfigError(f"{shown} is empty: it needs a line of column names")
    if len(names) == 1:
        other = next((c for c in ";\t|" if c in names[0]), None)
        raise ConfigError(
            f"{shown}: the columns are separated by {visible(repr(other))}: use commas"
            if other
            else f"{shown} has one column: it needs a target and at least one feature"
        )
    if all(as_number(name) is not None for name in names):
        raise ConfigError(f"{shown}: line 1 holds numbers, but should name the columns")
    for index, name in enumerate(names):
        if name == "":
            raise ConfigError(
                f"{shown}: column {index + 1} has no name in line 1 (a row index is not a feature: "
                "write the file without it)"
            )
        if name in names[:index]:
            raise ConfigError(f"{shown}: two columns are called '{visible(name)}'")


def target_position(names: list[str], target: str | None, shown: str) -> int:
    if target in names:
        return names.index(target)
    listed = [visible(name) for name in names[:SHOWN_NAMES]]
    listed += ["..."] * (len(names) > SHOWN_NAMES)
    if target is None:
        raise ConfigError(
            f"data.target is missing: which column of {shown} is it? It has {', '.join(listed)}"
        )
    end = nearest(target, [visible(name) for name in names])
    if not end.startswith("did you mean"):
        end = f"valid are {', '.join(listed)}"
    raise ConfigError(f"data.target = '{visible(target)}' is not a column of {shown}: {end}")


def as_number(cell: str) -> float | None:
    try:
        # float() also accepts 1_000, which is a name rather than a number.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def fits(value: float) -> bool:
    return -FLOAT32_MAX <= value <= FLOAT32_MAX


def wrong_cell(cells: list[str], names: tuple[str, ...], line: int, shown: str) -> str:
    """The sentence about the first cell of a line that is not a finite number."""
    for cell, name in zip(cells, names, strict=True):
        said, value = visible(cell.strip()), as_number(cell)
        if cell.strip().lower() in MISSING:
            return missing(cell.strip(), line, name, shown)
        if value is None:
            return (
                f"{shown}: column '{name}' holds text ('{said}' in line {line}), but features are "
                "numbers: leave it out or code it as numbers"
            )
        if not fits(value):
            return f"{shown}: line {line} has {said} in column '{name}', not finite as float32"
    raise AssertionError("a line of finite numbers is not wrong")


def missing(cell: str, line: int, name: str, shown: str) -> str:
    said = f" ('{cell}')" if cell else ""
    return f"{shown}: line {line} has no value{said} in column '{name}'"


def typed(targets: list[str]) -> npt.NDArray[Any]:
    """The target as integers if all values are written as integers, else as floats if all are
    numbers, else as words."""
    if all(map(INTEGER.fullmatch, targets)):
        return np.array([int(text) for text in targets], dtype=np.int64)
    numbers = [as_number(text) for text in targets]
    if any(value is None for value in numbers):
        return np.array(targets, dtype=object)
    return np.array(numbers, dtype=np.float64)
