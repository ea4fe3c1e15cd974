"""A loaded data set, and how raw inputs are prepared for it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from caveats.data.catalogue import Task
from caveats.documents import short

__all__ = ["FLOAT32_MAX", "Dataset", "fits_float32", "prepared"]

Array = npt.NDArray[Any]

FLOAT32_MAX = float(np.finfo(np.float32).max)
SHOWN_CLASSES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Rows to learn from, complete and in memory. Its arrays become read-only.

    ``x`` is (rows, features) float32. With ``classes`` = k, ``y`` is (rows,) int64 from 0 to
    k - 1; with None it is (rows, targets) float32, for regression. ``torch.from_numpy`` warns of
    arrays that cannot be written to: take ``torch.tensor``, which copies. ``target`` is the
    name of the target; ``remark`` says which rows were left out.

    ``held_out`` are the inputs and targets of rows that are not trained on, of the same kinds.
    ``target_mean`` and ``target_std`` (targets,) were subtracted from the targets and divided out
    of them; None for targets as they were read. ``pixels`` says that all features share one scale.
    """

    name: str
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64] | npt.NDArray[np.float32]
    classes: int | None
    target: str = "target"
    remark: str = ""
    held_out: tuple[Array, Array] | None = None
    target_mean: npt.NDArray[np.float64] | None = None
    target_std: npt.NDArray[np.float64] | None = None
    pixels: bool = False

    def __post_init__(self) -> None:
        for array in (self.x, self.y, *(self.held_out or ())):
            array.flags.writeable = False

    @property
    def task(self) -> Task:
        return "regression" if self.classes is None else "classification"

    @property
    def rows(self) -> int:
        return len(self.x)

    @property
    def features(self) -> int:
        return int(self.x.shape[1])

    @property
    def crc32(self) -> int:
        """A checksum by which a kept run recognises its data: over the bytes of ``x``, then of
        ``y``, then of the rows held out."""
        found = 0
        for array in (self.x, self.y, *(self.held_out or ())):
            found = zlib.crc32(array.tobytes(), found)
        return found

    @property
    def raw_y(self) -> Array:
        """All targets as they were read, those of the rows held out last."""
        y = np.concatenate((self.y, self.held_out[1])) if self.held_out else self.y
        if self.target_mean is None or self.target_std is None:
            return y
        found: Array = y * self.target_std + self.target_mean
        return found

    @property
    def outputs(self) -> int:
        """Units of the output layer that this data needs: one for each class or target."""
        return int(self.y.shape[1]) if self.classes is None else self.classes

    @property
    def target_told(self) -> str:
        """How the target was read: "species: 3 classes, 50 50 50", "price: numbers, 424,000 ±
        151,000"."""
        if self.classes is None:
            columns = f"{self.outputs} columns of " if self.outputs > 1 else ""
            y = self.raw_y
            mean, spread = float(y.mean(dtype=float)), float(y.std(dtype=float))
            kind = f"{columns}numbers, {short(mean)} ± {short(spread)}"
            kind += ", standardized" * (self.target_mean is not None)
        else:
            counts = np.bincount(self.raw_y, minlength=self.classes)
            shown = " ".join(f"{count:,}" for count in counts)
            if self.classes > SHOWN_CLASSES:
                shown = f"{counts.min():,} to {counts.max():,} rows each"
            kind = f"{self.classes} classes, {shown}"
        return f"{self.target}: {kind}" + f"; {self.remark}" * bool(self.remark)


def fits_float32(values: Array) -> bool:
    """Whether every number is finite as float32; ``values`` is not empty."""
    # min and max need no temporary, and a NaN makes both comparisons false. As Python floats:
    # float16 would overflow on the limit.
    return float(values.min()) >= -FLOAT32_MAX and float(values.max()) <= FLOAT32_MAX


def prepared(x: Array, *, standardize: bool, pixels: bool = False) -> npt.NDArray[np.float32]:
    """Inputs in the form that a network takes: (rows, features) float32, C-contiguous, a copy.

    With ``standardize`` each feature has mean 0 and standard deviation 1 over all rows (the
    population's, divided by n); a feature that never changes becomes 0. ``pixels`` share one mean
    and one deviation over all features, as is usual for images: otherwise a pixel that is lit in
    one image of a thousand could reach 40 deviations.
    """
    if not standardize:
        return np.array(x, dtype=np.float32, order="C")
    if pixels:
        return one_scale(x)
    # A column at a time: whole-array temporaries would be five times the data in float64.
    out = np.empty(x.shape, dtype=np.float32)
    for index in range(x.shape[1]):
        out[:, index] = standardized(x[:, index].astype(np.float64))
    return out


def one_scale(x: Array) -> npt.NDArray[np.float32]:  # (rows, pixels)
    mean = x.mean(dtype=np.float64)
    out: npt.NDArray[np.float32] = np.subtract(
        x, mean, dtype=np.float32, casting="unsafe", order="C"
    )
    spread = float(np.sqrt(np.einsum("rp,rp->", out, out, dtype=np.float64) / out.size))
    if spread:
        out /= spread
    return out


def standardized(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:  # (rows,)
    if column.min() == column.max():
        return np.zeros_like(column)
    # Scale to 1 first: half of the smallest number is 0, and so is the square of 1e-200.
    centred: npt.NDArray[np.float64] = column / np.abs(column).max()
    # Twice, because the mean of large numbers that hardly differ is wrong by about as much.
    centred -= centred.mean()
    centred -= centred.mean()
    centred /= np.abs(centred).max()
    centred /= centred.std()
    return centred
