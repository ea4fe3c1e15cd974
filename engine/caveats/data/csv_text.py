"""Finds out how a table is written (its compression, encoding, separator, title lines and column
names) and reads it with pandas.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import warnings
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TextIO

from caveats.data.targets import as_number
from caveats.errors import ConfigError, visible

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["MAX_VALUES", "CsvText", "examine", "first_cells"]

# 400 MB as float64; loading takes about twice as much.
MAX_VALUES = 50_000_000
MAX_BYTES = 2_000_000_000
SAMPLE = 2**18  # characters from which the separator is found
SEPARATORS = ",;\t|"
ROWS_SHOWN = 3  # of a table, to a person who chooses its target


@dataclass(frozen=True, slots=True)
class CsvText:
    """A table as text: ``names`` of its columns, ``start`` lines above the first row of values."""

    path: Path
    encoding: str
    separator: str
    names: tuple[str, ...] = ()
    unnamed: frozenset[str] = frozenset()  # names that stand in for missing ones
    start: int = 0

    def open(self) -> TextIO:
        # UTF-8 was checked; cp1252 leaves a few bytes undefined, which are replaced.
        opener: Any = gzip.open if self.path.suffix.lower() == ".gz" else open
        file: TextIO = opener(self.path, "rt", encoding=self.encoding, newline="", errors="replace")
        return file

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        """The number and the cells of each line; empty lines are skipped.

        Raises:
            ConfigError: naming the line that cannot be split into cells.
        """
        with self.open() as file:
            reader = csv.reader(file, delimiter=self.separator, skipinitialspace=True, strict=True)
            try:
                for cells in reader:
                    if any(cells):
                        yield reader.line_num, [cell.strip() for cell in cells]
            except csv.Error as error:
                raise ConfigError(
                    f"{visible(self.path)}: line {reader.line_num}: {visible(error)}"
                ) from None

    def rows(self, wanted: Collection[int]) -> dict[int, tuple[int, list[str]]]:
        """The line number and the cells of the ``wanted`` rows, by their position in the table."""
        found: dict[int, tuple[int, list[str]]] = {}
        last = max(wanted, default=-1)
        below = (item for item in self.lines() if item[0] > self.start)
        for position, (line, cells) in enumerate(below):
            if position > last:
                break
            if len(cells) > len(self.names) and any(cells[len(self.names) :]):
                raise self.ragged(line, cells)
            if position in wanted:
                found[position] = line, cells
        for position in wanted:  # odd bytes may end a line for csv and not for pandas
            found.setdefault(position, (self.start + 1 + position, [""] * len(self.names)))
        return found

    def ragged(self, line: int, cells: list[str]) -> ConfigError:
        return ConfigError(
            f"{visible(self.path)}: line {line} has {len(cells)} values for {len(self.names)} "
            "columns"
        )

    def read(self, as_text: Collection[int]) -> DataFrame:
        """All rows. A column is named by its position; the columns in ``as_text`` stay text.

        Raises:
            ConfigError: for a line of another length, an open quote, or too many values.
        """
        import pandas  # takes 0.5 s, which only those who open a csv should pay

        shown, width = visible(self.path), len(self.names)
        limit = MAX_VALUES // width
        try:
            try:
                table = self._parsed(as_text, limit, "error")
            except pandas.errors.ParserWarning:  # a line is longer than the one with the names
                self.rows([MAX_VALUES])  # raises where what is too much holds a value
                table = self._parsed(as_text, limit, "ignore")
        except (ValueError, OverflowError) as error:
            self.rows([MAX_VALUES])  # raises a better sentence, with the line
            self._refuse_long_lines()
            raise ConfigError(f"{shown} cannot be read: {visible(error)}") from None
        if len(table) > limit:
            raise ConfigError(f"{shown} holds more than {MAX_VALUES:,} values: use fewer rows")
        table = without_empty_rows(table)
        too_long = table.index[table[width].notna()]
        if len(too_long):
            self.rows([int(too_long[0])])
        self._refuse_short_lines(table)
        return table.drop(columns=width)

    def _parsed(
        self, as_text: Collection[int], limit: int, warning: Literal["error", "ignore"]
    ) -> DataFrame:
        """At most ``limit`` + 1 rows as pandas reads them, with one column too many: a value in it
        shows a line that is too long. What to do about pandas's ``warning`` of a longer line."""
        import pandas

        with self.open() as file, warnings.catch_warnings():
            warnings.simplefilter(warning, pandas.errors.ParserWarning)
            for _ in range(self.start):
                file.readline()
            return pandas.read_csv(
                file, sep=self.separator, header=None, names=range(len(self.names) + 1),
                index_col=False, dtype=dict.fromkeys(as_text, str), low_memory=False,
                skipinitialspace=True, keep_default_na=False, na_values=[""], nrows=limit + 1,
            )  # fmt: skip

    def _refuse_long_lines(self) -> None:
        """pandas takes empty cells that are too many where the first line has as many, or one."""
        for line, cells in self.lines():
            if line > self.start and len(cells) > len(self.names) + 1:
                raise self.ragged(line, cells)

    def _refuse_short_lines(self, table: DataFrame) -> None:
        """pandas fills short lines up, as if values were missing; such a line has no separators."""
        width = len(self.names)
        found = self.rows([int(row) for row in table.index[table[width - 1].isna()]])
        for line, cells in found.values():
            if len(cells) < width:
                raise self.ragged(line, cells)


