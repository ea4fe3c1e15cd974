"""A user's own file: what was written is read back, and every fault is reported in one sentence."""

import csv
import io
import os
import pickle
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas  # noqa: F401, its first import outlasts hypothesis's deadline
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from caveats.data import csv_files, csv_text, load, npz_files
from caveats.errors import ConfigError

X, Y = np.eye(4), np.array([0, 1, 0, 1])

floats32 = st.floats(-(2.0**100), 2.0**100, width=32)


def said(settings):
    with pytest.raises(ConfigError) as caught:
        load(settings)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@given(
    x=arrays.arrays(np.float32, st.tuples(st.integers(2, 8), st.integers(1, 4)), elements=floats32),
    position=st.integers(0, 4),
    mark=st.sampled_from(["", "\ufeff"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_csv_of_numbers_comes_back_bit_for_bit(folder, x, position, mark, quoting, end):
    position = min(position, x.shape[1])
    y = np.arange(len(x)) + 0.5
    table = np.insert(x.astype(float), position, y, axis=1)
    names = [f"f {index}" for index in range(x.shape[1])]
    names.insert(position, "the, target")
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator=end)
    writer.writerows([names, *table.tolist()])
    file = write(folder / "numbers.csv", mark + text.getvalue())
    data = load({"file": file, "target": "the, target", "standardize": False})
    assert data.name == "numbers.csv"
    assert data.x.tobytes() == x.tobytes()
    assert data.classes is None
    assert np.array_equal(data.y[:, 0], y)


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5).map(
    lambda word: "w" + word.strip()
)


@given(labels=st.lists(words, min_size=2, max_size=20).filter(lambda all: len(set(all)) > 1))
def test_words_become_classes_in_sorted_order(folder, labels):
    text = io.StringIO()
    csv.writer(text).writerows([["a", "kind"], *([i, word] for i, word in enumerate(labels))])
    file = write(folder / "words.csv", text.getvalue())
    data = load({"file": file, "target": "kind", "standardize": False})
    order = sorted(set(labels))
    assert data.classes == len(order)
    assert [order[label] for label in data.y] == labels
    assert data.x[:, 0].tolist() == list(range(len(labels)))


@given(
    x=arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=2, max_dims=4, min_side=2, max_side=4),
        elements=floats32,
    ),
    order=st.sampled_from("CF"),
    compressed=st.booleans(),
    targets=st.integers(1, 4),
)
def test_an_npz_comes_back_bit_for_bit_its_images_flattened(folder, x, order, compressed, targets):
    y = np.linspace(0.5, 2, len(x) * targets, dtype=np.float32).reshape(len(x), targets)
    save = np.savez_compressed if compressed else np.savez
    save(folder / "images.npz", x=np.asarray(x, order=order), y=y, other=np.zeros(3))
    data = load({"file": str(folder / "images.npz"), "standardize": False})
    assert data.x.shape == (len(x), x[0].size)
    assert data.x.tobytes() == x.tobytes()
    assert np.array_equal(data.y, y)
    assert data.classes is None


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([3, -1, 3, 7, 7, -1]), 3),
        (np.array([[3], [-1], [3], [7], [7], [-1]]), 3),
        (np.array([3, -1, 3, 7]), None),
        (np.array([True, False, True]), 2),
        (np.array(["dog", "cat", "dog"]), 2),
        (np.array([b"dog", b"cat", b"dog"]), 2),
        (np.arange(200, dtype=np.uint64) % 100, 100),
        (np.arange(202) % 101, None),
        (np.arange(200) % 100 + 2, None),
        (np.arange(40) % 20 * 1000, 20),
        (np.arange(42) % 21 * 1000, None),
        (np.arange(100), None),
        (np.arange(60) % 10.0, 10),
        (np.arange(60) % 10 + 0.5, None),
        (np.array([3.0, -1.0, 3.0]), None),
        (np.array([[1, 1], [0, 1], [1, 0]]), None),
        (np.array([[2, 0], [0, 1], [1, 0]]), None),
        (np.array([1.0, 2.0], dtype=np.float16), None),
    ],
)
def test_the_rule_for_classes_in_an_npz(tmp_path, y, classes):
    np.savez(tmp_path / "a.npz", x=np.eye(len(y), 2), y=y)
    data = load({"file": str(tmp_path / "a.npz")})
    assert data.classes == classes
    if classes is None:
        assert np.array_equal(data.y, y.reshape(len(y), -1).astype(np.float32))
    else:
        ranks = {value: rank for rank, value in enumerate(sorted(set(y.ravel().tolist())))}
        assert data.y.tolist() == [ranks[value] for value in y.ravel().tolist()]


