"""What `load` gives for any set: shapes, types, standardizing, the shipped digits, the table."""

import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from caveats.data import Dataset, load
from caveats.data.catalogue import DATASETS
from caveats.data.dataset import prepared


@pytest.mark.parametrize("name", DATASETS)
def test_every_set_of_the_table_loads_as_promised(name):
    data = load({"name": name})
    assert data.name == name
    assert data.task == DATASETS[name].task
    assert data.x.dtype == np.float32
    assert data.x.shape == (data.rows, data.features)
    assert data.x.flags.c_contiguous
    assert np.isfinite(data.x).all()
    if data.classes is None:
        assert data.y.dtype == np.float32
        assert data.y.shape == (data.rows, data.outputs)
    else:
        assert data.y.dtype == np.int64
        assert data.y.shape == (data.rows,)
        assert set(data.y) == set(range(data.outputs))
    for array in (data.x, data.y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("choice", DATASETS.values(), ids=lambda choice: choice.name)
def test_every_default_is_valid_and_every_maker_takes_its_options(choice):
    checked = choice.check(choice.defaults(), "data")
    assert checked == choice.defaults()
    del checked["shift"]
    x, y = choice.maker()(**checked)
    assert len(x) == len(y)
    assert choice.sentence.endswith(".")
    assert choice.source


def test_neither_the_table_nor_loading_imports_torch():
    code = "import sys, caveats.data as d; d.load({'name': 'digits'}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout.split()


def test_the_digits_are_the_uci_test_set():
    data = load({"name": "digits", "standardize": False})
    assert data.x.shape == (1797, 64)
    assert data.classes == 10
    assert (data.x.min(), data.x.max()) == (0, 16)
    assert np.array_equal(data.x, data.x.astype(int))
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert list(np.bincount(data.y)) == counts
    # Two facts that a permuted or altered copy would not have: the sum of all pixels (their known
    # mean 4.8842 times 115,008), and the rows of the first image, a zero.
    assert int(data.x.sum(dtype=float)) == 561718
    first = data.x[0].reshape(8, 8).astype(int).tolist()
    assert first[:3] == [
        [0, 0, 5, 13, 9, 1, 0, 0],
        [0, 0, 13, 15, 10, 15, 5, 0],
        [0, 3, 15, 2, 0, 11, 8, 0],
    ]
    assert data.y[:10].tolist() == list(range(10))


def test_the_digits_come_with_their_licence():
    text = (files("caveats") / "data" / "DIGITS_LICENSE.txt").read_text(encoding="utf-8")
    for fact in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0", "1,797"):
        assert fact in text


def test_n_takes_the_first_digits_and_keeps_ten_classes():
    everything = load({"name": "digits", "standardize": False})
    some = load({"name": "digits", "standardize": False, "n": 300})
    assert np.array_equal(some.x, everything.x[:300])
    assert np.array_equal(some.y, everything.y[:300])
    assert load({"name": "digits", "n": 3}).outputs == 10


def test_scale_comes_before_shift_and_standardizing_undoes_both():
    pixels = load({"name": "digits", "standardize": False}).x
    moved = {"name": "digits", "scale": 0.0625, "shift": 5.0}
    assert np.allclose(load({**moved, "standardize": False}).x, pixels / 16 + 5)
    assert np.allclose(load(moved).x, load({"name": "digits"}).x, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "digits"])
def test_shift_moves_raw_inputs_and_no_targets(name):
    plain = load({"name": name, "standardize": False})
    moved = load({"name": name, "standardize": False, "shift": 5.0})
    assert np.allclose(moved.x - plain.x, 5, atol=1e-5)
    assert np.array_equal(moved.y, plain.y)
    assert np.allclose(load({"name": name, "shift": 5.0}).x, load({"name": name}).x, atol=1e-5)


def test_standardized_digits_share_one_mean_and_one_deviation():
    raw = load({"name": "digits", "standardize": False}).x.astype(float)
    x = load({"name": "digits"}).x
    assert np.allclose(x, (raw - raw.mean()) / raw.std(), atol=1e-5)


def test_standardized_images_of_a_file_share_one_scale_and_blank_ones_become_0(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (20, 3, 4)).astype(np.uint8)
    for x in (images, np.full_like(images, 7)):
        np.savez(tmp_path / "images.npz", x=x, y=np.arange(20) % 2)
        loaded = load({"file": str(tmp_path / "images.npz")}).x
        flat = x.reshape(20, 12).astype(float)
        assert np.allclose(loaded, (flat - flat.mean()) / (flat.std() or 1), atol=1e-5)


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(2, 12), st.integers(1, 4)),
        elements=st.floats(-3e38, 3e38),
    )
)
def test_any_finite_column_standardizes_to_mean_0_and_variance_1(x):
    out = prepared(x, standardize=True).astype(float)
    for column, result in zip(x.T, out.T, strict=True):
        if column.min() == column.max():
            assert not result.any()
        else:
            assert abs(result.mean()) < 1e-6
            assert abs(result.var() - 1) < 1e-5


def test_preparing_never_hands_on_the_array_it_was_given():
    x = np.ones((3, 2), dtype=np.float32)
    assert not np.shares_memory(prepared(x, standardize=False), x)


def test_outputs_are_classes_or_targets():
    x = np.zeros((4, 2), dtype=np.float32)
    assert Dataset("a", x, np.zeros(4, dtype=np.int64), 3).outputs == 3
    assert Dataset("a", x, np.zeros((4, 2), dtype=np.float32), None).outputs == 2
