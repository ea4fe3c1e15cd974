"""What a screen asks the network of a run itself: its answers over the plane for two inputs or over
the line for one, how often its units fire, and how noisy its gradients are. Looking changes nothing
in the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caveats.config import RunConfig
from caveats.data import Dataset
from caveats.measuring.gradient_noise import noise_scale
from caveats.measuring.recognition import activation_facts
from caveats.models.activations import Activation
from caveats.models.mlp import activations
from caveats.run import probe_rows
from caveats.training.trainer import objective_of

__all__ = ["FittedCurve", "Plane", "firing_rates", "fitted_curve", "gradient_noise", "plane"]

MOST_POINTS = 300  # more than a panel has cells for
MARGIN = 0.08  # share of the data's range that is added on each side


@dataclass(frozen=True, slots=True)
class Plane:
    """The class of each point of a grid over two inputs, and some rows of the data on it.

    ``classes`` is (height, width), the top row first; ``confidence`` of the same shape is the
    probability that the network gives to that class, and ``outputs`` is how many outputs it has.
    ``points`` (n, 2) lie in 0..1 from the lower left, ``truth`` (n,) are their classes, and
    ``right`` (n,) says whether the network predicts that class. ``corners`` (2, 2) are the lower
    left and the upper right corner of the grid in the data's units.
    """

    classes: NDArray[np.int64]
    confidence: NDArray[np.float64]
    outputs: int
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
    shares = probabilities(network, answer(network, rows))
    said: NDArray[np.int64] = shares.argmax(-1)
    truth = np.asarray(data.y)[chosen].astype(np.int64)
    return Plane(
        said[: len(grid)].reshape(height, width),
        shares[: len(grid)].max(-1).reshape(height, width),
        shares.shape[1],
        (x[chosen] - low) / (high - low),
        truth,
        said[len(grid) :] == truth,
        np.stack((low, high)),
    )


def probabilities(network: nn.Module, output: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of each class, (rows, classes): the softmax of several outputs, or the
    logistic function of a single one, unless the network ends in that function itself."""
    last = list(network.children())[-1]
    told = isinstance(last, nn.Sigmoid | nn.Softmax)
    if output.shape[1] > 1:
        if told:
            return output
        with np.errstate(invalid="ignore"):  # of a network that has diverged
            raised = np.exp(output - output.max(-1, keepdims=True))
        shares: NDArray[np.float64] = raised / raised.sum(-1, keepdims=True)
        return shares
    second = output if told else 1 / (1 + np.exp(-np.clip(output, -700, 700)))
    return np.concatenate((1 - second, second), axis=1)


@torch.no_grad()
def firing_rates(network: nn.Module, data: Dataset) -> tuple[NDArray[np.float64], ...]:
    """The share of rows (at most MOST_POINTS, evenly taken) on which each hidden unit's slope is
    not 0: for each hidden layer (units,), or (0,) where its activation is flat nowhere. The network
    is one that `caveats.models.mlp` built."""
    found: dict[int, Tensor] = {}

    def note(index: int, facts: Activation, module: nn.Module, inputs: tuple[Tensor]) -> None:
        low, high = facts.flat
        found[index] = ((inputs[0] > low) & (inputs[0] < high)).double().mean(0)

    assert isinstance(network, nn.Sequential)
    layers = activations(network)
    handles = [
        module.register_forward_pre_hook(partial(note, index, facts))
        for index, module in enumerate(layers)
        if (facts := activation_facts(module)) is not None and facts.can_die
    ]
    chosen = np.linspace(0, len(data.x) - 1, min(len(data.x), MOST_POINTS)).astype(int)
    try:
        answer(network, data.x[chosen].astype(np.float64))
    finally:
        for handle in handles:
            handle.remove()
    none = np.zeros(0)
    return tuple(found[i].cpu().numpy() if i in found else none for i in range(len(layers)))


def gradient_noise(network: nn.Module, data: Dataset, config: RunConfig) -> float:
    """The gradient noise scale of the loss of ``config`` on the probe set, in rows; NaN where there
    is none (see `caveats.measuring.gradient_noise`)."""
    device, rows = next(network.parameters()).device, probe_rows(len(data.x))
    x, y = (torch.tensor(array[rows], device=device) for array in (data.x, data.y))
    return noise_scale(network, objective_of(config, data, x), x, y)


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
