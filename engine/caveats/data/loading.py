"""Loads the `Dataset` that a [data] section describes: calls the generator or reads the file,
shifts and standardizes the inputs, holds rows out and standardizes the target.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from caveats.data.catalogue import DATASETS
from caveats.data.dataset import Dataset, prepared
from caveats.data.file_options import Reading
from caveats.data.files import read_file
from caveats.data.splitting import hold_out, standardize_target
from caveats.errors import ConfigError

__all__ = ["load"]


def load(settings: Mapping[str, Any], seed: int = 0) -> Dataset:
    """The data that a [data] section describes.

    ``settings`` is ``{"name": "moons", "n": 500, ...}``, with defaults for the other options, or
    ``{"file": "my.csv", "target": "price"}`` (see `caveats.data.file_options`); both take
    ``standardize``, True by default, ``standardize_target``, False by default, and ``validation``,
    the share of rows to hold out, which ``seed`` chooses. Equal settings give equal arrays. A loss
    that needs one-hot targets makes them itself.

    Raises:
        ConfigError: one sentence naming file, key, value and what is valid, or what is wrong with
            the file.
    """
    own = dict(settings)
    share, scaled = own.pop("validation", 0.0), own.pop("standardize_target", False)
    found = read(own)
    if share:
        found = hold_out(found, share, seed, standardize=own.get("standardize", True))
    return standardize_target(found) if scaled else found


def read(settings: Mapping[str, Any]) -> Dataset:
    """All rows, with their targets as they are."""
    own = dict(settings)
    if (file := own.pop("file", None)) is not None:
        return read_file(file, Reading.of(own))
    standardize = own.pop("standardize", True)
    choice = DATASETS.find(own.pop("name", None), "data.name")
    options: dict[str, Any] = choice.check(own, "data")
    check_classes(options)
    shift = options.pop("shift")
    x, y = choice.make(**options)
    x = prepared(x + shift, standardize=standardize, pixels=choice.pixels)
    # Ten even if only three digits are drawn: the network's shape depends on settings alone.
    classes = options.get("classes", choice.classes)
    y = y if classes else y.astype(np.float32)
    return Dataset(choice.name, x, y, classes, pixels=choice.pixels)


def check_classes(options: Mapping[str, Any]) -> None:
    if options.get("classes", 0) > options["n"]:
        raise ConfigError(
            f"data.n = {options['n']} is too small for data.classes = {options['classes']}: "
            "each class needs a row"
        )
    share = options.get("share")
    if share and share * options["n"] < 1:
        raise ConfigError(
            f"data.n = {options['n']} is too small for data.share = {share:g}: class 1 needs a "
            f"row, and so the data need {math.ceil(1 / share)}"
        )
