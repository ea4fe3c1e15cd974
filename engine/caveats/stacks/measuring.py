"""Measures every member of a stack in one pass: the measures of `caveats.measuring.probe` that
rules read, with a leading member axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caveats.measures import LAYER_MEASURES
from caveats.measuring.columns import summarised
from caveats.measuring.probe import SATURATED_ROWS
from caveats.measuring.reductions import fingerprints, moments
from caveats.measuring.unit_states import dead_units, tail_share
from caveats.models.activations import ACTIVATIONS, Activation
from caveats.stacks.network import Pass, StackedNetwork

__all__ = ["Losses", "Measured", "flat_everywhere", "measured", "members_at_once"]

Floats = NDArray[np.float64]
Losses = Callable[[Tensor, Tensor], Tensor]

# Numbers of one layer's activations in a pass: more of them leave the cache, and are slower.
PASS_NUMBERS = 2**20


@dataclass(frozen=True, slots=True)
class Measured:
    """``loss`` is (E,), ``hits`` (2, E) the accuracy and the lowest recall of a class,
    ``layers[name]`` (E, layers), NaN where there is nothing
    to measure; ``dead`` has one (E, units) bool array for each layer."""

    loss: Floats
    hits: Floats
    layers: dict[str, Floats]
    dead: list[NDArray[np.bool_]]


def members_at_once(network: StackedNetwork, rows: int) -> int:
    """How many members one measuring pass over ``rows`` rows takes."""
    widest = max(max(layer.weight.shape[1:]) for layer in network.layers)
    return max(1, PASS_NUMBERS // (rows * widest))


@np.errstate(all="ignore")  # numbers that are not finite are results here
def measured(
    network: StackedNetwork,
    losses: Losses,
    x: Tensor,
    y: Tensor,
    before: Sequence[Tensor] | None = None,
    deep: bool = False,
) -> Measured:
    """Measure all members on x (E, features, rows), y (E, ..., rows).

    ``losses(output, y)`` gives (E,), each the mean over a member's rows. ``before`` are the weights
    (E, units, fan_in) of each layer before the last step, for the size of the update. ``deep`` adds
    the spread.
    """
    count, hidden = len(network), len(network.layers) - 1
    table = {name: np.full((count, hidden + 1), math.nan) for name in LAYER_MEASURES}
    seen = Pass()
    with torch.enable_grad():
        output = network.forward(x, seen=seen)
        values = losses(output, y)
        weights = [layer.weight for layer in network.layers]
        found = torch.autograd.grad(values.sum(), [*weights, *seen.z])
    gradients, deltas = found[: hidden + 1], found[hidden + 1 :]
    dead = []
    with torch.no_grad():
        for index in range(hidden + 1):
            own = {name: column[:, index] for name, column in table.items()}
            own["units"][:] = weights[index].shape[1]
            norms(own, weights[index], gradients[index], deltas[index],
                  None if before is None else before[index])  # fmt: skip
            rows_of_weights(own, network, index, gradients[index], deep)
            facts = [ACTIVATIONS[a[index] if index < hidden else "identity"]
                     for a in network.activations]  # fmt: skip
            dead.append(slopes(own, facts, seen.pre[index].mT))
        activations(table, seen)
    return Measured(values.detach().double().cpu().numpy(), hit_rates(output, y), table, dead)


def norms(
    own: dict[str, Floats], weight: Tensor, gradient: Tensor, delta: Tensor, before: Tensor | None
) -> None:
    own["weight_norm"][:] = norm(weight)
    own["grad_norm"][:] = norm(gradient)
    units, rows = delta.shape[1:]
    # The loss is a mean over rows; times their number, delta is that of each row's loss.
    own["delta_rms"][:] = norm(delta) * (rows / math.sqrt(rows * units))
    if before is not None:
        own["update_ratio"][:] = norm(weight - before) / norm(before)


def norm(tensor: Tensor) -> Floats:
    """The length of each member's part, (E,), summed in float64."""
    found: Floats = (
        torch.linalg.vector_norm(tensor.detach(), dim=(1, 2), dtype=torch.float64).cpu().numpy()
    )
    return found


