"""What a network answers over its whole input space: over the plane for two inputs, over the line
for one. Looking changes nothing in the training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from caveats.data import Dataset

__all__ = ["FittedCurve", "Plane", "fitted_curve", "plane"]

MOST_POINTS = 300  # more than a panel has cells for
MARGIN = 0.08  # share of the data's range that is added on each side


@dataclass(frozen=True, slots=True)
class Plane:
    """The class of each point of a grid over two inputs, and some rows of the data on it.

    ``classes`` is (height, width), the top row first. ``points`` (n, 2) lie in 0..1 from the lower
    left, ``truth`` (n,) are their classes, and ``right`` (n,) says whether the network predicts
    that class. ``corners`` (2, 2) are the lower left and the upper right corner of the grid in the
    data's units.
    """

    classes: NDArray[np.int64]
    points: NDArray[np.float64]
    truth: NDArray[np.int64]
    right: NDArray[np.bool_]
    corners: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FittedCurve:
    """The function that a network of one input and one output computes, ``output`` (m,) over
    ``grid`` (m,), and some rows of the data, ``x`` and ``y`` (n,)."""

    grid: NDArray[np.float64]
    output: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@torch.no_grad()
def plane(network: nn.Module, data: Dataset, width: int, height: int) -> Plane:
    """The predicted classes on a grid of ``width`` × ``height``; for two inputs and classes."""
    x = data.x.astype(np.float64)
    low, high = x.min(0), x.max(0)
    pad = MARGIN * np.maximum(high - low, 1e-12)
    low, high = low - pad, high + pad
    across = low[0] + (np.arange(width) + 0.5) / width * (high[0] - low[0])
    down = high[1] - (np.arange(height) + 0.5) / height * (high[1] - low[1])
    grid = np.stack(np.broadcast_arrays(across[None, :], down[:, None]), -1).reshape(-1, 2)
    chosen = np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).astype(int)
    rows = np.concatenate((grid, x[chosen]))
    said = classes_told(network, answer(network, rows))
    truth = np.asarray(data.y)[chosen].astype(np.int64)
    return Plane(
        said[: len(grid)].reshape(height, width),
        (x[chosen] - low) / (high - low),
        truth,
        said[len(grid) :] == truth,
        np.stack((low, high)),
    )


def classes_told(network: nn.Module, output: NDArray[np.float64]) -> NDArray[np.int64]:
    """The class of each row (rows,): the largest of several outputs, or, of a single one, whether
    the logit is above 0, or above ½ where the network answers with a probability."""
    if output.shape[1] > 1:
        largest: NDArray[np.int64] = output.argmax(-1)
        return largest
    last = list(network.children())[-1]
    least = 0.5 if isinstance(last, nn.Sigmoid | nn.Softmax) else 0.0
    found: NDArray[np.int64] = (output[:, 0] > least).astype(np.int64)
    return found


@torch.no_grad()
def fitted_curve(network: nn.Module, data: Dataset, width: int) -> FittedCurve:
    """The fitted function at ``width`` points; for one input and one target."""
    x = data.x[:, 0].astype(np.float64)
    grid = np.linspace(x.min(), x.max(), width)
    chosen = np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).astype(int)
    chosen = chosen[np.argsort(x[chosen])]
    y = np.asarray(data.y, dtype=np.float64)[chosen, 0]
    return FittedCurve(grid, answer(network, grid[:, None])[:, 0], x[chosen], y)


def answer(network: nn.Module, rows: NDArray[np.float64]) -> NDArray[np.float64]:  # (rows, outputs)
    training, device = network.training, next(network.parameters()).device
    network.eval()  # no dropout, and batch norm uses its running averages, not the grid's
    try:
        output = network(torch.tensor(rows, dtype=torch.float32, device=device))
    finally:
        network.train(training)
    said: NDArray[np.float64] = output.double().cpu().numpy()
    return said
