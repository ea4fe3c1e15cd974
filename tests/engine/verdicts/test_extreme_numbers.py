"""Verdicts on numbers near the limits of a float: no numpy warning, and readable sentences."""

import re

import pytest

from caveats.config import RunConfig
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
