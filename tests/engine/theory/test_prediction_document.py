"""The document that compares theory with measurements: means, errors, and missing numbers."""

import json
import math
import statistics

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.theory import Prediction, predict
from caveats.theory.document import QUANTITIES, prediction_document

NAMES = ("layer 1", "output")
CONFIG = RunConfig().changed({"network.widths": [30]})


def measured(seeds=4, **given):
    """(seeds, layers) of sizes that differ by powers of ten."""
    rng = np.random.default_rng(1)
    found = {
        "grad_norm": np.exp(rng.normal(-3, 2, (seeds, 2))),
        "delta_rms": np.exp(rng.normal(-30, 1, (seeds, 2))),
        "dead_fraction": rng.uniform(0, 1, (seeds, 2)),
    }
    return found | {key: np.array(values) for key, values in given.items()}


def predicted(**given):
    whole = {
        "grad_norm": np.array([0.2, 3.0]),
        "delta_rms": np.array([1e-12, 1e-13]),
        "dead_fraction": np.array([0.25, np.nan]),
        "band": (np.array([0.1, 2.0]), np.array([0.4, 4.5])),
    }
    return Prediction(**whole | given)


def document(prediction, taken, config=CONFIG):
    found = prediction_document(config, NAMES, 512, prediction, taken)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_means_spreads_and_errors_are_those_of_the_textbook():
    taken, prediction = measured(), predicted()
    found = document(prediction, taken)

    assert (found["seeds"], found["rows"], found["applies"]) == (4, 512, True)
    for index, layer in enumerate(found["layers"]):
        assert layer["name"] == NAMES[index]
        for quantity in ("grad_norm", "delta_rms"):
            values = taken[quantity][:, index].tolist()
            mean = statistics.geometric_mean(values)
            here = layer[quantity]
            assert here["predicted"] == getattr(prediction, quantity)[index]
            assert here["measured"] == pytest.approx(mean, rel=1e-12)
            spread = statistics.stdev(map(math.log10, values))
            assert here["spread"] == pytest.approx(spread, rel=1e-12)
            assert here["log10_error"] == pytest.approx(math.log10(here["predicted"] / mean))
        values = taken["dead_fraction"][:, index].tolist()
        assert layer["dead_fraction"]["measured"] == pytest.approx(statistics.mean(values))
        assert layer["dead_fraction"]["spread"] == pytest.approx(statistics.stdev(values))
    assert found["layers"][0]["grad_norm"]["band"] == [0.1, 0.4]
    worst = max(abs(layer["grad_norm"]["log10_error"]) for layer in found["layers"])
    assert found["worst_log10_error"]["grad_norm"] == worst
    assert found["nonfinite"] == []


def test_the_output_layer_has_no_predicted_dead_units_and_the_note_names_what_cannot_die():
    found = document(predicted(note="at step 0"), measured())
    dead = found["layers"][1]["dead_fraction"]
    assert (dead["predicted"], dead["log10_error"]) == (None, None)
    assert found["note"] == "at step 0"

    config = CONFIG.changed({"network.activation": "gelu"})
    none = predicted(note="at step 0", dead_fraction=np.array([np.nan, np.nan]))
    assert document(none, measured(), config)["note"] == "at step 0; units of gelu cannot die"


def test_one_seed_has_no_spread():
    layer = document(predicted(), measured(seeds=1))["layers"][0]
    assert [layer[quantity]["spread"] for quantity in QUANTITIES] == [None] * 3
    assert layer["grad_norm"]["log10_error"] is not None


def test_a_zero_is_measured_and_has_no_error():
    taken = measured(grad_norm=np.zeros((3, 2)), dead_fraction=np.zeros((3, 2)))
    found = document(predicted(), taken)
    for layer in found["layers"]:
        assert (layer["grad_norm"]["measured"], layer["grad_norm"]["log10_error"]) == (0, None)
        assert layer["dead_fraction"]["log10_error"] is None
    assert found["worst_log10_error"]["grad_norm"] is None


def test_what_overflowed_is_named():
    inf = math.inf
    taken = measured(grad_norm=[[inf, 1.0], [2.0, 3.0]], delta_rms=[[math.nan, 1.0], [1.0, 1.0]])
    found = document(predicted(delta_rms=np.array([inf, 1.0])), taken)
    first = found["layers"][0]
    assert (first["grad_norm"]["measured"], first["delta_rms"]["predicted"]) == (None, None)
    assert sorted(found["nonfinite"]) == [
        "layers.0.delta_rms.measured",
        "layers.0.delta_rms.predicted",
        "layers.0.grad_norm.measured",
    ]


def test_where_theory_does_not_apply_there_is_a_note_and_the_measurement():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 4)), rng.integers(0, 3, 20)
    config = CONFIG.changed({"network.dropout": 0.5})
    found = document(predict(config, x, y), measured(), config)

    assert not found["applies"]
    assert "dropout" in found["note"]
    for layer in found["layers"]:
        for quantity in QUANTITIES:
            assert layer[quantity]["predicted"] is None
            assert layer[quantity]["measured"] is not None
    assert set(found["worst_log10_error"].values()) == {None}


def test_an_explosion_is_told_with_its_layer():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 4)), rng.integers(0, 3, 20)
    config = CONFIG.changed({"network.init": {"name": "normal", "std": 1e30}})
    found = document(predict(config, x, y), measured(), config)

    assert found["explodes_at"] == "output"
    assert "beyond float range" in found["note"]
    assert found["layers"][0]["dead_fraction"]["predicted"] is not None
