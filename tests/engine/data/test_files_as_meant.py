"""Files as people have them: each is read as it was meant, or refused in one sentence that says
what to write instead.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas  # noqa: F401, its first import outlasts hypothesis's deadline
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caveats.data import Dataset, csv_files, load
from caveats.errors import ConfigError

Read = Callable[..., Dataset]
ROWS = "".join(f"{i},{2 * i},{i % 2}\n" for i in range(6))
X = [[float(i), 2.0 * i] for i in range(6)]
TABLE = f"a,b,y\n{ROWS}"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def reader(content: str | bytes, name: str = "my.csv", **given: Any) -> Dataset:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load({"file": str(path), "target": "y", "standardize": False, **given})

    return reader


def said(read: Read, content: str | bytes, **given: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read(content, **given)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def of_target(cells: list[str]) -> str:
    return "a;y\n" + "".join(f"{i};{cell}\n" for i, cell in enumerate(cells))


# How a table may be written.


@pytest.mark.parametrize(
    ("content", "given"),
    [
        (TABLE.replace(",", ";"), {}),
        ('"a";"b";"y"\n' + ROWS.replace(",", ";"), {}),
        (TABLE.replace(",", "\t"), {"name": "my.tsv"}),
        (TABLE.replace(",", "|"), {}),
        (TABLE.replace(",", "  "), {}),
        (TABLE.replace(",", " , "), {}),
        (TABLE.replace("\n", "\r"), {}),
        (TABLE.replace("\n", "\r\n\r\n"), {}),
        (TABLE + ",,\n\n" + ' \n"",\n', {}),
        (TABLE.replace("a,", "größe,").encode("latin-1"), {}),
        ("\ufeff" + TABLE, {}),
        (TABLE.encode("utf-16"), {}),
        (gzip.compress(TABLE.encode(), mtime=0), {"name": "my.csv.gz"}),
        ("Measured in May, by hand\n\n" + TABLE, {}),
        ("Measured in May,,\n" + TABLE, {}),
        (TABLE.replace("\n", ",\n"), {"drop": "column 4"}),
        (ROWS, {"target": "column 3"}),
        ("0,1,2\n" + ROWS, {"target": "2"}),
    ],
)
def test_every_way_to_write_a_table_gives_the_same_rows(
    read: Read, content: str | bytes, given: dict[str, Any]
) -> None:
    data = read(content, **given)
    assert data.x.tolist() == X
    assert data.y.tolist() == [0, 1] * 3


def test_a_column_without_a_name_is_no_feature_until_it_is_dropped(read: Read) -> None:
    table = TABLE.replace("a,", ",", 1)
    assert "column 1 has no name in line 1" in said(read, table)
    assert "data.drop = ['column 1']" in said(read, table)
    assert read(table, drop=["column 1"]).x.tolist() == [[row[1]] for row in X]


@pytest.mark.parametrize("length", [5, -12])
def test_a_torn_gz_is_one_sentence(read: Read, length: int) -> None:
    whole = gzip.compress(TABLE.encode(), mtime=0)
    assert "not a complete gzip file" in said(read, whole[:length], name="my.csv.gz")


def test_a_first_row_of_values_is_not_taken_for_names(read: Read) -> None:
    flowers = "5.0,3.0,virginica\n5.1,3.1,setosa\n5.2,3.2,virginica\n"
    sentence = said(read, flowers, target="species")
    assert "line 1 looks like data (5.0, 3.0, virginica)" in sentence
    assert "data.target = 'column 3'" in sentence
    assert read(flowers, target="column 3").target_told == "column 3: 2 classes, 1 2"


# What the target is.


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([str(424_000 - 700 * i) for i in range(47)], "y: numbers, 408,000 ± 9,500"),
        (["setosa", "virginica", "versicolor"] * 50, "y: 3 classes, 50 50 50"),
        (["0.0", "1.0", "2.0"] * 4, "y: 3 classes, 4 4 4"),
        (["True", "False", "True"], "y: 2 classes, 1 2"),
        ([f'"{i}.5"' for i in range(9)], "y: numbers, 4.5 ± 2.58"),
        ([str(i % 26 + 1) for i in range(520)], "y: 26 classes, 20 to 20 rows each"),
        ([str(i % 60 + 20) for i in range(600)], "y: numbers, 49.5 ± 17.3"),
        (["1st", "2nd", "3rd"], "y: 3 classes, 1 1 1"),
        (["0-10", "10-20", "20-30"], "y: 3 classes, 1 1 1"),
        (["NA", "Asia", "Europe"], "y: 3 classes, 1 1 1"),
    ],
)
def test_numbers_are_classes_only_where_they_are_few_whole_and_repeated(
    read: Read, cells: list[str], told: str
) -> None:
    assert read(of_target(cells)).target_told == told


@pytest.mark.parametrize(
    ("cell", "better"),
    [
        ('"133,461"', "133461"),
        ("1.234.567", "1234567"),
        ("+1 234", "+1234"),
        ("25,10", "25.10"),
        ("1.234,56", "1234.56"),
        ("£1,234.50", "1234.50"),
        ("$1200", "1200"),
        ("300 €", "300"),
        ("-12 kg", "-12"),
        ("40%", "40"),
        ("2024-01-31", "a number, such as days since the first date,"),
        ("31.1.2024 12:30", "a number, such as days since the first date,"),
        ("none of them", "a number"),
    ],
)
def test_a_target_that_is_almost_all_numbers_is_refused_with_what_to_write(
    read: Read, cell: str, better: str
) -> None:
    table = of_target([*(f"{i}.5" for i in range(9)), cell])
    bare = cell.strip('"')
    sentence = said(read, table)
    assert f"my.csv: line 11 has '{bare}' in column 'y'" in sentence
    assert f"write {better} instead" in sentence
    assert "data.task = 'classification'" in sentence
    assert read(of_target(["cat", "dog", cell]), task="classification").classes == 3
    if better != "a number":
        assert f"line 2 has '{bare}'" in said(read, of_target([cell] * 3))


def test_a_dash_among_numbers_is_a_missing_value(read: Read) -> None:
    table = of_target([*(f"{i}.5" for i in range(9)), "-"])
    assert "line 11 has no value ('-') in column 'y'" in said(read, table)
    assert "data.missing = 'drop'" in said(read, table)
    told = "y: numbers, 4.5 ± 2.58; 1 of 10 rows left out, with missing values"
    assert read(table, missing="drop").target_told == told
    assert "no value ('-')" in said(read, table, missing="mean")


def test_the_task_may_be_said(read: Read) -> None:
    counts = of_target(["0", "1", "2"] * 3)
    assert read(counts).classes == 3
    assert read(counts, task="regression").target_told == "y: numbers, 1 ± 0.816"
    years = of_target([str(year) for year in range(1990, 2020)])
    assert read(years).classes is None
    assert read(years, task="classification").classes == 30
    words = of_target(["setosa", "virginica"])
    sentence = said(read, words, task="regression")
    assert "line 2 has 'setosa' in column 'y', a target of numbers" in sentence
    assert "holds 0.5, but classes are words or whole" in said(
        read, of_target(["0.5", "1.5"]), task="classification"
    )
    many = of_target([str(i) for i in range(101)])
    assert "101 different numbers: use at most 100" in said(read, many, task="classification")


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (np.arange(30) % 10.0, "y: 10 classes, 3 3 3 3 3 3 3 3 3 3"),
        (np.eye(3)[np.arange(30) % 3], "y: 3 classes, 10 10 10"),
        (np.stack([np.arange(30.0), np.ones(30)], 1), "y: 2 columns of numbers, 7.75 ± 9.11"),
    ],
)
def test_the_target_of_an_npz_is_told_too(tmp_path: Path, y: Any, told: str) -> None:
    np.savez(tmp_path / "my.npz", x=np.eye(30), y=y)
    assert load({"file": str(tmp_path / "my.npz")}).target_told == told
    if y.ndim == 1:
        numbers = load({"file": str(tmp_path / "my.npz"), "task": "regression"})
        assert numbers.classes is None
    for name, value in (("drop", ["a"]), ("one_hot", "all"), ("missing", "mean")):
        with pytest.raises(ConfigError, match=f"data.{name} is for a csv"):
            load({"file": str(tmp_path / "my.npz"), name: value})


# Which columns are features, and as what.

MIXED = "flag,ok,city,b,y\nTrue,yes,Rome,1,u\nFalse,No,Oslo,2,v\nTrue,yes,Rome,3,u\n"


def test_switches_are_0_and_1_and_words_a_column_each(read: Read) -> None:
    without = read(MIXED, drop=["city"])
    assert without.x.tolist() == [[1, 1, 1], [0, 0, 2], [1, 1, 3]]
    for asked in ("all", ["city"]):
        assert read(MIXED, one_hot=asked).x.tolist() == [
            [1, 1, 0, 1, 1], [0, 0, 1, 0, 2], [1, 1, 0, 1, 3]
        ]  # fmt: skip
    assert read(MIXED, columns=["b"]).x.tolist() == [[1], [2], [3]]
    assert read(MIXED, columns=["b", "flag"], drop=["flag"]).x.tolist() == [[1], [2], [3]]
    assert read(MIXED, columns=["b"], one_hot=["b"]).x.tolist() == np.eye(3).tolist()


@pytest.mark.parametrize("key", ["columns", "drop", "one_hot"])
def test_a_column_that_is_not_there_is_named_with_the_nearest(read: Read, key: str) -> None:
    sentence = said(read, MIXED, **{key: ["citty"]})
    assert f"data.{key} names 'citty', which is not a column of" in sentence
    assert "did you mean 'city'?" in sentence
    assert "no column is left" in said(read, MIXED, drop=["flag", "ok", "city", "b"])


def test_all_bad_columns_are_in_one_report(read: Read) -> None:
    names = [f"c{i}" for i in range(9)]
    table = ",".join([*names, "y"]) + "\n" + ",".join(["1"] * 9 + ["u"]) + "\n"
    table += 'red,,inf,"1,5",' + ",".join(f"w{i}" for i in range(5)) + ",v\n"
    sentence = said(read, table)
    for part in (
        "column 'c0' holds text ('red' in line 3)",
        "line 3 has no value in column 'c1'",
        "line 3 has inf in column 'c2', not finite",
        "column 'c3' holds text ('1,5' in line 3, to be written as 1.5)",
        "and 5 more",
        "data.drop",
        "data.one_hot = 'all'",
        "data.missing = 'drop'",
    ):
        assert part in sentence
    words = "a,y\n" + "".join(f"w{i},{i % 2}\n" for i in range(200))
    assert "column 'a' holds 200 different words" in said(read, words, one_hot="all")


def test_missing_values_are_refused_left_out_or_filled(read: Read) -> None:
    table = "a,b,y\n1,1,u\n,2,v\n3,?,u\n5,6,v\n"
    sentence = said(read, table)
    assert "line 3 has no value in column 'a'" in sentence
    assert "line 4 has no value ('?') in column 'b'" in sentence
    dropped = read(table, missing="drop")
    assert dropped.x.tolist() == [[1, 1], [5, 6]]
    assert "2 of 4 rows left out" in dropped.target_told
    filled = read(table, missing="mean")
    assert filled.x.tolist() == [[1, 1], [3, 2], [3, 3], [5, 6]]
    assert "line 6 has 2 values for 3 columns" in said(read, table + "1,2\n", missing="mean")


def test_words_that_would_fill_the_memory_are_refused(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "MAX_VALUES", 20)
    words = "a,y\n" + "".join(f"w{i},{i % 2}\n" for i in range(5))
    assert "more than 20 values once its words are coded" in said(read, words, one_hot="a")


@pytest.mark.parametrize(
    ("table", "given", "expected"),
    [
        ("a,y\n1,2.5\n2,2.5\n", {}, "column 'y' holds only one value"),
        ("a,y\n1,u\n2,u\n", {}, "column 'y' holds only one value"),
        ("a,y\n1,nan\n2,nan\n", {}, "line 2 has no value ('nan') in column 'y'"),
        ("a,y\n1,1.5\n2,NaN\n", {}, "line 3 has no value ('NaN') in column 'y'"),
        ("a,y\n1,u\n", {}, "fewer than two lines of values"),
        ("a,y\n1,u\n,v\n", {"missing": "drop"}, "fewer than two lines without a missing"),
        ("a,y\n", {}, "fewer than two lines of values"),
        ("a,a,y\n1,2,u\n1,2,v\n", {}, "two columns are called 'a'"),
        ("", {}, "is empty"),
        (" \n\n", {}, "is empty"),
        ("a,b,y\n,1,u\n,2,v\n", {"missing": "mean"}, "column 'a' holds no value"),
        ("a,y\n1,u\n1,2,3,v\n", {}, "line 3 has 4 values for 2 columns"),
        ("a,y\n1,2,u\n1,v\n", {}, "line 2 has 3 values for 2 columns"),
        ("a,y\n1,u\n1,v\n", {"missing": "guess"}, "valid are refuse, drop, mean"),
        ("a,y\n1,u\n1,v\n", {"sep": ";"}, "data.sep is not a setting of a file"),
    ],
)
def test_what_is_no_data_set_is_one_sentence(
    read: Read, table: str, given: dict[str, Any], expected: str
) -> None:
    assert expected in said(read, table, **given)


cells = st.sampled_from(
    ["", "1", "-2.5", "1e400", "nan", "inf", "True", "no", "w", '"', '"a', "1,5", "1_0", "\x00"]
) | st.text(max_size=3)  # fmt: skip


@settings(max_examples=300)
@given(
    rows=st.lists(st.lists(cells, min_size=1, max_size=4), max_size=6),
    separator=st.sampled_from([",", ";", "\t", "|", " "]),
    task=st.sampled_from(["auto", "classification", "regression"]),
    missing=st.sampled_from(["refuse", "drop", "mean"]),
    one_hot=st.sampled_from(["all", ["a"], []]),
)
def test_any_cells_are_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    separator: str,
    task: str,
    missing: str,
    one_hot: Any,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    table = [["a", "y"], ["1", "2"], ["3", "4"], *rows]
    text = "\n".join(separator.join(row) for row in table)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    given = {"task": task, "missing": missing, "one_hot": one_hot}
    sentence = ""
    try:
        data = load({"file": str(path), "target": "y", **given})
    except ConfigError as error:
        sentence = str(error)
    else:
        assert data.rows >= 2
        assert math.isfinite(float(data.x.sum(dtype=float)))
        assert data.target_told.startswith("y: ")
    assert "\n" not in sentence