@pytest.mark.parametrize("kind", ["?", "u1", "i8", "f2", "f4", "f8", ">f8"])
def test_inputs_of_any_real_type_become_the_same_float32(tmp_path, kind):
    np.savez(tmp_path / "a.npz", x=X.astype(kind), y=Y)
    for standardize in (False, True):
        x = load({"file": str(tmp_path / "a.npz"), "standardize": standardize}).x
        assert x.dtype == np.float32
        # The identity's columns: a quarter ones, so (1 - ¼)/√(3/16) = √3 and -1/√3.
        expected = np.where(X == 1, 3**0.5, -(3**-0.5)) if standardize else X
        assert np.allclose(x, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("column", "classes"),
    [
        (["10", "9", "-2"] * 2, 3),
        (["10", "9", "-2"], None),
        (["0.0", "1.0", "2.0"] * 2, 3),
        (["True", "False", "True"], 2),
        (["2nd", "1st", "3rd"], 3),
        ([">50K", "<=50K"], 2),
        (["1", "2.0"], None),
        (["1", "2e0"], None),
        (["1", "two"], 2),
        (["NA", "Asia", "Europe"], 3),
        (["1_0", "2"], 2),
        ([str(number) for number in range(100)] * 2, 100),
        ([str(number) for number in range(100)], None),
        ([str(number) for number in range(101)] * 2, None),
        (["9" * 19, "1"], None),
    ],
)
def test_the_rule_for_classes_in_a_csv(tmp_path, column, classes):
    lines = [f"{index},{cell}" for index, cell in enumerate(column)]
    file = write(tmp_path / "a.csv", "\n".join(["a,b", *lines]))
    data = load({"file": file, "target": "b"})
    assert data.classes == classes
    if classes == 3 and column[0] == "10":
        assert data.y.tolist() == [2, 1, 0] * 2


GOOD = "a,b,y\n1,2,0\n3,4,1\n"


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        (GOOD, "z", ["data.target = 'z'", "my.csv", "valid are a, b, y"]),
        (GOOD.replace("y", "price"), "pricé", ["did you mean 'price'?"]),
        (GOOD, None, ["data.target is missing", "a, b, y"]),
        (GOOD, "\x1b[2J", [r"'\x1b[2J'"]),
        ("", "y", ["is empty", "line of column names"]),
        ("\n\n", "y", ["is empty"]),
        ("1,2\n3,4\n", "y", ["line 1 looks like data (1, 2)", "'column 2'"]),
        ("5.0,3.1,virginica\n" * 3, "kind", ["line 1 looks like data (5.0, 3.1, virginica)"]),
        ("y\n1\n2\n", "y", ["one column"]),
        (",a,y\n0,1,0\n1,2,1\n", "y", ["column 1 has no name"]),
        ("a,a,y\n1,2,0\n3,4,1\n", "y", ["two columns are called 'a'"]),
        (GOOD + "5,6\n", "y", ["line 4 has 2 values for 3 columns"]),
        (GOOD + "\n\n5,,1\n", "y", ["line 6 has no value in column 'b'"]),
        (GOOD + "5,NaN,1\n", "y", ["line 4 has no value ('NaN') in column 'b'"]),
        (GOOD + "5,?,1\n", "y", ["line 4 has no value ('?') in column 'b'"]),
        (GOOD + "5,6,\n", "y", ["line 4 has no value in column 'y'"]),
        (GOOD + "5,6,NA\n", "y", ["line 4 has no value ('NA') in column 'y'"]),
        (GOOD + "5,6,nan\n", "y", ["line 4 has no value ('nan') in column 'y'"]),
        (GOOD + "5,red\x07,1\n", "y", ["column 'b' holds text ('red\\x07' in line 4)"]),
        (GOOD + "5,1_000,1\n", "y", ["column 'b' holds text ('1_000' in line 4)"]),
        (GOOD + "5,inf,1\n", "y", ["line 4 has inf in column 'b'", "not finite"]),
        (GOOD + "5,1e39,1\n", "y", ["line 4 has 1e39 in column 'b'", "not finite"]),
        (GOOD + "5,6,inf\n", "y", ["column 'y'", "not finite"]),
        (GOOD + '5,"6,1\n', "y", ["line 4", "unexpected end of data"]),
        (GOOD.encode() + b"5,\xff\xfe,1\n", "y", ["column 'b' holds text ('ÿþ' in line 4)"]),
        ("a,y\n", "y", ["fewer than two lines of values"]),
        ("a,y\n1,2\n", "y", ["fewer than two lines of values"]),
        ("a,y\n1,2\n2,2\n", "y", ["column 'y' holds only one value"]),
        (
            "a,y\n" + "".join(f"1,w{i}\n" for i in range(101)),
            "y",
            ["101 different words", "at most 100"],
        ),
        (",".join(f"c{i}" for i in range(500)) + "\n", "zzz", ["c7, ..."]),
        ("a,y\n" + "1" * 200_000 + ",2\n", "y", ["line 2", "field larger than field limit"]),
    ],
)
def test_what_is_wrong_with_a_csv_is_one_sentence(tmp_path, text, target, expected):
    file = write(tmp_path / "my.csv", text)
    sentence = said({"file": file, "target": target})
    assert "my.csv" in sentence
    assert all(word in sentence for word in expected), sentence
    assert len(sentence) < 300 + len(file)


