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
from caveats.measuring.reductions import fingerprints, moments, stacked
from caveats.measuring.unit_states import SATURATED_ROWS, dead_units, tail_share
from caveats.models.activations import ACTIVATIONS, Activation
from caveats.stacks.network import Pass, StackedNetwork

__all__ = ["Losses", "Measured", "flat_everywhere", "measured", "members_at_once"]

Floats = NDArray[np.float64]
Losses = Callable[[Tensor, Tensor], Tensor]

# Numbers of one layer's activations in a pass: more of them leave the cache, and are slower.
PASS_NUMBERS = 2**19
# Lengths between which a square of float32 loses nothing that counts.
LEAST_QUICK, MOST_QUICK = 1e-14, 1e17
_multipliers: dict[tuple[int, torch.device], Tensor] = {}  # of `fingerprints`


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
    widest = max(layer.weight.shape[1] for layer in network.layers)
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
    with torch.no_grad():
        table["units"][:] = [weight.shape[1] for weight in weights]
        of_weights(table, network, gradients, before, deep)
        of_deltas(table, deltas)
        dead = of_slopes(table, network, seen)
        of_activations(table, seen)
    return Measured(values.detach().double().cpu().numpy(), hit_rates(output, y), table, dead)


def of_weights(
    table: dict[str, Floats],
    network: StackedNetwork,
    gradients: Sequence[Tensor],
    before: Sequence[Tensor] | None,
    deep: bool,
) -> None:
    """The measures of weights and their gradients. Layers of one shape are reduced in one call:
    for small networks the calls cost more than the numbers."""
    weights = [layer.weight.detach() for layer in network.layers]
    for indices, weight in stacked(weights):  # (layers, E, units, fan_in)
        gradient = torch.stack([gradients[i] for i in indices])
        bias = torch.stack([network.layers[i].bias.detach() for i in indices])
        table["weight_norm"][:, indices] = norms(weight).T
        table["grad_norm"][:, indices] = norms(gradient).T
        if before is not None:
            old = torch.stack([before[i] for i in indices])
            table["update_ratio"][:, indices] = (norms(weight - old) / norms(old)).T
        rows = torch.cat((weight, bias[..., None]), 3)
        prints = fingerprints(rows, _multipliers).sort(2).values
        distinct = 1 + (prints.diff(dim=2) != 0).sum(2)
        table["distinct"][:, indices] = distinct.T.cpu().numpy()
        sums = torch.stack((gradient.sum(3).abs(), gradient.abs().sum(3))).cpu().numpy()
        moved = sums[1] > 0  # a unit without gradient has no signs
        signs = np.where(moved, sums[0] / sums[1], 0).sum(2) / moved.sum(2)
        table["sign_coherence"][:, indices] = signs.T
        if deep:
            table["spread"][:, indices] = spreads(rows).T.cpu().numpy()


def spreads(rows: Tensor) -> Tensor:
    """The largest distance between two units: rows (layers, E, units, n) -> (layers, E), NaN where
    a number is not finite."""
    away = (rows - rows[:, :, :1]).double()
    spread = torch.cdist(away, away).amax((2, 3))
    return torch.where(rows.isfinite().all(3).all(2), spread, math.nan)


def of_deltas(table: dict[str, Floats], deltas: Sequence[Tensor]) -> None:
    found = torch.stack([norm(delta) for delta in deltas], 1).cpu().numpy()
    shapes = [delta.shape[1:] for delta in deltas]
    # The loss is a mean over rows; times their number, delta is that of each row's loss.
    table["delta_rms"][:] = found * [rows / math.sqrt(rows * units) for units, rows in shapes]


def norm(tensor: Tensor) -> Tensor:
    """The length of each member's part, (..., E, units, n) -> (..., E) float64. In float32, which
    takes a third of the time, unless squares would be too small or too large for it."""
    flat = tensor.detach().flatten(-2)
    found: Tensor = torch.linalg.vector_norm(flat, dim=-1).double()
    if not bool(((found > LEAST_QUICK) & (found < MOST_QUICK)).all()):
        found = torch.linalg.vector_norm(flat, dim=-1, dtype=torch.float64)
    return found


def norms(tensor: Tensor) -> Floats:
    """The same on the host."""
    found: Floats = norm(tensor).cpu().numpy()
    return found


def of_slopes(
    table: dict[str, Floats], network: StackedNetwork, seen: Pass
) -> list[NDArray[np.bool_]]:
    """Dead and saturated units; returns which are dead, (E, units) for each layer."""
    dead, saturated = [], []
    for index, pre in enumerate(seen.pre):
        facts = activations_at(network, index)
        dead.append(dead_units(facts, pre.detach().mT))
        share = tail_share(facts, pre.detach().mT)
        none = dead[-1].new_zeros(len(network))
        saturated.append(none if share is None else (share >= SATURATED_ROWS).sum(1))
    table["dead"][:] = torch.stack([of_layer.sum(1) for of_layer in dead], 1).cpu().numpy()
    table["saturated"][:] = torch.stack([s.long() for s in saturated], 1).cpu().numpy()
    return [of_layer.cpu().numpy() for of_layer in dead]


def activations_at(network: StackedNetwork, index: int) -> list[Activation]:
    """The activation of each member's layer; one for all where they have the same one."""
    if index == len(network.layers) - 1:
        return [ACTIVATIONS["identity"]]
    names = [own[index] for own in network.activations]
    return [ACTIVATIONS[name] for name in (names[:1] if len(set(names)) == 1 else names)]


def of_activations(table: dict[str, Floats], seen: Pass) -> None:
    """What enters and leaves each layer; a tensor that is both is reduced only once."""
    done: dict[int, Tensor] = {}  # the moments (3, E, units) by tensor

    def reduced(tensor: Tensor) -> Tensor:
        if id(tensor) not in done:
            # All members mostly share their rows: then one reduction is enough.
            same = tensor.stride(0) == 0
            found = moments((tensor[:1] if same else tensor).detach().mT)
            done[id(tensor)] = found.expand(3, len(tensor), -1)
        return done[id(tensor)]

    for indices, of_units in stacked([reduced(x) for x in seen.inputs]):
        table["mean_fraction"][:, indices] = by_member(of_units)[3]
    for indices, of_units in stacked([reduced(out) for out in seen.out]):
        mean, std, dormant, _ = by_member(of_units)
        table["activation_mean"][:, indices] = mean
        table["activation_std"][:, indices] = std
        table["dormant"][:, indices] = dormant


def by_member(of_units: Tensor) -> list[Floats]:
    """The four numbers of `summarised`, (E, layers) each, from moments (layers, 3, E, units)."""
    layers, _, count, units = of_units.shape
    flat = of_units.transpose(0, 1).reshape(3, layers * count, units).cpu().numpy()
    return [column.reshape(layers, count).T for column in summarised(flat)]


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
    flat: list[Tensor] = []
    for rows in x.tensor_split(math.ceil(x.shape[2] / chunk), dim=2):
        seen = Pass()
        network.forward(rows, seen=seen)
        now = [dead_units(activations_at(network, i), pre.mT) for i, pre in enumerate(seen.pre)]
        flat = now if not flat else [a & b for a, b in zip(flat, now, strict=True)]
    return np.stack([f.sum(1).cpu().numpy() for f in flat], 1).astype(np.float64)
