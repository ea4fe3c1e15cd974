"""What a person sees of a table before choosing its target is what the reader will read."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from caveats.data.files import columns_of
from caveats.errors import ConfigError


def test_names_and_first_cells_are_those_that_pandas_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("A title\nx;y y;z\n1,5;2;a\n3;4;b\n5;6;c\n7;8;d\n")
    table = pandas.read_csv(path, sep=";", skiprows=1, dtype=str)
    assert columns_of(path) == {name: tuple(table[name][:3]) for name in table}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1.5,2\n3,4\n", ["column 1", "column 2"]),  # no line of names
        ("0,1,2\n.5,.6,.7\n", ["0", "1", "2"]),  # as pandas writes a table without names
        ("a,,c\n1,2,3\n", ["a", "column 2", "c"]),
    ],
)
def test_columns_without_a_name(tmp_path: Path, text: str, names: list[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert list(columns_of(path)) == names


def test_an_npz_has_none_and_a_wrong_file_gives_the_readers_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.npz").touch()
    (tmp_path / "empty.csv").touch()
    assert columns_of(tmp_path / "a.npz") == {}
    with pytest.raises(ConfigError, match=r"empty\.csv is empty"):
        columns_of(tmp_path / "empty.csv")
    with pytest.raises(ConfigError, match="does not exist"):
        columns_of(tmp_path / "b.csv")
