"""Reads a table in a text file as a data set: one column is the target, all others are features.
`caveats.data.csv_text` finds out how the text is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from caveats.data.csv_text import MAX_VALUES, CsvText, examine
from caveats.data.dataset import FLOAT32_MAX, Dataset, fits_float32, prepared
from caveats.data.file_options import Reading
from caveats.data.targets import as_number, classes_or_numbers, mostly_numbers, typed, written
from caveats.errors import ConfigError, nearest, visible

if TYPE_CHECKING:
    from pandas import DataFrame, Series

__all__ = ["read_csv"]

MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?", "-", "--"}
SWITCHES = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
MAX_WORDS = 100  # that one column may be coded by
SHOWN_NAMES = 8
SHOWN_FAULTS = 4

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a column cannot be a feature; ``row`` is the first where it shows, None for all."""

    name: str
    what: str  # "text", "missing", "infinite", or the end of a sentence of its own
    row: int | None


def read_csv(path: Path, reading: Reading) -> Dataset:
    """The data set in a table of text. Features are numbers, true and false or yes and no (1 and
    0), or the words of the columns in ``one_hot``; `caveats.data.targets` says whether the target
    holds classes or numbers.

    Raises:
        ConfigError: one sentence that names every column, or the line, that is wrong.
        OSError: for a file that cannot be read.
    """
    shown = visible(path)
    text = examine(path, reading.target)
    position = target_position(text.names, reading.target, shown)
    chosen = chosen_columns(text, position, reading, shown)
    coded = [p for p in chosen if text.names[p] in reading.one_hot and reading.one_hot != "all"]
    table = text.read([position, *coded])
    if len(table) < 2:
        raise ConfigError(f"{shown} has fewer than two lines of values")
    x = features_of(table, chosen, coded, text, reading)
    target = visible(text.names[position])
    labels = [cell.strip() for cell in table[position].fillna("")]
    gaps = missing_labels(labels, reading.task)
    kept = ~gaps
    if gaps.any() and reading.missing != "drop":
        raise ConfigError(report([Fault(target, "missing", int(gaps.argmax()))], text, target=True))
    if reading.missing == "drop":
        kept &= ~np.isnan(x).any(axis=1)
    elif reading.missing == "mean":
        x = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    places = np.flatnonzero(kept)
    if len(places) < 2:
        raise ConfigError(f"{shown} has fewer than two lines without a missing value")
    values = typed(
        [labels[place] for place in places],
        target,
        lambda row: f"{shown}: line {line_of(text, int(places[row]))}",
        reading.task,
    )
    y, classes = classes_or_numbers(values, f"{shown}: column '{target}'", reading.task)
    left_out = len(kept) - len(places)
    remark = f"{left_out:,} of {len(kept):,} rows left out, with missing values" if left_out else ""
    inputs = prepared(x[kept] if left_out else x, standardize=reading.standardize)
    return Dataset(visible(path.name), inputs, y, classes, target, remark)


def features_of(
    table: DataFrame, chosen: list[int], coded: list[int], text: CsvText, reading: Reading
) -> Floats:
    """All features (rows, features), NaN where a value is missing and may be."""
    features, faults, size = [], [], 0
    for index in chosen:
        name = visible(text.names[index])
        found = column(table[index], coded=index in coded, words=reading.one_hot == "all")
        features.append(found.values.T)
        faults += found.faults(name, allow_missing=reading.missing != "refuse")
        size += found.values.size
        if size > MAX_VALUES:
            raise ConfigError(
                f"{visible(text.path)} holds more than {MAX_VALUES:,} values once its words are "
                "coded: use fewer rows or columns"
            )
    if faults:
        raise ConfigError(report(faults, text))
    return np.concatenate(features).T  # each column in one piece


def target_position(names: Sequence[str], target: str | None, shown: str) -> int:
    if target in names:
        return names.index(target)
    if target is None:
        raise ConfigError(
            f"data.target is missing: which column of {shown} is it? It has {some(names)}"
        )
    raise ConfigError(f"data.target = '{visible(target)}' is {unknown(target, names, shown)}")


def some(names: Sequence[str]) -> str:
    listed = [visible(name) for name in names[:SHOWN_NAMES]]
    return ", ".join(listed + ["..."] * (len(names) > SHOWN_NAMES))


def unknown(name: str, names: Sequence[str], shown: str) -> str:
    end = nearest(name, [visible(name) for name in names])
    if not end.startswith("did you mean"):
        end = f"valid are {some(names)}"
    return f"not a column of {shown}: {end}"


def chosen_columns(text: CsvText, target: int, reading: Reading, shown: str) -> list[int]:
    """The positions of the features, in the order of the file."""
    lists = {"columns": reading.columns, "drop": reading.drop, "one_hot": reading.one_hot}
    for key, listed in lists.items():
        for name in () if isinstance(listed, str) else listed:
            if name not in text.names:
                raise ConfigError(
                    f"data.{key} names {visible(repr(name))}, which is "
                    + unknown(name, text.names, shown)
                )
    chosen = [
        index
        for index, name in enumerate(text.names)
        if index != target
        and name not in reading.drop
        and (not reading.columns or name in reading.columns)
    ]
    for index in chosen:
        name = text.names[index]
        if name in text.unnamed:
            raise ConfigError(
                f"{shown}: {name} has no name in line {text.start} (a row index is not a feature: "
                f"leave it out with data.drop = ['{name}'])"
            )
    if not chosen:
        raise ConfigError(f"{shown}: no column is left as a feature")
    return chosen


