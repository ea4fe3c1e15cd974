"""Networks of other people that did not train, rebuilt: the program names what was wrong.

What is right for each was found by changing one thing and training again, not by the program.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.curing import curable
from caveats.run import Run
from caveats.verdicts import judge

HERE = Path(__file__).parent
FLAGGED = ("warning", "critical")
BOTH = {"data.standardize", "data.standardize_target"}
slow = pytest.mark.slow

# Which caveats rightly head the list. Scaling alone cures the first five; to `line`, a rate of 1e-5
# alone is a cure as well.
HEADLINES = [
    pytest.param("power4", {"unscaled_data"}, marks=slow),
    pytest.param("cubes", {"unscaled_data"}, marks=slow),
    pytest.param("housing", {"unscaled_data"}, marks=slow),
    pytest.param("unlike_columns", {"unscaled_data"}, marks=slow),
    ("prices", {"unscaled_data"}),
    ("line", {"step_too_large", "unscaled_data"}),
    ("logistic_tiny_step", {"step_too_small"}),
    ("xor", {"step_too_small", "underfitting"}),
]


def config_of(name):
    return RunConfig.read(HERE / f"{name}.toml")


def trained(config):
    run = Run(config)
    while not run.finished:
        run.advance()
    return run


@cache
def failed(name):
    return trained(config_of(name))


def flagged(run):
    return [v for v in judge(run.history) if v.severity in FLAGGED]


def gain(run):
    """The share of the way from the constant predictor to perfection."""
    loss = float(run.history.snapshot().scalar("loss")[-1])
    return (run.baseline - loss) / run.baseline if np.isfinite(loss) else -np.inf


def remedies(name):
    worst = curable(config_of(name), flagged(failed(name)))
    return [dict(r.change) for r in worst.next] if worst else []


def cures(name, change, learnable):
    """No warning left, and at least half of what can be learnt above a constant."""
    run = trained(config_of(name).changed(change))
    return not flagged(run) and gain(run) >= 0.5 * learnable


def by_least_squares(name):
    """R² of linear regression on the same rows: it can be learnt by a network too."""
    rows = failed(name).dataset
    x = np.column_stack([rows.x.astype(float), np.ones(rows.rows)])
    x /= np.abs(x).max(0)
    y = rows.y.astype(float)
    left = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return 1 - float((left**2).mean() / y.var())


@pytest.mark.parametrize(("name", "right"), HEADLINES)
def test_the_headline_names_what_is_wrong(name, right):
    verdicts = flagged(failed(name))
    assert verdicts, "nothing was said to be wrong"
    assert verdicts[0].caveat in right


@slow
@pytest.mark.parametrize("name", ["power4", "cubes"])
def test_scaling_both_alone_is_the_first_remedy_and_cures(name):
    first = remedies(name)[0]
    assert set(first) == BOTH
    assert cures(name, first, learnable=1.0)  # a power of x without noise


def test_scaling_the_price_alone_is_the_first_remedy_and_cures():
    first = remedies("prices")[0]
    assert first == {"data.standardize_target": True}
    assert cures("prices", first, by_least_squares("prices"))


@slow
def test_scaling_unlike_columns_alone_is_the_first_remedy_and_cures():
    """The two classes can be told apart almost without errors; a constant's loss is ln 2."""
    first = remedies("unlike_columns")[0]
    assert first == {"data.standardize": True}
    assert cures("unlike_columns", first, learnable=0.9)


def test_one_of_the_remedies_cures_the_line():
    assert by_least_squares("line") > 0.999
    assert any(cures("line", change, learnable=1.0) for change in remedies("line"))


@slow
def test_a_layer_that_raw_columns_killed_is_critical_and_counted_once():
    """8 of 8 units are dead on the probe set, every gradient is 0 and the loss is a constant's."""
    verdicts = judge(failed("dead_on_raw_columns").history)
    assert verdicts[0].severity == "critical"
    told = [v for v in verdicts if v.caveat == "dying_relu"]
    assert [v.severity for v in told] == ["critical"]
    counts = {found for v in told for found in re.findall(r"(\d+) of 8 units dead", v.what)}
    assert counts == {"8"}


def test_zeros_that_never_move_are_critical_however_rare_a_class_is():
    """Every gradient of the hidden layers is 0; the loss is four times a constant's."""
    verdicts = judge(failed("imbalanced_zeros").history)
    assert verdicts[0].severity == "critical"
