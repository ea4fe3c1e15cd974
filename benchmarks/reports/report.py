"""What a rebuilt report is: where it is from, what was wrong, and the changes that show it.

A cause counts only if its own cure, alone, makes the network learn; `judging` trains every cure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Cure", "Report", "Rows", "change"]

Rng = np.random.Generator
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Rows to learn from. ``x_new``, ``y_new`` are further rows that no network is trained on."""

    x: Array  # (rows, features)
    y: Array
    x_new: Array | None = None
    y_new: Array | None = None


@dataclass(frozen=True)
class Cure:
    """One intervention: a change of the config or of the data, made by the suite and not by the
    program. ``without`` are settings that are left at their default."""

    change: Mapping[str, Any] = field(default_factory=dict)
    scaled_target: bool = False  # the target to mean 0 and deviation 1
    balanced: bool = False  # rows of rare classes repeated until all are equally many
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """``config`` is nested, without the file. ``causes`` holds each caveat that rightly names what
    was wrong, with the cure that shows it. ``rows`` draws the data; None where ``config`` names a
    data set that the program ships."""

    name: str
    kind: str
    url: str
    title: str
    wrong: str
    config: Mapping[str, Mapping[str, Any]]
    causes: Mapping[str, Cure]
    rows: Callable[[Rng], Rows] | None = None
    measure: str = "loss"  # or "balanced accuracy", or "new rows"


def change(**settings: Any) -> Cure:
    """A cure by settings: ``optimizer__lr=0.1`` means optimizer.lr."""
    return Cure({key.replace("__", "."): value for key, value in settings.items()})