@pytest.mark.filterwarnings("default")  # as in the program, where a warning stops nothing
def test_what_is_too_much_in_a_line_is_empty_or_refused_without_a_warning(tmp_path, recwarn):
    longer = write(tmp_path / "my.csv", "a,b,y\n1,2,0,,,\n3,4,1,,,\n")
    assert load({"file": longer, "target": "y"}).rows == 2
    for text in (GOOD + "5,6,1,,,\n", GOOD + "5,6,1,,,7\n", "a,b,y\n1,2,0,,,\n3,4,1\n5,6,1,,,7\n"):
        file = write(tmp_path / "other.csv", text)
        assert "line 4 has 6 values for 3 columns" in said({"file": file, "target": "y"})
    assert not recwarn.list


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array))
    return stream.getvalue()


class Harmful:
    def __reduce__(self):
        return (os.mkdir, ("unpickled",))


NAN = np.array([[0.0, 1.0], [2.0, np.nan], [4.0, 5.0]])


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"x": X}, ["no array 'y'", "valid are x"]),
        ({"X": X, "y": Y}, ["no array 'x'"]),
        ({"data": X, "labels": Y}, ["no array 'x'", "valid are data, labels"]),
        ({}, ["no array 'x'", "it holds none"]),
        ({"x": X[:, 0], "y": Y}, ["x has shape (4,)", "(rows, features)"]),
        ({"x": np.float64(3), "y": Y}, ["x has shape ()"]),
        ({"x": X[:, :0], "y": Y}, ["x has shape (4, 0)", "1 feature"]),
        ({"x": X[:1], "y": Y[:1]}, ["x has shape (1, 4)", "2 rows"]),
        ({"x": X[:0], "y": Y[:0]}, ["x has shape (0, 4)", "2 rows"]),
        ({"x": X.astype(complex), "y": Y}, ["x is of type complex128", "numbers"]),
        ({"x": X.astype(str), "y": Y}, ["x is of type <U", "numbers"]),
        ({"x": X.astype("datetime64[s]"), "y": Y}, ["x is of type datetime64[s]"]),
        ({"x": NAN, "y": Y[:3]}, ["x[1, 1] = nan", "not finite"]),
        ({"x": -1 / np.where(NAN == 4, 0.5, np.inf) * 1e39, "y": Y[:3]}, ["x[2, 0] = -2e+39"]),
        ({"x": X, "y": Y[:3]}, ["x has 4 rows and y has 3"]),
        ({"x": X, "y": np.zeros((4, 2, 2))}, ["y has shape (4, 2, 2)"]),
        ({"x": X, "y": np.zeros((4, 0))}, ["y has shape (4, 0)"]),
        ({"x": X, "y": np.array([["a", "b"]] * 4)}, ["y has shape (4, 2)"]),
        ({"x": X, "y": Y.astype(complex)}, ["y is of type complex128"]),
        ({"x": X, "y": np.array([0, 1, np.inf, 0])}, ["y holds a value that is not finite"]),
        ({"x": X, "y": np.zeros(4, dtype=int)}, ["y holds only one value"]),
        ({"x": np.eye(101), "y": np.arange(101).astype(str)}, ["101 different words"]),
    ],
)
def test_what_is_wrong_with_the_arrays_is_one_sentence(tmp_path, members, expected):
    with zipfile.ZipFile(tmp_path / "my.npz", "w") as archive:
        for name, array in members.items():
            archive.writestr(f"{name}.npy", npy(array))
    sentence = said({"file": str(tmp_path / "my.npz")})
    assert "my.npz" in sentence
    assert all(word in sentence for word in expected), sentence


