"""Files of other people, as they came: each is read as it was meant, or refused with what to write.

The rows were made up after public reports; what each file holds is stated here, apart from the
program.
"""

from pathlib import Path

import pytest

from caveats.config import RunConfig
from caveats.data import load
from caveats.errors import ConfigError

DATA = Path(__file__).parent / "data"


def read(name, **settings):
    return load({"file": str(DATA / name), **settings})


@pytest.mark.parametrize(
    ("name", "target"), [("47_houses.csv", "price"), ("q2_target_decimalcomma.csv", "price")]
)
def test_prices_are_numbers(name, target):
    rows = read(name, target=target)
    assert rows.task == "regression"
    assert rows.target_told.startswith(f"{target}: numbers, ")


def test_a_price_with_thousands_separators_is_refused_with_what_to_write():
    with pytest.raises(ConfigError) as refused:
        read("q2_price_thousands.csv", target="price")
    said = str(refused.value)
    for part in ("q2_price_thousands.csv", "line 2", "'133,461'", "write 133461"):
        assert part in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("name", ["27_floatlabels.npz", "27_onehot.npz"])
def test_few_whole_labels_and_one_hot_rows_are_ten_classes(name):
    rows = read(name)
    assert (rows.classes, rows.rows, rows.features) == (10, 200, 784)


def test_the_two_ways_to_write_labels_give_the_same_classes():
    assert (read("27_floatlabels.npz").y == read("27_onehot.npz").y).all()


def test_a_file_without_names_loses_no_row_and_says_so():
    with pytest.raises(ConfigError, match=r"line 1 looks like data .*data\.target = 'column 3'"):
        read("r_iris_nohdr.csv", target="virginica")
    lines = (DATA / "r_iris_nohdr.csv").read_text().split()
    assert read("r_iris_nohdr.csv", target="column 3").rows == len(lines)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("q_bool_col.csv", "y"),  # a column of True and False
        ("q_semicolon_quoted.csv", "quality"),  # "a";"b"
        ("q_latin1.csv", "y"),  # an umlaut in latin-1
    ],
)
def test_common_ways_to_write_a_table_are_read(name, target):
    rows = read(name, target=target)
    assert (rows.rows, rows.features, rows.classes) == (120, 3, 2)


@pytest.mark.parametrize(
    ("key", "typed", "meant"),
    [
        ("init", "glorot_uniform", "xavier_uniform"),
        ("init", "kaiming_normal", "he_normal"),
        ("activation", "linear", "identity"),
    ],
)
def test_names_of_other_libraries_mean_ours(key, typed, meant):
    def built(name):
        return RunConfig.from_dict({"network": {key: name}})

    assert built(typed) == built(meant)


def test_no_guess_is_made_where_none_is_right():
    with pytest.raises(ConfigError) as refused:
        RunConfig.from_dict({"data": {"file": "a.csv", "target": "y", "sep": ";"}})
    assert "did you mean" not in str(refused.value)
