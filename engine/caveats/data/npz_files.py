"""Reads an .npz with the arrays x and y. It never unpickles, so a file cannot run code here."""

from __future__ import annotations

import math
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from caveats.data.dataset import FLOAT32_MAX, Dataset, fits_float32, prepared
from caveats.data.targets import classes_or_numbers
from caveats.errors import ConfigError, nearest, visible

__all__ = ["MAX_BYTES", "read_npz"]

# 60,000 images of 28×28 as float64 are 376 MB; loading takes about 2.5 times as much.
MAX_BYTES = 1_000_000_000

Array = npt.NDArray[Any]


def read_npz(path: Path, *, task: str, standardize: bool) -> Dataset:
    """The data set in ``x`` (rows, features) and ``y`` (rows,) or (rows, targets).

    ``x`` may also be images (rows, height, width, ...), which are flattened in C order and
    standardized with one mean and deviation. `caveats.data.targets` says whether ``y`` holds
    classes or numbers.

    Raises:
        ConfigError: for a broken file, a missing array, or a wrong shape, type, size or value.
        OSError: for a file that cannot be read.
    """
    shown = visible(path)
    x, y = (member(path, key) for key in ("x", "y"))
    if x.dtype.kind not in "biuf":
        raise ConfigError(f"{shown}: x is of type {visible(x.dtype)}, but should be numbers")
    if x.ndim < 2:
        raise ConfigError(f"{shown}: x has shape {x.shape}, but should be (rows, features)")
    images = x.ndim > 2
    x = x.reshape(len(x), math.prod(x.shape[1:]))
    if x.shape[0] < 2 or x.shape[1] < 1:
        raise ConfigError(f"{shown}: x has shape {x.shape}: use at least 2 rows and 1 feature")
    if y.dtype.kind not in "biufUS":
        raise ConfigError(
            f"{shown}: y is of type {visible(y.dtype)}, but should be numbers or words"
        )
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim not in (1, 2) or y.size == 0 or (y.ndim == 2 and y.dtype.kind in "US"):
        raise ConfigError(
            f"{shown}: y has shape {y.shape}, but should be (rows,), or (rows, targets) of numbers"
        )
    if len(x) != len(y):
        raise ConfigError(f"{shown}: x has {len(x):,} rows and y has {len(y):,}")
    check_finite(x, shown)
    labels, classes = classes_or_numbers(y, f"{shown}: y", task)
    inputs = prepared(x, standardize=standardize, pixels=images)
    return Dataset(visible(path.name), inputs, labels, classes, "y", pixels=images)


def member(path: Path, key: str) -> Array:
    """One array of the archive, its size checked before any of it is unpacked."""
    shown = visible(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
            if key not in names:
                end = nearest(key, [visible(name) for name in names]) if names else "it holds none"
                raise ConfigError(f"{shown} has no array {key!r}, but needs x and y: {end}")
            size = archive.getinfo(f"{key}.npy").file_size
            if size > MAX_BYTES:
                raise ConfigError(
                    f"{shown}: {key} has {size / 1e6:,.0f} MB, but at most "
                    f"{MAX_BYTES / 1e6:,.0f} MB are read"
                )
            with archive.open(f"{key}.npy") as stream, warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that Python 2 has written it
                return np.lib.format.read_array(stream, allow_pickle=False)
    except (ConfigError, OSError):
        raise
    except zipfile.BadZipFile:
        raise ConfigError(
            f"{shown} is not an npz archive: write one with numpy.savez(file, x=x, y=y)"
        ) from None
    except Exception as error:
        # zipfile, zlib and numpy raise a dozen types over bytes that are broken or meant to harm.
        if "allow_pickle" in str(error):
            raise ConfigError(
                f"{shown}: {key} holds Python objects, which are never unpickled: store numbers"
            ) from None
        raise ConfigError(f"{shown}: {key} cannot be read: {visible(error)}") from None


def check_finite(x: Array, shown: str) -> None:
    if not fits_float32(x):
        wrong = ~(np.abs(x) <= FLOAT32_MAX)
        row, column = (int(index) for index in np.argwhere(wrong)[0])
        raise ConfigError(
            f"{shown}: x[{row}, {column}] = {x[row, column]} is not finite as float32"
        )
