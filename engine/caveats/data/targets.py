"""The rule that tells classes from numbers in the target of a user's file. It knows neither csv
nor npz.

A target of words is classes. A target of whole numbers written as such ("3" in a csv; an integer
or bool array in an npz) with at most `MAX_CLASSES` distinct values is classes. Everything else is
numbers, for regression: to have few whole numbers taken as numbers, write them as 3.0 (npz:
store floats). Classes are relabelled 0..k-1 in sorted order, words in that of their code points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from caveats.data.dataset import fits_float32
from caveats.errors import ConfigError

__all__ = ["MAX_CLASSES", "classes_or_numbers"]

MAX_CLASSES = 100

Target = tuple[npt.NDArray[np.int64] | npt.NDArray[np.float32], int | None]


def classes_or_numbers(values: npt.NDArray[Any], where: str) -> Target:
    """``y`` and its number of classes (None: regression), from values (rows,) or (rows, targets)
    of bool, integer, float or text (as objects too, which keeps one long word from widening all).

    Raises:
        ConfigError: starting with ``where``, for one value only, too many words, or a number that
            float32 cannot hold.
    """
    words = values.dtype.kind in "USO"
    if words or (values.dtype.kind in "biu" and values.ndim == 1):
        distinct, labels = np.unique(values, return_inverse=True)
        if len(distinct) == 1:
            raise ConfigError(f"{where} holds one value only: there is nothing to tell apart")
        if len(distinct) <= MAX_CLASSES:
            return labels.astype(np.int64), len(distinct)
        if words:
            raise ConfigError(
                f"{where} holds {len(distinct):,} different words: classes are at most "
                f"{MAX_CLASSES}, and a target of numbers holds nothing but numbers"
            )
    numbers = values.reshape(len(values), -1)
    if not fits_float32(numbers):
        raise ConfigError(f"{where} holds a value that is not finite as float32")
    return numbers.astype(np.float32, order="C"), None
