"""Decides whether the target of a user's file holds classes or numbers.

Words are classes. Whole numbers written as such ("3" in a csv, an integer or bool array in an npz)
are classes if there are at most `MAX_CLASSES` distinct values. Everything else is numbers, for
regression. To use a few whole numbers as numbers, write them as 3.0 (in an npz: store floats).
Classes are relabelled 0..k-1 in sorted order, words in the order of their code points.
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
    """``y`` and its number of classes (None for regression).

    ``values`` (rows,) or (rows, targets) are bools, integers, floats or text. Text may be an array
    of objects, so that one long word does not make every entry as wide.

    Raises:
        ConfigError: starting with ``where``, if there is only one value, if there are too many
            words, or if float32 cannot hold a number.
    """
    words = values.dtype.kind in "USO"
    if words or (values.dtype.kind in "biu" and values.ndim == 1):
        distinct, labels = np.unique(values, return_inverse=True)
        if len(distinct) == 1:
            raise ConfigError(f"{where} holds only one value: there is nothing to learn")
        if len(distinct) <= MAX_CLASSES:
            return labels.astype(np.int64), len(distinct)
        if words:
            raise ConfigError(
                f"{where} holds {len(distinct):,} different words: use at most {MAX_CLASSES} "
                "classes, or a target that holds only numbers"
            )
    numbers = values.reshape(len(values), -1)
    if not fits_float32(numbers):
        raise ConfigError(f"{where} holds a value that is not finite as float32")
    return numbers.astype(np.float32, order="C"), None
