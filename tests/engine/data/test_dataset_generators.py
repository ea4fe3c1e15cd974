"""Each generated set has the geometry that its name promises, and its seed decides every bit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveats.data import load
from caveats.data.catalogue import DATASETS
from caveats.data.generators import gaussian_teacher
from caveats.errors import ConfigError

GENERATED = [name for name in DATASETS if name != "digits"]
CLASSIFIED = [name for name in GENERATED if DATASETS[name].task == "classification"]


def raw(name, **options):
    return load({"name": name, "standardize": False, **options})


def test_moons_lie_on_two_half_circles():
    data = raw("moons", noise=0.0, n=400)
    upper, lower = data.x[data.y == 0], data.x[data.y == 1]
    assert np.allclose(np.hypot(*upper.T), 1, atol=1e-6)
    assert upper[:, 1].min() >= 0
    assert np.allclose(np.hypot(*(lower - [1, 0.5]).T), 1, atol=1e-6)
    assert lower[:, 1].max() <= 0.5


def test_circles_lie_on_the_two_radii():
    data = raw("circles", noise=0.0, n=400)
    radius = np.hypot(*data.x.T)
    assert np.allclose(radius[data.y == 0], 1, atol=1e-6)
    assert np.allclose(radius[data.y == 1], 0.5, atol=1e-6)


@pytest.mark.parametrize(("turns", "classes"), [(1.5, 2), (0.5, 3), (3.0, 5)])
def test_a_spirals_radius_grows_with_its_angle(turns, classes):
    data = raw("spirals", noise=0.0, n=600, turns=turns, classes=classes)
    radius = np.hypot(*data.x.T)
    expected = 2 * math.pi * (turns * radius + data.y / classes)
    found = np.arctan2(data.x[:, 1], data.x[:, 0])
    # Angles agree up to whole turns; multiplied by the radius, as the origin has no angle.
    off = radius * np.abs(np.exp(1j * found) - np.exp(1j * expected))
    assert off.max() < 1e-5
    assert radius.min() > 0
    assert radius.max() <= 1 + 1e-6
    # Even along the arm: a radius below r has the share r².
    assert abs((radius < 0.5).mean() - 0.25) < 3 * math.sqrt(0.25 * 0.75 / 600)


def test_xor_is_the_sign_of_the_product_in_balanced_quadrants():
    data = raw("xor", n=402)
    assert np.array_equal(data.y, (data.x[:, 0] * data.x[:, 1] < 0).astype(int))
    quadrants = np.unique(np.sign(data.x), axis=0, return_counts=True)[1]
    assert sorted(quadrants) == [100, 100, 101, 101]
    assert np.abs(data.x).max() <= 1


def test_blobs_without_noise_are_one_point_a_class_and_spread_by_the_noise():
    still = raw("blobs", noise=0.0, classes=5, features=3, n=50)
    for label in range(5):
        assert len(np.unique(still.x[still.y == label], axis=0)) == 1
    assert len(np.unique(still.x, axis=0)) == 5
    moved = raw("blobs", noise=0.7, classes=5, features=3, n=5000)
    centres = np.stack([still.x[still.y == label][0] for label in range(5)])
    spread = (moved.x - centres[moved.y]).std()
    assert abs(spread - 0.7) < 3 * 0.7 / math.sqrt(2 * 15_000)


@pytest.mark.parametrize(("name", "function"), [("abs", np.abs), ("sine", np.sin)])
def test_regression_targets_are_the_function_of_the_input(name, function):
    data = raw(name)
    assert data.y.shape == (1000, 1)
    assert np.allclose(data.y, function(data.x), atol=1e-6)


def test_abs_is_drawn_as_lu_2019_draws_it():
    x = raw("abs", n=50_000).x
    assert np.abs(x).max() <= math.sqrt(3)
    # Uniform on [-√3, √3]: variance 1, fourth moment 9/5.
    assert abs((x**2).mean() - 1) < 3 * math.sqrt((9 / 5 - 1) / 50_000)


def test_the_offset_moves_the_targets_alone():
    plain, moved = raw("sine"), raw("sine", offset=50.0)
    assert np.array_equal(plain.x, moved.x)
    assert np.allclose(moved.y - plain.y, 50, atol=1e-5)


def test_the_scale_multiplies_the_sine_alone():
    plain, scaled = raw("sine"), raw("sine", scale=2000.0, offset=300.0)
    assert np.array_equal(plain.x, scaled.x)
    assert np.allclose(scaled.y, 2000 * plain.y + 300, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("name", ["moons", "circles"])
@pytest.mark.parametrize(("n", "share"), [(500, 0.05), (1000, 0.1), (77, 0.3), (2, 0.5)])
def test_the_share_of_class_1_is_the_one_that_was_asked_for(name, n, share):
    data = load({"name": name, "n": n, "share": share})
    assert (data.y == 1).sum() == math.floor(share * n + 1e-9)


def test_gaussian_teacher_has_standard_normal_inputs_and_answers_by_its_input():
    x, y = gaussian_teacher(n=20_000, seed=3, classes=4, features=5)
    assert np.abs(x.mean(axis=0)).max() < 4 / math.sqrt(20_000)
    assert np.abs(np.cov(x.T) - np.eye(5)).max() < 4 * math.sqrt(2 / 20_000)
    # The label is a function of x: for most rows the nearest neighbour has the same label; by
    # chance one in four would.
    near = ((x[:400, None] - x[None, 400:4400]) ** 2).sum(axis=2).argmin(axis=1) + 400
    assert (y[:400] == y[near]).mean() > 0.6


@pytest.mark.parametrize(("features", "classes"), [(2, 2), (20, 2), (20, 4), (20, 10), (100, 10)])
def test_a_teachers_classes_come_out_within_a_tenth_of_even(features, classes):
    for seed in range(5):
        _, y = gaussian_teacher(n=1000, seed=seed, classes=classes, features=features)
        share = np.bincount(y, minlength=classes) * classes / 1000
        assert 0.9 <= share.min() <= share.max() <= 1.1


@pytest.mark.parametrize("name", [name for name in CLASSIFIED if name != "gaussian_teacher"])
@given(n=st.integers(2, 60), seed=st.integers(0, 2**63 - 1))
def test_classes_differ_by_at_most_one_row(name, n, seed):
    choice = DATASETS[name]
    classes = min(n, int(choice.defaults().get("classes", 2)))
    own = {"classes": classes} if "classes" in choice.defaults() and classes >= 2 else {}
    data = raw(name, n=n, seed=seed, **own)
    counts = np.bincount(data.y, minlength=data.classes)
    assert counts.sum() == n
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("name", GENERATED)
def test_the_seed_decides_every_bit(name):
    first, again = load({"name": name, "seed": 7}), load({"name": name, "seed": 7})
    other = load({"name": name, "seed": 8})
    assert first.x.tobytes() == again.x.tobytes()
    assert first.y.tobytes() == again.y.tobytes()
    assert first.x.tobytes() != other.x.tobytes()


@pytest.mark.parametrize("name", CLASSIFIED)
def test_rows_come_shuffled(name):
    # Sorted classes would change label once a class; shuffled ones do so hundreds of times.
    assert (np.diff(load({"name": name}).y) != 0).sum() > 300


@pytest.mark.parametrize(
    "name", [name for name in CLASSIFIED if "noise" in DATASETS[name].defaults()]
)
def test_noise_moves_the_same_points_by_its_standard_deviation(name):
    still, moved = raw(name, noise=0.0), raw(name, noise=0.1)
    assert np.array_equal(still.y, moved.y)
    off = (moved.x - still.x).astype(float)
    assert abs(off.std() - 0.1) < 4 * 0.1 / math.sqrt(2 * off.size)


@pytest.mark.parametrize("name", [name for name in GENERATED if DATASETS[name].task[0] == "r"])
def test_noise_of_regression_moves_targets_alone(name):
    still, moved = raw(name, noise=0.0), raw(name, noise=0.1)
    assert np.array_equal(still.x, moved.x)
    off = (moved.y - still.y).astype(float)
    assert abs(off.std() - 0.1) < 4 * 0.1 / math.sqrt(2 * off.size)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "moon"}, ["data.name = 'moon'", "did you mean 'moons'?"]),
        ({"name": 3}, ["data.name = 3"]),
        ({}, ["data.name"]),
        ({"name": "moons", "turns": 2.0}, ["data.turns", "'moons'", "valid are n, noise"]),
        ({"name": "spirals", "turn": 2.0}, ["data.turn ", "did you mean 'turns'?"]),
        ({"name": "moons", "n": 1}, ["data.n = 1", "at least 2"]),
        ({"name": "moons", "n": 10**9}, ["data.n = 1000000000", "at most 100000"]),
        ({"name": "moons", "noise": -0.1}, ["data.noise = -0.1", "at least 0"]),
        ({"name": "moons", "noise": math.nan}, ["data.noise = nan", "not finite"]),
        ({"name": "blobs", "classes": 1}, ["data.classes = 1", "at least 2"]),
        ({"name": "digits", "n": 1798}, ["data.n = 1798", "at most 1797"]),
        ({"name": "digits", "scale": 0.0}, ["data.scale = 0.0", "above 0"]),
        (
            {"name": "blobs", "n": 5, "classes": 6},
            ["data.n = 5", "data.classes = 6", "each class needs a row"],
        ),
        ({"name": "moons", "share": 0.6}, ["data.share = 0.6", "at most 0.5"]),
        ({"name": "moons", "n": 19, "share": 0.05}, ["data.n = 19", "data.share = 0.05", "20"]),
    ],
)
def test_a_wrong_setting_is_one_sentence(settings, words):
    with pytest.raises(ConfigError) as caught:
        load(settings)
    said = str(caught.value)
    assert all(word in said for word in words), said
    assert "\n" not in said
