"""Reads an .npz of the arrays x and y. It knows no other format, and never unpickles: a file from
elsewhere cannot run code here.
"""

from __future__ import annotations

import math
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


def read_npz(path: Path, *, standardize: bool) -> Dataset:
    """``x`` (rows, features), or images (rows, height, width, ...) whose pixels are flattened in C
    order and standardized on one scale; ``y`` (rows,) or (rows, targets), taken by the rule of
    `caveats.data.targets`.

    Raises:
        ConfigError: for a broken file, an absent array, and a wrong shape, type, size or value.
        OSError: for a file that cannot be read.
    """
    shown = visible(path)
    x, y = (member(path, key) for key in ("x", "y"))
    if x.dtype.kind not in "biuf":
        raise ConfigError(f"{shown}: x is of type {visible(x.dtype)}, and should be numbers")
    if x.ndim < 2:
        raise ConfigError(f"{shown}: x has shape {x.shape}, and should be (rows, features)")
    images = x.ndim > 2
    x = x.reshape(len(x), math.prod(x.shape[1:]))
    if x.shape[0] < 2 or x.shape[1] < 1:
        raise ConfigError(f"{shown}: x has shape {x.shape}: two rows and a feature are the least")
    if y.dtype.kind not in "biufUS":
        raise ConfigError(
            f"{shown}: y is of type {visible(y.dtype)}, and should be numbers or words"
        )
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim not in (1, 2) or y.size == 0 or (y.ndim == 2 and y.dtype.kind in "US"):
        raise ConfigError(
            f"{shown}: y has shape {y.shape}, and should be (rows,), or (rows, targets) of numbers"
        )
    if len(x) != len(y):
        raise ConfigError(f"{shown}: x has {len(x):,} rows and y has {len(y):,}")
    check_finite(x, shown)
    labels, classes = classes_or_numbers(y, f"{shown}: y")
    inputs = prepared(x, standardize=standardize, pixels=images)
    return Dataset(visible(path.name), inputs, labels, classes)


def member(path: Path, key: str) -> Array:
    """One array of the archive, its size checked before any of it is unpacked."""
    shown = visible(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
            if key not in names:
                end = nearest(key, [visible(name) for name in names]) if names else "it holds none"
                raise ConfigError(f"{shown} has no array {key!r}, and needs x and y: {end}")
            size = archive.getinfo(f"{key}.npy").file_size
            if size > MAX_BYTES:
                raise ConfigError(
                    f"{shown}: {key} has {size / 1e6:,.0f} MB, and at most "
                    f"{MAX_BYTES / 1e6:,.0f} are read"
                )
            with archive.open(f"{key}.npy") as stream:
                return np.lib.format.read_array(stream, allow_pickle=False)
    except (ConfigError, OSError):
        raise
    except zipfile.BadZipFile:
        raise ConfigError(
            f"{shown} is no npz archive: write one with numpy.savez(file, x=x, y=y)"
        ) from None
    except Exception as error:
        # zipfile, zlib and numpy raise a dozen types over bytes that are broken or meant to harm.
        if "allow_pickle" in str(error):
            raise ConfigError(
                f"{shown}: {key} holds Python objects, and should be numbers (never unpickled)"
            ) from None
        raise ConfigError(f"{shown}: {key} cannot be read: {visible(error)}") from None


def check_finite(x: Array, shown: str) -> None:
    if not fits_float32(x):
        wrong = ~(np.abs(x) <= FLOAT32_MAX)
        row, column = (int(index) for index in np.argwhere(wrong)[0])
        raise ConfigError(
            f"{shown}: x[{row}, {column}] = {x[row, column]} is not finite as float32"
        )