@dataclass(frozen=True, slots=True)
class Column:
    """A column as features (rows, 1 or one a word): NaN where a value is missing; ``text`` are the
    rows that hold something other than a number."""

    values: Floats
    text: npt.NDArray[np.bool_] | None = None
    too_many: int = 0  # words

    def faults(self, name: str, *, allow_missing: bool) -> list[Fault]:
        if self.too_many:
            what = f"holds {self.too_many:,} different words, more than the {MAX_WORDS} to be coded"
            return [Fault(name, what, None)]
        if self.text is not None and self.text.any():
            return [Fault(name, "text", int(self.text.argmax()))]
        if fits_float32(self.values):
            return []
        gaps = np.isnan(self.values).any(axis=1)
        if gaps.all():
            return [Fault(name, "holds no value", None)]
        if gaps.any() and not allow_missing:
            return [Fault(name, "missing", int(gaps.argmax()))]
        large = (np.abs(self.values) > FLOAT32_MAX).any(axis=1)
        return [Fault(name, "infinite", int(large.argmax()))] if large.any() else []


def column(series: Series[Any], *, coded: bool, words: bool) -> Column:
    if series.dtype.kind in "biuf":
        return Column(series.to_numpy(np.float64).reshape(-1, 1))
    cells = ["" if cell != cell else str(cell).strip() for cell in series]
    if coded:
        return one_hot(cells)
    filled = {cell.lower() for cell in cells} - MISSING
    if filled and filled <= SWITCHES.keys():
        numbers = [SWITCHES.get(cell.lower()) for cell in cells]
    else:
        numbers = [as_number(cell) for cell in cells]
    gaps = np.array([cell.lower() in MISSING for cell in cells])
    text = np.array([number is None for number in numbers]) & ~gaps
    if words and text.any():
        return one_hot(cells)
    values = np.array([np.nan if number is None else number for number in numbers])
    return Column(values.reshape(-1, 1), text)


def one_hot(cells: list[str]) -> Column:
    words = sorted({cell for cell in cells if cell})
    if len(words) > MAX_WORDS:
        return Column(np.zeros((len(cells), 1)), too_many=len(words))
    places = {word: index for index, word in enumerate(words)}
    values = np.zeros((len(cells), len(words)))
    for row, cell in enumerate(cells):
        if cell:
            values[row, places[cell]] = 1.0
        else:
            values[row] = np.nan
    return Column(values)


def missing_labels(labels: list[str], task: str) -> npt.NDArray[np.bool_]:
    """ "NA" among words is a word; among numbers it is a missing value, not a class."""
    filled = [label for label in labels if label.lower() not in MISSING]
    numeric = task == "regression" or (task == "auto" and mostly_numbers(filled)) or not filled
    gaps = MISSING if numeric else {""}
    return np.array([label.lower() in gaps for label in labels])


def line_of(text: CsvText, row: int) -> int:
    return text.rows([row])[row][0]


def report(faults: Sequence[Fault], text: CsvText, *, target: bool = False) -> str:
    """One sentence about all columns that cannot be used; a handful of them are named."""
    said = faults[:SHOWN_FAULTS]
    rows = text.rows({fault.row for fault in said if fault.row is not None})
    parts = [worded(fault, text, rows) for fault in said]
    if len(faults) > len(said):
        parts.append(f"and {len(faults) - len(said):,} more")
    advice = []
    kinds = {fault.what for fault in faults}
    if "text" in kinds:
        words = [fault.name for fault in faults if fault.what == "text"]
        listed = f"['{words[0]}']" if len(words) == 1 else "'all'"
        advice.append(
            f"features are numbers: leave it out (data.drop) or code its words "
            f"(data.one_hot = {listed})"
        )
    if "missing" in kinds:
        advice.append(
            "data.missing = 'drop' leaves such rows out" + " and 'mean' fills them" * (not target)
        )
    end = f": {'; '.join(advice)}" if advice else ""
    return f"{visible(text.path)}: {'; '.join(parts)}{end}"


def worded(fault: Fault, text: CsvText, rows: dict[int, tuple[int, list[str]]]) -> str:
    if fault.row is None:
        return f"column '{fault.name}' {fault.what}"
    line, cells = rows[fault.row]
    # Odd bytes may end a line for csv and not for pandas: then it has fewer cells here.
    cell = visible(dict(zip(map(visible, text.names), cells, strict=False)).get(fault.name, ""))[
        :40
    ]
    if fault.what == "text":
        number = written(cell)
        better = f", to be written as {number}" if number else ""
        return f"column '{fault.name}' holds text ('{cell}' in line {line}{better})"
    if fault.what == "missing":
        said = f" ('{cell}')" if cell else ""
        return f"line {line} has no value{said} in column '{fault.name}'"
    return f"line {line} has {cell} in column '{fault.name}', not finite as float32"
