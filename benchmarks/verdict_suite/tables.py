"""The tables that the second generator's networks learn: those that scikit-learn ships, and some
from its generators, with columns that are noise or repeat others.

A config names a table as ``data.file = "wine.npz"``; no such file exists, and `dataset` returns
what it would hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import datasets

from caveats.data import Dataset
from caveats.data.dataset import prepared
from caveats.data.targets import classes_or_numbers

__all__ = ["TABLES", "dataset"]

Array = npt.NDArray[Any]
Table = tuple[Array, Array]


def shipped(name: str, rows: int | None = None) -> Table:
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return x[:rows], y[:rows]


def classes(rows: int, columns: int, kinds: int, **more: Any) -> Table:
    """Points around corners of a cube: a fifth of the columns show the class, a fifth are mixtures
    of those, the rest are noise."""
    fifth = columns // 5
    made = datasets.make_classification(
        rows, columns, n_informative=fifth, n_redundant=fifth, n_classes=kinds, random_state=0,
        **more,
    )  # fmt: skip
    return made[0], made[1]


def hastie() -> Table:
    x, y = datasets.make_hastie_10_2(500, random_state=0)
    return x, y.astype(np.int64)


TABLES: dict[str, Callable[[], Table]] = {
    "iris": lambda: shipped("iris"),
    "wine": lambda: shipped("wine"),
    "breast_cancer": lambda: shipped("breast_cancer"),
    "diabetes": lambda: shipped("diabetes"),
    "digits": lambda: shipped("digits", 1000),
    "linnerud": lambda: shipped("linnerud"),
    "friedman": lambda: datasets.make_friedman1(400, 20, noise=0.5, random_state=0),
    "many_columns": lambda: datasets.make_regression(
        300, 60, n_informative=12, effective_rank=20, noise=1.0, random_state=0
    ),
    "three_classes": lambda: classes(450, 40, 3),
    "wider_than_long": lambda: classes(150, 200, 2),
    "rare_class": lambda: classes(500, 25, 2, weights=[0.85], class_sep=1.5),
    "sphere": hastie,
}


@cache
def made(name: str) -> Table:
    """The table of that name. Targets that are numbers are scaled to mean 0 and deviation 1."""
    x, y = TABLES[name]()
    if y.dtype.kind == "f":
        y = (y - y.mean(0)) / y.std(0)
    return x, y


@cache
def loaded(file: str, standardize: bool) -> Dataset:
    x, y = made(file.removesuffix(".npz"))
    targets, kinds = classes_or_numbers(y, file)
    return Dataset(file, prepared(x, standardize=standardize), targets, kinds)


def dataset(settings: Mapping[str, Any]) -> Dataset:
    """As `caveats.data.load`, for the settings of a config that names a table."""
    return loaded(settings["file"], settings["standardize"])