def without_empty_rows(table: DataFrame) -> DataFrame:
    last = table.iloc[:, -2:].isna().all(axis=1)  # looking at all cells of every row takes longer
    empty = table.index[last][table[last].isna().all(axis=1)]
    return table.drop(index=empty).reset_index(drop=True) if len(empty) else table


def examine(path: Path, target: str | None) -> CsvText:
    """How the table in ``path`` is written. Columns without a name are called "column 3"; so are
    all columns of a file without a line of names, if ``target`` names one of them that way.

    Raises:
        ConfigError: for a file too large, empty, or without a usable line of names.
    """
    shown = visible(path)
    try:
        text = CsvText(path, encoding_of(path), ",")
        with text.open() as file:
            sample = file.read(SAMPLE)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ConfigError(f"{shown} is not a complete gzip file: {visible(error)}") from None
    separator, width = separator_of(sample)
    text = CsvText(path, text.encoding, separator)
    before = 0
    for line, cells in text.lines():
        if not is_title(cells, width, target):
            break
        before = line
    else:
        raise ConfigError(f"{shown} is empty: it needs a line of column names")
    if len(cells) == 1:
        raise ConfigError(f"{shown} has one column: it needs a target and at least one feature")
    places = [f"column {index + 1}" for index in range(len(cells))]
    if looks_like_data(cells, target):
        if target not in places:
            values = ", ".join(visible(cell)[:20] for cell in cells[:3])
            raise ConfigError(
                f"{shown}: line {line} looks like data ({values}), but should name the columns: "
                f"write names above it, or say data.target = '{places[-1]}'"
            )
        return CsvText(path, text.encoding, separator, tuple(places), start=before)
    names = [cell or place for cell, place in zip(cells, places, strict=True)]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ConfigError(f"{shown}: two columns are called '{visible(twice)}'")
    unnamed = frozenset(set(names) - set(cells))
    return CsvText(path, text.encoding, separator, tuple(names), unnamed, line)


def first_cells(path: Path) -> dict[str, tuple[str, ...]]:
    """The columns of the table in ``path``, each with the cells of its first rows. A file without a
    line of names has "column 1", "column 2", ...; names that only count, as pandas writes them,
    are names.

    Raises:
        ConfigError: as `examine`.
        OSError: for a file that cannot be read.
    """
    text = examine(path, "column 1")
    if "column 1" in text.names:
        with suppress(ConfigError):
            text = examine(path, "0")
    below = (cells for line, cells in text.lines() if line > text.start)
    rows = list(islice(below, ROWS_SHOWN))
    return {
        name: tuple(cells[index] for cells in rows if index < len(cells))
        for index, name in enumerate(text.names)
    }


def encoding_of(path: Path) -> str:
    """UTF-8 if the whole file is valid UTF-8, UTF-16 if the file begins with its mark, else cp1252,
    which has the letters of latin-1."""
    encoding, size = "utf-8-sig", 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    file: IO[bytes]
    with opener(path, "rb") as file:
        while chunk := file.read(2**20):
            if size == 0 and chunk[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                encoding = "utf-16"
            size += len(chunk)
            if size > MAX_BYTES:
                raise ConfigError(
                    f"{visible(path)} is too large: at most {MAX_BYTES / 1e6:,.0f} MB are read"
                )
            if encoding == "utf-8-sig":
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    encoding = "cp1252"
    if encoding == "utf-8-sig" and decoder.getstate()[0]:
        encoding = "cp1252"  # it ends within a character
    return encoding


def separator_of(sample: str) -> tuple[str, int]:
    """The separator by which most lines have the same number of cells, and that number."""
    lines = sample.splitlines(keepends=True)
    if len(sample) == SAMPLE and len(lines) > 1:
        lines.pop()  # cut off by the sample's end

    def fitness(separator: str) -> tuple[bool, float, int]:
        widths: Counter[int] = Counter()
        with suppress(csv.Error):  # what is wrong with a line is said when it is read
            reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
            widths.update(len(cells) for cells in reader if cells)
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        return width > 1, count / max(1, widths.total()), width

    best = max(SEPARATORS, key=fitness)
    if fitness(best)[2] < 2:
        best = " "  # only if nothing else fits: names hold spaces too
    return best, fitness(best)[2]


def is_title(cells: list[str], width: int, target: str | None) -> bool:
    """Whether a line above the column names is a title: it has fewer cells than the table has
    columns, or only one filled cell, and it does not name the target."""
    short = len(cells) < width or (width > 2 and sum(map(bool, cells)) == 1)
    return short and target not in cells


def looks_like_data(cells: list[str], target: str | None) -> bool:
    """Whether the line of names holds numbers other than the 0, 1, 2, ... that pandas writes."""
    numbers = [cell for cell in cells if as_number(cell) is not None]
    if not numbers:
        return False
    counted = all(cell.isdecimal() for cell in numbers) and [int(cell) for cell in numbers] == list(
        range(int(numbers[0]), int(numbers[0]) + len(numbers))
    )
    return not (counted and target in cells)
