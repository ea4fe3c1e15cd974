"""A trial of other steps in a line of a log: writes it as JSON, and reads it back the same."""

from __future__ import annotations

import math
from typing import Any, get_args

from caveats.errors import visible
from caveats.facts import Origin, Trial, TriedStep

__all__ = ["BadTrialError", "read_trial", "trial_text"]

MOST = 100  # steps that were tried
LONGEST_NAME = 40  # of an optimizer


class BadTrialError(ValueError):
    """What stands in a line is no trial; the message says why."""


def trial_text(trial: Trial) -> str:
    """As a JSON object: ``steps``, and as ``tried`` a list for each of origin, optimizer, times the
    rate, first and last loss, and share learnt. Numbers have all their digits."""
    tried = ",".join(
        f'["{t.origin}","{t.optimizer}",' + ",".join(map(exact, numbers(t))) + "]"
        for t in trial.tried
    )
    return f'{{"steps":{trial.steps},"tried":[{tried}]}}'


def numbers(tried: TriedStep) -> tuple[float, float, float, float]:
    return tried.times, tried.first, tried.last, tried.learnt


def exact(value: float) -> str:
    if math.isnan(value):
        return "null"
    return repr(float(value)) if math.isfinite(value) else ("1e999" if value > 0 else "-1e999")


def read_trial(step: int, content: Any) -> Trial:
    """The trial at ``step`` that a line's ``content`` tells of.

    Raises:
        BadTrialError: for anything else.
    """
    steps = content.get("steps") if isinstance(content, dict) else None
    tried = content.get("tried") if isinstance(content, dict) else None
    if type(steps) is not int or not 0 < steps <= 2**53:
        raise BadTrialError("has a trial without a number of steps")
    if not isinstance(tried, list) or len(tried) > MOST:
        raise BadTrialError("has a trial without a list of what was tried")
    return Trial(step, steps, tuple(read_tried(one) for one in tried))


def read_tried(content: Any) -> TriedStep:
    if not isinstance(content, list) or len(content) != 6:
        raise BadTrialError("has a trial of something other than six values")
    origin, optimizer, *values = content
    if origin not in get_args(Origin) or not isinstance(optimizer, str):
        raise BadTrialError(f"has a trial from an unknown start: {visible(str(origin)[:40])}")
    times, first, last, learnt = (number(value) for value in values)
    return TriedStep(origin, visible(optimizer[:LONGEST_NAME]), times, first, last, learnt)


def number(value: Any) -> float:
    if value is None:
        return math.nan
    if type(value) is float or (type(value) is int and abs(value) < 2**53):
        return float(value)
    raise BadTrialError(f"has a trial with no number: {visible(str(value)[:40])}")
