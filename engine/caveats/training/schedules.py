"""The schedules: how the learning rate changes with the step.

Every schedule is a function of the next step (from 0) and of the number of all steps. It returns
the factor by which the configured learning rate is multiplied.
"""

from __future__ import annotations

import math

from caveats.choice import Choice, Table

__all__ = ["SCHEDULES"]


def constant(step: int, steps: int) -> float:
    return 1.0


def linear(step: int, steps: int) -> float:
    return max(0.0, 1 - step / steps)


def cosine(step: int, steps: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def warmup(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / max(1, steps // 10))


SCHEDULES: Table[Choice] = Table(
    "schedule",
    Choice(
        "constant", lambda: constant,
        "The learning rate stays as it is.", "Robbins & Monro 1951",
        aliases=("none",),
    ),
    Choice(
        "linear", lambda: linear,
        "The learning rate falls in a straight line to 0 at the last step.",
        "Goyal et al. 2017",
        aliases=("linear_decay",),
    ),
    Choice(
        "cosine", lambda: cosine,
        "The learning rate falls along half a cosine to 0 at the last step.",
        "Loshchilov & Hutter 2017",
        aliases=("cosine_annealing", "cosine_decay"),
    ),
    Choice(
        "warmup", lambda: warmup,
        "The learning rate rises in a straight line over the first tenth of the steps.",
        "Goyal et al. 2017",
        aliases=("linear_warmup",),
    ),
)  # fmt: skip
