"""Real tables that Python packages ship: scikit-learn, statsmodels and vega_datasets.

They were chosen before any network was trained on them. A quarter of the rows of each is kept out,
to see whether what can be learnt holds for rows that nobody was trained on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.api as sm
from sklearn import datasets
from vega_datasets import local_data

__all__ = ["TABLES", "Table", "table"]

Array = npt.NDArray[Any]
Raw = tuple[Array, Array]

MOST_ROWS = 700


@dataclass(frozen=True)
class Table:
    """Training rows ``x``, ``y`` as they are in the package, and rows that are kept out."""

    name: str
    x: Array  # (rows, features)
    y: Array
    x_new: Array
    y_new: Array

    @property
    def task(self) -> str:
        return "classification" if self.y.dtype.kind == "i" else "regression"


def shipped(name: str, **more: Any) -> Raw:
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True, **more)
    return x, y


def frame(name: str) -> pd.DataFrame:
    return getattr(sm.datasets, name).load_pandas().data


def vega(name: str) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks pandas for what pandas deprecates
        return getattr(local_data, name)()


def columns(data: pd.DataFrame, names: str, target: str) -> Raw:
    data = data[[*names.split(), target]].dropna()
    y = data[target].to_numpy()
    return data[names.split()].to_numpy(dtype=float), y


def as_classes(found: Raw) -> Raw:
    return found[0], np.unique(found[1], return_inverse=True)[1].astype(np.int64)


def as_numbers(found: Raw) -> Raw:
    return found[0], found[1].astype(float)


def nines() -> Raw:
    """Whether a digit is a nine: one in ten is."""
    x, y = shipped("digits")
    return x, y == 9


def rare_tumours() -> Raw:
    """The benign tumours, and the first 20 malignant ones: one row in nineteen."""
    x, y = shipped("breast_cancer")
    kept = np.sort(np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:20]]))
    return x[kept], y[kept]


def affairs() -> Raw:
    data = frame("fair").assign(any=lambda d: d.affairs > 0)
    return columns(data, "rate_marriage age yrs_married children religious educ occupation", "any")


def schools() -> Raw:
    data = frame("star98").assign(above=lambda d: 100 * d.NABOVE / (d.NABOVE + d.NBELOW))
    names = "LOWINC PERASIAN PERBLACK PERHISP PERMINTE AVYRSEXP AVSALK PERSPENK PTRATIO PCTAF"
    return columns(data, f"{names} PCTCHRT PCTYRRND", "above")


def cars(target: str) -> Raw:
    data = vega("cars").assign(year=lambda d: d.Year.dt.year)
    names = "Cylinders Displacement Horsepower Weight_in_lbs Acceleration year"
    return columns(data, names, target)


def temperatures() -> Raw:
    data = vega("sf_temps")
    hour, day = data.date.dt.hour, data.date.dt.day_of_year
    return np.column_stack([hour, day]).astype(float), data.temp.to_numpy(dtype=float)


def barley() -> Raw:
    data = vega("barley")
    x = pd.get_dummies(data[["variety", "year", "site"]].astype(str)).to_numpy(dtype=float)
    return x, data["yield"].to_numpy(dtype=float)


def employment() -> Raw:
    names = "mining_and_logging construction manufacturing utilities information"
    return columns(vega("us_employment"), names, "retail_trade")


WEATHER = "precipitation temp_max temp_min wind"
ECONOMY = "realgdp realcons realgovt realdpi cpi m1 tbilrate unemp pop"

TABLES: dict[str, Callable[[], Raw]] = {
    "iris": lambda: as_classes(shipped("iris")),
    "wine": lambda: as_classes(shipped("wine")),
    "breast_cancer": lambda: as_classes(shipped("breast_cancer")),
    "digits": lambda: as_classes(shipped("digits")),
    "nines": lambda: as_classes(nines()),
    "rare_tumours": lambda: as_classes(rare_tumours()),
    "diabetes": lambda: as_numbers(shipped("diabetes", scaled=False)),
    "affairs": lambda: as_classes(affairs()),
    "schools": lambda: as_numbers(schools()),
    "investment": lambda: as_numbers(columns(frame("grunfeld"), "value capital year", "invest")),
    "economy": lambda: as_numbers(columns(frame("macrodata"), ECONOMY, "realinv")),
    "food": lambda: as_numbers(columns(frame("engel"), "income", "foodexp")),
    "travel": lambda: as_classes(columns(frame("modechoice"), "ttme invc invt gc hinc", "choice")),
    "election": lambda: as_classes(
        columns(frame("anes96"), "popul TVnews selfLR PID age educ income", "vote")
    ),
    "cars": lambda: as_numbers(cars("Miles_per_Gallon")),
    "origins": lambda: as_classes(cars("Origin")),
    "weather": lambda: as_classes(columns(vega("seattle_weather"), WEATHER, "weather")),
    "temperatures": lambda: as_numbers(temperatures()),
    "barley": lambda: as_numbers(barley()),
    "employment": lambda: as_numbers(employment()),
}


@cache
def table(name: str) -> Table:
    x, y = TABLES[name]()
    order = np.random.default_rng(0).permutation(len(x))[:MOST_ROWS]
    new, old = np.split(order, [len(order) // 4])
    return Table(name, x[old], y[old], x[new], y[new])
