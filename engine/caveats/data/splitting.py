"""Holds rows out for validation, and standardizes a target of numbers: both after all rows were
read, with what is learnt from the training rows alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from caveats.data.dataset import Dataset
from caveats.errors import ConfigError

__all__ = ["hold_out", "standardize_target"]

Array = npt.NDArray[Any]


def hold_out(data: Dataset, share: float, seed: int, *, standardize: bool) -> Dataset:
    """``data`` with ``share`` of its rows moved to ``held_out``; ``seed`` chooses which.

    Of classes, each gives about its share and keeps a row at least. Inputs that were standardized
    over all rows are so again over the training rows that are left, and the others are moved and
    scaled with them.

    Raises:
        ConfigError: if fewer than two rows would be left to train on, or none held out.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    if data.classes is None:
        groups = [generator.permutation(data.rows)]
    else:
        groups = [generator.permutation(np.flatnonzero(data.y == k)) for k in range(data.classes)]
    counts = portions([len(group) for group in groups], share, data.classes is not None)
    apart = np.sort(np.concatenate([g[:n] for g, n in zip(groups, counts, strict=True)]))
    if not len(apart) or data.rows - len(apart) < 2:
        raise ConfigError(
            f"data.validation = {share:g} of the {data.rows} rows of {data.name} holds out "
            f"{len(apart)}: two rows at least must be left to train on, and one held out"
        )
    kept = np.setdiff1d(np.arange(data.rows), apart)
    x, other = data.x[kept], data.x[apart]
    if standardize:
        rescale(x, other, one_scale=data.pixels)
    words = f"{len(apart):,} of {data.rows:,} rows held out for validation"
    return replace(
        data,
        x=x,
        y=data.y[kept],
        held_out=(other, data.y[apart]),
        remark="; ".join(filter(None, (data.remark, words))),
    )


def portions(counts: list[int], share: float, keep_one: bool) -> list[int]:
    """How many of each group are held out: ``share`` of all together, each group its part as nearly
    as whole numbers allow (largest remainders first), and not the last of a group if
    ``keep_one``."""
    most = [max(0, count - keep_one) for count in counts]
    exact = [share * count for count in counts]
    found = [min(int(part), limit) for part, limit in zip(exact, most, strict=True)]
    left = max(1, round(share * sum(counts))) - sum(found)
    for index in sorted(range(len(counts)), key=lambda i: found[i] - exact[i]):
        if left > 0 and found[index] < most[index]:
            found[index] += 1
            left -= 1
    return found


def rescale(x: Array, other: Array, *, one_scale: bool) -> None:
    """Give ``x`` (rows, features) mean 0 and standard deviation 1 for each feature, or over all of
    them if ``one_scale``, and move and scale ``other`` alike, both in place. A feature that is
    constant in ``x`` becomes 0 in both. x is float32 of about that scale already."""
    mean = x.mean(dtype=np.float64) if one_scale else x.mean(axis=0, dtype=np.float64)
    for rows in (x, other):
        rows -= np.float32(mean)
    square = np.einsum("rp,rp->p", x, x, dtype=np.float64) / len(x)
    spread = np.sqrt(square.mean() if one_scale else square)
    factor = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-6)
    for rows in (x, other):
        rows *= factor.astype(np.float32)


def standardize_target(data: Dataset) -> Dataset:
    """``data`` with each target of mean 0 and standard deviation 1 over the training rows.

    Raises:
        ConfigError: if the targets are classes.
    """
    if data.classes is not None:
        raise ConfigError(
            f"data.standardize_target = true needs a target of numbers, but {data.target} of "
            f"{data.name} is {data.classes} classes"
        )
    y = data.y.astype(np.float64)
    mean, std = y.mean(axis=0), y.std(axis=0)
    std = np.where(std > 0, std, 1.0)

    def scaled(values: Array) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = ((values - mean) / std).astype(np.float32)
        return found

    held_out = data.held_out and (data.held_out[0], scaled(data.held_out[1]))
    return replace(data, y=scaled(y), held_out=held_out, target_mean=mean, target_std=std)
