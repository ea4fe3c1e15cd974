"""Verdicts on numbers near the limits of a float: no numpy warning, and readable sentences."""

import math
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from histories import LN10, history

from caveats.config import RunConfig
from caveats.facts import OptimizerFacts, RunFacts
from caveats.history import History
from caveats.run import Run
from caveats.verdicts import judge


def judged(**changes):
    run = Run(RunConfig().changed({key.replace("__", "."): v for key, v in changes.items()}))
    while not run.finished:
        run.advance()
    return run, judge(run.history)


def test_a_loss_that_is_infinite_from_the_start_is_judged_without_a_warning():
    # Outputs of 1e37 and more, of which the loss adds 512; warnings are errors here.
    run, verdicts = judged(
        network__widths=[], network__init={"name": "normal", "std": 3e36}, training__steps=5
    )

    assert run.step == 0
    assert run.history.snapshot().scalar("loss")[0] == float("inf")
    assert all(verdict.what for verdict in verdicts)


@pytest.mark.parametrize("lr", [30.0, 1e6, 1e18])
def test_no_sentence_holds_a_number_of_many_digits(lr):
    _, verdicts = judged(optimizer__lr=lr, training__steps=40)

    assert any(v.severity == "critical" for v in verdicts)
    for verdict in verdicts:
        for text in (verdict.what, verdict.why):
            assert not re.search(r"\d{6}", text.replace(",", "")), text


def test_a_loss_far_below_zero_is_judged():
    # The negative log-likelihood of a density: exp of it is more than a float holds.
    made = history(lambda step: -1000.0 - step, baseline=math.nan, accuracy=math.nan)

    assert all(verdict.what for verdict in judge(made))


@pytest.mark.parametrize("units", [0.0, -0.0, -1.0, math.nan, math.inf, 1e300])
@pytest.mark.parametrize("column", ["units", "dead", "dormant", "saturated", "distinct"])
def test_numbers_of_units_that_no_network_has_are_judged(column, units):
    for others in ({}, {"units": 0.0}, {"spread": 0.0}):
        change = {name: np.full(4, value) for name, value in {**others, column: units}.items()}
        made = history(lambda step: LN10, change=change)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")

            assert all(verdict.what for verdict in judge(made))


@pytest.mark.parametrize(
    "optimizer",
    [
        OptimizerFacts("momentum", 0.1, False, momentum=1.0),  # torch's SGD accepts it
        OptimizerFacts("adam", 0.1, True, betas=(1.0, 1.0)),
        OptimizerFacts("adam", math.nan, True),
        OptimizerFacts("sgd", math.inf, False),
        OptimizerFacts("nobody's", -1.0, False),
    ],
)
def test_optimizers_with_odd_numbers_are_judged(optimizer):
    made = history(lambda step: LN10)
    made.facts = replace(made.facts, optimizer=optimizer, remedies=None)

    assert all(verdict.what for verdict in judge(made))


def test_a_history_without_layers_is_judged():
    made = History((), facts=RunFacts(LN10, 10))
    for step in range(12):
        made.append(step, {"loss": LN10}, {})

    assert all(verdict.what for verdict in judge(made))
