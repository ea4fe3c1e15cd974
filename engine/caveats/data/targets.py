"""Decides whether the target of a user's file holds classes or numbers.

With data.task = "auto" words, booleans and one-hot rows are classes. Numbers are classes only when
they are whole (3.0 is), when there are few of them (at most `FEW` distinct ones, or `MAX_CLASSES`
that run from 0 or 1 without a gap), and when each stands for two rows or more on average. All other
numbers are numbers, for regression. Words that are almost all written numbers are refused.
Classes are relabelled 0..k-1 in sorted order, words in the order of their code points.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from caveats.data.dataset import fits_float32
from caveats.errors import ConfigError, visible

__all__ = ["MAX_CLASSES", "as_number", "classes_or_numbers", "mostly_numbers", "typed", "written"]

MAX_CLASSES = 100
FEW = 20
MOSTLY = 0.8  # with this share of numbers, the other cells are taken for mistakes

Array = npt.NDArray[Any]
Target = tuple[npt.NDArray[np.int64] | npt.NDArray[np.float32], int | None]

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
CURRENCY = "$€£¥₹"
THOUSANDS = re.compile(r"\d{1,3}([,.'’ \u00a0\u202f]\d{3})+")
DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([T ].*)?|\d{1,2}:\d{2}(:\d{2})?")
# A number, perhaps with a unit behind it; "1st" is a word.
MEASURE = re.compile(
    r"([+-]?[\d.,'’ \u00a0\u202f]*\d)\s*(?!st$|nd$|rd$|th$)([^\W\d]{1,4}[²³]?|[%°]C?)?"
)


def as_number(cell: str) -> float | None:
    try:
        # float() also accepts 1_000, which is a name rather than a number.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def written(text: str) -> str | None:
    """How a cell should be written to be read as a number: "133461" for "$133,461". None for a
    word."""
    bare = text.strip().strip(CURRENCY).strip()
    if DATE.fullmatch(bare):
        return "a number, such as days since the first date,"
    found = MEASURE.fullmatch(bare)
    if found is None:
        return None
    digits = found[1].replace(" ", "\u00a0")
    if THOUSANDS.fullmatch(digits.lstrip("+-")) and as_number(digits) is None:
        return re.sub(r"[^\d+-]", "", digits)
    point = max(digits.rfind("."), digits.rfind(","))  # the last one; those before it group digits
    whole, decimals = re.sub(r"[^\d+-]", "", digits[: max(point, 0)]), digits[point + 1 :]
    plain = f"{whole or 0}.{decimals}" if point >= 0 else digits
    return plain if as_number(plain) is not None else None


def mostly_numbers(texts: Sequence[str]) -> bool:
    """Whether almost all of the texts are numbers, or are meant as such: "133,461", "12 kg"."""
    counted = sum(as_number(text) is not None or written(text) is not None for text in texts)
    return counted > 0 and counted >= MOSTLY * len(texts)


def typed(texts: Sequence[str], column: str, at: Callable[[int], str], task: str) -> Array:
    """The target as integers if all cells are written as integers, else as floats if all are
    numbers, else as words. ``at`` gives the place of a row, such as "my.csv: line 3".

    Raises:
        ConfigError: for a cell that is not a number in a target of numbers.
    """
    if all(map(INTEGER.fullmatch, texts)):
        return np.array([int(text) for text in texts], dtype=np.int64)
    numbers = [as_number(text) for text in texts]
    if None not in numbers:
        return np.array(numbers, dtype=np.float64)
    numeric = task == "regression" or (task == "auto" and mostly_numbers(texts))
    if not numeric:
        return np.array(texts, dtype=object)
    row = numbers.index(None)
    said = f"{at(row)} has '{visible(texts[row])[:40]}' in column '{column}', a target of numbers"
    better = written(texts[row]) or "a number"
    end = "" if task == "regression" else ", or data.task = 'classification' if they are classes"
    raise ConfigError(f"{said}: write {better} instead{end}")


def classes_or_numbers(values: Array, where: str, task: str = "auto") -> Target:
    """``y`` and its number of classes (None for regression).

    ``values`` (rows,) or (rows, targets) are bools, integers, floats or text. Text may be an array
    of objects, so that one long word does not make every entry as wide.

    Raises:
        ConfigError: starting with ``where``, if there is only one value, if there are too many
            classes, if ``task`` does not allow the values, or if float32 cannot hold a number.
    """
    words = values.dtype.kind in "USO"
    if words and task == "regression":
        raise ConfigError(f"{where} holds words, but data.task = 'regression' needs numbers")
    if not words and not fits_float32(values):
        raise ConfigError(f"{where} holds a value that is not finite as float32")
    if values.ndim == 2 and task != "regression" and is_one_hot(values):
        return values.argmax(axis=1).astype(np.int64), values.shape[1]
    if values.ndim == 1:
        if (values == values[0]).all():
            raise ConfigError(f"{where} holds only one value: there is nothing to learn")
        if words or task == "classification" or (task == "auto" and are_labels(values)):
            return labelled(values, where)
    elif task == "classification":
        raise ConfigError(
            f"{where} has {values.shape[1]} columns of numbers, but data.task = 'classification' "
            "needs one column of classes, or one-hot rows"
        )
    return values.reshape(len(values), -1).astype(np.float32, order="C"), None


def is_one_hot(values: Array) -> bool:  # (rows, columns)
    return bool(
        values.shape[1] > 1
        and ((values == 0) | (values == 1)).all()
        and (values.sum(axis=1) == 1).all()
        and values.any(axis=0).sum() > 1
    )


def is_whole(values: Array) -> bool:
    return values.dtype.kind in "biu" or bool((values == np.floor(values)).all())


def are_labels(values: Array) -> bool:
    """Whether numbers are whole, few and repeated."""
    if values.dtype.kind == "b":
        return True
    if not is_whole(values):
        return False
    distinct = np.unique(values)
    count = len(distinct)
    gapless = distinct[0] in (0, 1) and distinct[-1] - distinct[0] == count - 1
    return count <= (MAX_CLASSES if gapless else FEW) and 2 * count <= len(values)


def labelled(values: Array, where: str) -> Target:
    kind = "words" if values.dtype.kind in "USO" else "numbers"
    if kind == "numbers" and not is_whole(values):
        odd = values[values != np.floor(values)][0]
        raise ConfigError(f"{where} holds {odd:g}, but classes are words or whole numbers")
    distinct, labels = np.unique(values, return_inverse=True)
    if len(distinct) > MAX_CLASSES:
        raise ConfigError(
            f"{where} holds {len(distinct):,} different {kind}: use at most {MAX_CLASSES} classes, "
            "or a target that holds only numbers"
        )
    return labels.astype(np.int64), len(distinct)