@pytest.mark.filterwarnings("default")
def test_an_array_that_python_2_wrote_is_read_without_a_warning(tmp_path, recwarn):
    old = npy(np.arange(8.0).reshape(4, 2)).replace(b"(4, 2), }  ", b"(4L, 2L), }")
    with zipfile.ZipFile(tmp_path / "my.npz", "w") as archive:
        archive.writestr("x.npy", old)
        archive.writestr("y.npy", npy(np.array([0, 1, 0, 1])))
    assert load({"file": str(tmp_path / "my.npz")}).rows == 4
    assert not recwarn.list


def test_objects_are_never_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "my.npz", x=np.array([Harmful(), 1], dtype=object), y=Y)
    assert "x holds Python objects" in said({"file": str(tmp_path / "my.npz")})
    write(tmp_path / "other.npz", pickle.dumps(Harmful()))
    assert "not an npz archive" in said({"file": str(tmp_path / "other.npz")})
    assert not (tmp_path / "unpickled").exists()


def test_an_array_too_large_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_files, "MAX_BYTES", 1000)
    np.savez_compressed(tmp_path / "my.npz", x=np.zeros((500, 500)), y=np.arange(500))
    assert "x has 2 MB" in said({"file": str(tmp_path / "my.npz")})


def test_a_csv_too_large_is_refused(tmp_path, monkeypatch):
    file = write(tmp_path / "my.csv", GOOD)
    monkeypatch.setattr(csv_text, "MAX_VALUES", 3)
    assert "more than 3 values" in said({"file": file, "target": "y"})
    monkeypatch.setattr(csv_text, "MAX_BYTES", 10)
    assert "at most 0 MB are read" in said({"file": file, "target": "y"})


def archive_bytes():
    stream = io.BytesIO()
    np.savez_compressed(stream, x=X, y=Y)
    return stream.getvalue()


@settings(max_examples=300)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(archive_bytes()) - 1), st.integers(0, 255)), max_size=4
    ),
    length=st.integers(0, len(archive_bytes())) | st.none(),
)
@pytest.mark.filterwarnings("ignore:Reading `.npy`")
def test_a_damaged_npz_is_read_or_refused_and_nothing_else(folder, changes, length):
    broken = bytearray(archive_bytes())
    for place, byte in changes:
        broken[place] = byte
    file = write(folder / "broken.npz", bytes(broken[:length]))
    try:
        data = load({"file": file})
    except ConfigError:
        return
    assert data.x.shape == X.shape


@settings(max_examples=300)
@given(header=st.binary(max_size=20), body=st.binary(max_size=40))
def test_any_bytes_as_a_csv_are_read_or_refused_and_nothing_else(folder, header, body):
    file = write(folder / "bytes.csv", header + b",y\n1,2\n3,4\n" + body)
    try:
        data = load({"file": file, "target": "y"})
    except ConfigError:
        return
    assert data.rows >= 2


def test_files_that_cannot_be_read_are_one_sentence_each(tmp_path):
    good = write(tmp_path / "flowers.csv", GOOD)
    near = said({"file": str(tmp_path / "flower.csv"), "target": "y"})
    assert "does not exist" in near
    assert f"did you mean '{good}'?" in near
    assert said({"file": str(tmp_path / "zzz.npz")}).endswith("does not exist")
    assert said({"file": str(tmp_path / "no" / "zzz.npz")}).endswith("does not exist")
    assert "should be a .csv or a .npz" in said({"file": write(tmp_path / "a.txt", "")})
    (tmp_path / "folder.csv").mkdir()
    assert "not a file that holds rows" in said({"file": str(tmp_path / "folder.csv")})
    assert r"a\x00.csv' cannot be read" in said({"file": "a\0.csv"})
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    assert "Too many levels of symbolic links" in said({"file": str(tmp_path / "loop.csv")})
    assert "File name too long" in said({"file": "a" * 5000 + ".csv"})
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    wrong = said({"file": str(tmp_path / "a.npz"), "target": "label"})
    assert "data.target = 'label' is for a csv" in wrong


def test_one_hot_rows_are_classes_however_they_are_stored(tmp_path):
    labels = np.arange(12) % 3
    for kind in ("?", "u1", "f4"):
        np.savez(tmp_path / "a.npz", x=np.eye(12), y=np.eye(4)[labels].astype(kind))
        data = load({"file": str(tmp_path / "a.npz")})
        assert data.classes == 4
        assert data.y.tolist() == labels.tolist()


def test_a_line_that_a_damaged_file_cuts_short_is_told_all_the_same():
    """Odd bytes may end a line for csv and not for pandas, which then found the fault."""
    text = SimpleNamespace(names=["a", "b"])
    fault = csv_files.Fault("b", "text", 0)
    assert csv_files.worded(fault, text, {0: (3, ["1"])}) == "column 'b' holds text ('' in line 3)"