def rows_of_weights(
    own: dict[str, Floats], network: StackedNetwork, index: int, gradient: Tensor, deep: bool
) -> None:
    """The measures that compare a layer's units: distinct, sign coherence, spread."""
    layer = network.layers[index]
    rows = torch.cat((layer.weight.detach(), layer.bias.detach()[:, :, None]), 2)
    prints = np.sort(fingerprints(rows, {}).cpu().numpy(), axis=1)  # (E, units)
    own["distinct"][:] = 1 + (np.diff(prints, axis=1) != 0).sum(1)
    sums = torch.stack((gradient.sum(2).abs(), gradient.abs().sum(2))).cpu().numpy()
    moved = sums[1] > 0  # a unit without gradient has no signs
    own["sign_coherence"][:] = np.where(moved, sums[0] / sums[1], 0).sum(1) / moved.sum(1)
    if deep:
        away = (rows - rows[:, :1]).double()
        spread = torch.cdist(away, away).amax((1, 2))
        finite = rows.isfinite().all(2).all(1)
        own["spread"][:] = torch.where(finite, spread, math.nan).cpu().numpy()


def slopes(own: dict[str, Floats], facts: list[Activation], pre: Tensor) -> NDArray[np.bool_]:
    """Dead and saturated; returns which units are dead, (E, units). ``pre`` is
    (E, rows, units)."""
    dead: NDArray[np.bool_] = dead_units(facts, pre).cpu().numpy()
    own["dead"][:] = dead.sum(1)
    share = tail_share(facts, pre)
    own["saturated"][:] = 0 if share is None else (share >= SATURATED_ROWS).sum(1).cpu().numpy()
    return dead


def activations(table: dict[str, Floats], seen: Pass) -> None:
    """What enters and leaves each layer; a tensor that is both is reduced only once."""
    done: dict[int, tuple[Floats, ...]] = {}

    def summary(tensor: Tensor) -> tuple[Floats, ...]:
        if id(tensor) not in done:
            done[id(tensor)] = summarised(moments(tensor.detach().mT).cpu().numpy())
        return done[id(tensor)]

    for index, (x, out) in enumerate(zip(seen.inputs, seen.out, strict=True)):
        mean, std, dormant, _ = summary(out)
        table["activation_mean"][:, index] = mean
        table["activation_std"][:, index] = std
        table["dormant"][:, index] = dormant
        # All members mostly share their rows: then one reduction is enough for the first layer.
        same = index == 0 and x.stride(0) == 0
        fraction = summary(x)[3] if not same else summarised(moments(x[:1].mT).cpu().numpy())[3]
        table["mean_fraction"][:, index] = fraction


def hit_rates(output: Tensor, y: Tensor) -> Floats:
    """The share of rows whose largest output is their class, and the lowest such share of a class:
    (2, E); NaN for numbers."""
    if y.is_floating_point():
        return np.full((2, len(output)), math.nan)
    y = y.expand(len(output), -1)  # (E, rows)
    # As argmax, which takes five times as long along this dimension.
    right = (output.detach().max(1).indices == y).double()
    rows, hit = torch.zeros(2, *output.shape[:2], dtype=torch.float64, device=y.device)
    rows.scatter_add_(1, y, torch.ones_like(right))
    hit.scatter_add_(1, y, right)
    lowest = torch.where(rows > 0, hit / rows, 1.0).amin(1)
    found: Floats = torch.stack((right.mean(1), lowest)).cpu().numpy()
    return found


@torch.no_grad()
def flat_everywhere(network: StackedNetwork, x: Tensor, chunk: int = 4096) -> Floats:
    """How many units of each layer are flat on every row of x (E, features, rows); (E, layers)."""
    hidden = len(network.layers) - 1
    flat: list[Tensor] = []
    for rows in x.tensor_split(math.ceil(x.shape[2] / chunk), dim=2):
        seen = Pass()
        network.forward(rows, seen=seen)
        now = [
            dead_units([ACTIVATIONS[a[i] if i < hidden else "identity"]
                        for a in network.activations], pre.mT)
            for i, pre in enumerate(seen.pre)
        ]  # fmt: skip
        flat = now if not flat else [a & b for a, b in zip(flat, now, strict=True)]
    return np.stack([f.sum(1).cpu().numpy() for f in flat], 1).astype(np.float64)
