"""Computes the layer measures of one training step, from the tensors of its own pass and the
gradients that it left, with the reductions of `caveats.measuring.probe`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caveats.measuring.columns import Columns, Norms
from caveats.measuring.probe import ForwardProbe
from caveats.measuring.reductions import PART
from caveats.measuring.sites import NOTHING, Site, by_unit
from caveats.watching.models import local
from caveats.watching.ranks import feature_ranks

__all__ = ["Reading", "StepProbe", "Updates", "gradient_table", "unscale"]

MOST_NUMBERS = 2**20  # of each tensor of a layer: of a larger one, the first rows
MOST_WEIGHTS = 2**22  # of layers with more, units are not compared with each other
MOST_SPREAD = 512  # units
MOST_MOVED = 2**17  # numbers of a weight that are compared before and after a step
WINDOW = 512  # rows that a unit must be flat on, over several minibatches, to count as dead
HALVES = (torch.bfloat16, torch.float16)

Masks = Sequence[NDArray[np.bool_] | None]


class Reading:
    """The measures of one step: ``layers[name]`` is (layers,), ``states[layer]`` is (units,)."""

    def __init__(self, layers: Mapping[str, Any], states: tuple[NDArray[np.uint8], ...]) -> None:
        self.layers, self.states = layers, states


class StepProbe(ForwardProbe):
    """Measures sites that a training's own pass filled in; it makes no pass itself.

    A unit counts as dead when its slope was 0 on each of the newest `WINDOW` rows, over as many
    sampled minibatches as that takes; before so many were seen it is not known.
    """

    def __init__(self) -> None:
        super().__init__(nn.Identity(), lambda batch: (torch.zeros(()), 1.0), None)
        self._window: list[tuple[int, Masks]] = []

    @np.errstate(all="ignore")
    def read(
        self, sites: list[Site], grads: dict[Tensor, Tensor], rows: int, scale: float, deep: bool
    ) -> Reading:
        """The measures of ``sites``. ``rows`` is how many the loss is the mean of; deltas are
        divided by ``scale``, the factor of a loss scaler. The tensors of the pass are let go of
        before those of the weights are reduced, so that never all of them are there."""
        small = [cut(site) for site in sites]
        table = Columns(len(sites))
        table["units"][:] = [site.units or site.weight.shape[0] for site in sites]
        with torch.no_grad():
            self._norms(small, grads, rows / scale, table)
            self._activations(small, table)
            dead, saturated = self._slopes(small, table)
            table["feature_rank"][:] = feature_ranks(small)
            seen = rows_seen(small)
            release(small)
            release(sites)
            few = [
                i for i, s in enumerate(small) if sum(w.numel() for w in s.weights) <= MOST_WEIGHTS
            ]
            part = Columns(len(few))
            for at in together([small[i] for i in few]):
                some = Columns(len(at))
                self._rows_of_weights([small[few[i]] for i in at], grads, some)
                for name in ("distinct", "sign_coherence"):
                    part[name][at] = some[name]
            if deep:
                close = [i for i, at in enumerate(few) if table["units"][at] <= MOST_SPREAD]
                spread = Columns(len(close))
                self._deep([small[few[i]] for i in close], spread)
                part["spread"][close] = spread["spread"]
            for name in ("distinct", "sign_coherence", "spread"):
                table[name][few] = part[name]
        for index, site in enumerate(sites):
            for name, value in site.taken.items():
                table[name][index] = value
        dead = self._over_window(dead, table, seen)
        states = self._states(table, dead, saturated, [])
        return Reading(dict(table), states)

    def _over_window(
        self, dead: dict[int, NDArray[np.bool_]], table: Columns, rows: int
    ) -> dict[int, NDArray[np.bool_]]:
        """Which units were flat in every minibatch of the window; none before it is full."""
        layers = len(table["units"])
        self._window.append((rows, [dead.get(i) for i in range(layers)]))
        while sum(n for n, _ in self._window[1:]) >= WINDOW:
            del self._window[0]
        full = sum(n for n, _ in self._window) >= WINDOW
        over: dict[int, NDArray[np.bool_]] = {}
        for index in dead:
            masks = [masks[index] for _, masks in self._window]
            known = [m for m in masks if m is not None and m.shape == dead[index].shape]
            table["dead"][index] = math.nan
            # A unit that is dead or alive in each minibatch is known; a full window is needed only
            # to call one dead that may have been unlucky.
            if full and len(known) == len(masks):
                over[index] = np.logical_and.reduce(known)
                table["dead"][index] = over[index].sum()
            elif not np.logical_and.reduce(known).any():
                over[index] = dead[index] & False
                table["dead"][index] = 0
        if full and self.born_dead is None:
            self.born_dead = dict(over)
        return over

    def _states(
        self,
        table: Columns,
        dead: dict[int, NDArray[np.bool_]],
        saturated: dict[int, NDArray[np.bool_]],
        quiet: list[NDArray[np.bool_]],
    ) -> tuple[NDArray[np.uint8], ...]:
        waiting = self.born_dead is None
        states = super()._states(table, dead, saturated, quiet)
        if waiting:  # what was dead at the start is known when the first window is full
            self.born_dead = None
            table["born_dead"][:] = math.nan
        return states


def cut(site: Site) -> Site:
    """The site with at most `MOST_NUMBERS` numbers in each tensor, those of its first rows."""
    if site.calls:
        return site
    largest = max(
        (t.numel() for t in (site.x, site.z, site.pre, site.out) if t is not None), default=0
    )
    if largest <= MOST_NUMBERS or site.gates or len(site.deltas) > 1:
        return site
    share = MOST_NUMBERS / largest

    def first(tensor: Tensor | None) -> Tensor | None:
        if tensor is None or tensor.ndim < 2:
            return tensor
        return tensor[: max(1, int(len(tensor) * share))]

    z = first(site.z)
    assert z is not None
    deltas = [first(delta) for delta in site.deltas]
    return replace(
        site, x=first(site.x), z=z, pre=first(site.pre), out=first(site.out), deltas=deltas
    )


def release(sites: Iterable[Site]) -> None:
    """Let go of what a pass left in ``sites``. The graph of its loss holds the lists of their
    deltas, so these stay, empty."""
    for site in sites:
        site.x = site.pre = site.out = None
        site.z, site.gates = NOTHING, ()
        site.deltas[:] = [None] * len(site.deltas)
        release(site.calls)


def rows_seen(sites: Sequence[Site]) -> int:
    """The fewest rows (for a convolution, positions) that any observed activation saw."""
    seen = [by_unit(s.pre, s.axis).shape[0] for s in sites if s.pre is not None]
    return min(seen, default=0)


def gradient_table(sites: Sequence[Site]) -> dict[Tensor, Tensor]:
    """The gradient that each weight holds now, in float64 or its own type."""
    found: dict[Tensor, Tensor] = {}
    for site in sites:
        for weight in site.weights:
            grad = weight.grad if weight.is_leaf else None
            if grad is not None:
                grad = local(grad)
                found[weight] = grad.to_dense() if grad.is_sparse else grad
    return found


def unscale(grads: dict[Tensor, Tensor], optimizer: Any) -> None:
    """A fused optimizer takes gradients that are still multiplied by the loss scale."""
    scale = getattr(optimizer, "grad_scale", None)
    if isinstance(scale, Tensor) and float(scale) > 0:
        for weight, grad in grads.items():
            grads[weight] = grad / float(scale)


def together(sites: Sequence[Site]) -> list[list[int]]:
    """The sites in lots: those of small weights, which are read in one call, are one lot; a large
    one is alone, so that there are few copies at a time."""
    large = [i for i, s in enumerate(sites) if sum(w.numel() for w in s.weights) > PART // 4]
    small = [i for i in range(len(sites)) if i not in large]
    return [lot for lot in [small, *([i] for i in large)] if lot]


def sampled(weight: Tensor) -> Tensor:
    """At most 130,000 numbers of a weight, evenly spread over it: over its rows and columns too,
    since their distance has no divisor in common with its size."""
    flat = weight.detach().reshape(-1)
    step = -(-flat.numel() // MOST_MOVED)
    while step > 1 and math.gcd(step, flat.numel()) > 1:
        step += 1
    return flat[:: max(1, step)]


def had_gradient(weight: Tensor) -> Tensor | None:
    """Which of the sampled numbers of a weight of 16 bits have a gradient; None for other types."""
    if weight.dtype not in HALVES or weight.grad is None or weight.grad.is_sparse:
        return None
    return sampled(local(weight.grad)) != 0


class Updates:
    """The size of the optimizer's true step: ‖ΔW‖ over ‖W‖, of some of the numbers of a weight. Of
    all weights together it keeps a copy of a million numbers or so."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites = [(i, w) for i, s in enumerate(sites) for w in weights_of(s)]
        self._before = [sampled(local(w)).clone() for _, w in self._sites]
        self._layers = len(sites)
        self._had = [had_gradient(w) for _, w in self._sites]

    def unmoved(self) -> float:
        """The share of the weights of 16 bits with a gradient that are the same after the step; NaN
        where there are none. Waits for the device."""
        counts = []
        for (_, weight), before, had in zip(self._sites, self._before, self._had, strict=True):
            if had is None:
                continue
            now = sampled(local(weight))
            if had.shape == now.shape == before.shape:
                counts.append(torch.stack([((now == before) & had).sum(), had.sum()]))
        if not counts:
            return math.nan
        still, asked = torch.stack(counts).sum(0).tolist()
        return float(still / asked) if asked else math.nan

    def ratios(self) -> NDArray[np.float64]:
        """(layers,) float64, NaN where a weight was replaced."""
        norms = Norms()
        pairs = [
            (index, sampled(local(w)), before)
            for (index, w), before in zip(self._sites, self._before, strict=True)
        ]
        squares = {"moved": np.zeros(self._layers), "before": np.zeros(self._layers)}
        kept = [(i, now, old) for i, now, old in pairs if now.shape == old.shape]
        if not kept:
            return np.full(self._layers, math.nan)
        for index, (_, now, old) in enumerate(kept):
            norms.want("before", index, old)
            norms.want("moved", index, now - old)
        found = norms.compute(len(kept))
        for name, sums in squares.items():
            np.add.at(sums, [i for i, _, _ in kept], found[name] ** 2)
        with np.errstate(all="ignore"):
            ratios: NDArray[np.float64] = np.sqrt(squares["moved"] / squares["before"])
        return np.where(squares["before"] > 0, ratios, math.nan)


def weights_of(site: Site) -> tuple[Tensor, ...]:
    """The parameters of a site; none if each pass computes its weights anew."""
    return tuple(w for w in site.weights if w.is_leaf)
