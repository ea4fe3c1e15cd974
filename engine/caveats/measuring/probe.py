"""Measures the layers of any nn.Module on a fixed set of rows; never changes what training does.

It takes the layer measures that docs/measurements.md defines: dead, dormant, saturated, delta,
norms, distinct units. It knows nothing of runs, of time, or of how numbers are shown. The device
reduces over rows (`caveats.measuring.reductions`); the host finishes the one number a unit that is
left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from caveats.measures import LAYER_MEASURES, UNIT_STATES
from caveats.measuring.capture import LAYERS, Layer, Site, by_unit, capture
from caveats.measuring.reductions import (
    fetch,
    fingerprints,
    flat_units,
    moments,
    slopes_by_group,
    stacked,
    tail_share,
    unit_rows,
)
from caveats.models.isolation import undisturbed

__all__ = ["DORMANT_SHARE", "Measurement", "Probe"]

DORMANT_SHARE = 0.025  # Sokar et al. 2023, section 3: their tau
SATURATED_ROWS = 0.95
PROBE_ROWS = 512

LossFunction = Callable[[Tensor, Tensor], Tensor]

SILENT, SATURATED, DEAD, UNOBSERVED = (
    UNIT_STATES.index(name) for name in ("silent", "saturated", "dead", "unobserved")
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one pass saw. ``layers[name]`` is (layers,) float64, NaN where not observable;
    ``states[layer]`` is (units,) uint8, codes as in `caveats.measures.UNIT_STATES`."""

    loss: float
    accuracy: float
    layers: dict[str, NDArray[np.float64]]
    states: tuple[NDArray[np.uint8], ...]


class Probe:
    """Measures ``network`` on the fixed rows ``x`` (rows, ...), ``y`` (rows, ...).

    ``loss_function(output, y)`` must be the mean of losses that belong to one row each.
    ``born_dead`` marks, by the layer's index, the units that the first measurement found dead.
    Layers are the Linear and Conv modules in the order in which they were registered, called by
    ``names`` or else as they are named in the network.
    """

    def __init__(
        self,
        network: nn.Module,
        loss_function: LossFunction,
        x: Tensor,
        y: Tensor,
        names: Sequence[str] | None = None,
    ) -> None:
        self.network = network
        self.loss_function = loss_function
        self.x, self.y = x, y
        layers = {m: name for name, m in network.named_modules() if isinstance(m, LAYERS)}
        self.names: dict[Layer, str] = dict(
            zip(layers, names or (n or "layer" for n in layers.values()), strict=True)
        )
        self.layer_names: tuple[str, ...] = ()
        self.born_dead: dict[int, NDArray[np.bool_]] | None = None
        self._multipliers: dict[tuple[int, torch.device], Tensor] = {}
        self._input_fraction: float | None = None
        self._weights_before: list[Tensor] | None = None

    def remember(self) -> None:
        """Keep a copy of the weights, so that the next `measure` can tell how far a step moved."""
        # Reading a parametrized weight computes it, which may move buffers of its own.
        with torch.no_grad(), undisturbed(self.network, self.x.device):
            self._weights_before = [m.weight.detach().clone() for m in self.names]

    # What is not finite is a finding here: numpy's warnings would only litter a terminal.
    @np.errstate(all="ignore")
    def measure(self, silent: Sequence[Tensor] | None = None, deep: bool = False) -> Measurement:
        """Measure now, in one forward and one backward pass over the probe rows.

        ``silent`` marks units, one bool tensor (units,) for each layer, that the training steps
        have not seen firing. ``deep`` adds the spread, which costs more than all the rest.
        """
        # Cached, a parametrized weight (spectral norm) is one tensor for the whole of the pass.
        with undisturbed(self.network, self.x.device), parametrize.cached():
            with torch.enable_grad(), capture(self.network, self.names) as sites:
                output = self.network(self.x)
            with torch.enable_grad():
                loss = self.loss_function(output, self.y)
                grads = gradients(loss, sites)
            table = Columns(len(sites))
            table["units"][:] = [len(site.module.weight) for site in sites]
            with torch.no_grad():
                self._norms(sites, grads, table)
                self._rows_of_weights(sites, grads, table)
                self._activations(sites, table)
                dead, saturated = self._slopes(sites, table)
                if deep:
                    self._deep(sites, table)
                said = fetch([loss.detach().double(), hit_rate(output, self.y).double()])
                quiet = [] if silent is None else fetch(silent)
        self.layer_names = tuple(site.name for site in sites)
        states = self._states(table, dead, saturated, quiet)
        return Measurement(float(said[0]), float(said[1]), dict(table), states)

    @torch.no_grad()
    def confirm(self, x: Tensor, chunk: int = 4096) -> NDArray[np.float64]:
        """Units that are flat on every row of ``x`` (rows, ...), counted for each layer; (layers,),
        NaN where not observable. One forward pass, ``chunk`` rows at a time."""
        flat: dict[int, Tensor] = {}
        layers = 0
        with undisturbed(self.network, self.x.device):
            for start in range(0, len(x), chunk):
                with capture(self.network, self.names, deltas=False) as sites:
                    self.network(x[start : start + chunk])
                layers = len(sites)
                for indices, facts, pre in slopes_by_group(sites):
                    for index, now in zip(indices, flat_units(facts, pre), strict=True):
                        flat[index] = now & flat[index] if index in flat else now
        return np.array([float(flat[i].sum()) if i in flat else math.nan for i in range(layers)])

    def _norms(self, sites: list[Site], grads: dict[Tensor, Tensor], table: Columns) -> None:
        """‖W‖, ‖dLoss/dW‖, the size of delta, and ‖ΔW‖/‖W‖ since `remember`."""
        norms = Norms()
        # The loss is a mean over rows: times the rows, delta is that of each row's own loss.
        rows = len(self.x)
        for index, site in enumerate(sites):
            norms.want("weight_norm", index, site.module.weight)
            norms.want("grad_norm", index, grads.get(site.module.weight))
            if site.delta is not None:
                norms.want("delta_rms", index, site.delta, rows / math.sqrt(site.delta.numel()))
        if self._weights_before is not None:
            before, self._weights_before = self._weights_before, None
            after = [m.weight for m in self.names]
            moved = dict(zip(self.names, torch._foreach_sub(after, before), strict=True))
            start = dict(zip(self.names, before, strict=True))
            for index, site in enumerate(sites):
                norms.want("update_ratio", index, moved[site.module])
                norms.want("before", index, start[site.module])
        found = norms.compute(len(sites))
        if "before" in found:
            found["update_ratio"] /= found.pop("before")
        table.update(found)

    def _rows_of_weights(
        self, sites: list[Site], grads: dict[Tensor, Tensor], table: Columns
    ) -> None:
        """What compares the units of a layer by their rows: distinct, sign coherence."""
        groups = stacked([unit_rows(site.module) for site in sites])
        prints = fetch([fingerprints(rows, self._multipliers) for _, rows in groups])
        for (indices, _), of_layers in zip(groups, prints, strict=True):
            ordered = np.sort(of_layers, axis=1)
            table["distinct"][indices] = 1 + (np.diff(ordered, axis=1) != 0).sum(1)
        flat_grads = [
            None if (g := grads.get(site.module.weight)) is None else g.reshape(len(g), -1)
            for site in sites
        ]
        groups = stacked(flat_grads)  # (group, units, fan_in)
        sums = fetch([torch.stack((g.sum(2).abs(), g.abs().sum(2))) for _, g in groups])
        for (indices, _), (sum_size, size_sum) in zip(groups, sums, strict=True):
            moved = size_sum > 0  # a unit without gradient has no signs
            coherence = np.where(moved, sum_size / size_sum, 0).sum(1)
            table["sign_coherence"][indices] = coherence / moved.sum(1)

    def _activations(self, sites: list[Site], table: Columns) -> None:
        """Fill in what leaves and what feeds each layer. What leaves one layer is mostly what
        feeds the next: it is reduced once."""
        outs = [None if s.out is None else by_unit(s.out, s.module) for s in sites]
        own_rows = place(by_unit(self.x, sites[0].module)) if sites else None
        feeds = [by_unit(s.x, s.module) for s in sites]
        known = [self._input_fraction is not None and place(f) == own_rows for f in feeds]
        tensors = {
            place(t): t
            for t in (*outs, *(f for f, k in zip(feeds, known, strict=True) if not k))
            if t is not None
        }
        keys = list(tensors)
        groups = stacked(list(tensors.values()))
        found: dict[tuple[int, torch.Size], Summary] = {}
        reduced = fetch([moments(group) for _, group in groups])
        for (indices, _), of_units in zip(groups, reduced, strict=True):
            for index, summary in zip(indices, summaries(of_units), strict=True):
                found[keys[index]] = summary
        for index, (out, feed) in enumerate(zip(outs, feeds, strict=True)):
            if out is not None:
                summary = found[place(out)]
                table["activation_mean"][index] = summary.mean
                table["activation_std"][index] = summary.std
                table["dormant"][index] = summary.dormant
            if known[index]:
                assert self._input_fraction is not None
                table["mean_fraction"][index] = self._input_fraction
            else:
                table["mean_fraction"][index] = found[place(feed)].fraction
                if place(feed) == own_rows:  # the probe rows never change
                    self._input_fraction = found[place(feed)].fraction

    def _slopes(
        self, sites: list[Site], table: Columns
    ) -> tuple[dict[int, NDArray[np.bool_]], dict[int, NDArray[np.bool_]]]:
        """Fill in dead and saturated; returns for each observed layer which units, (units,)."""
        groups = slopes_by_group(sites)
        flat = fetch([flat_units(facts, pre) for _, facts, pre in groups])
        shares = [tail_share(facts, pre) for _, facts, pre in groups]
        in_tail = iter(fetch([share for share in shares if share is not None]))
        dead: dict[int, NDArray[np.bool_]] = {}
        saturated: dict[int, NDArray[np.bool_]] = {}
        for (indices, _, _), of_flat, share in zip(groups, flat, shares, strict=True):
            of_tail = of_flat & False if share is None else next(in_tail) >= SATURATED_ROWS
            table["dead"][indices] = of_flat.sum(1)
            table["saturated"][indices] = of_tail.sum(1)
            dead.update(zip(indices, of_flat, strict=True))
            saturated.update(zip(indices, of_tail, strict=True))
        return dead, saturated

    def _deep(self, sites: list[Site], table: Columns) -> None:
        for index, site in enumerate(sites):
            rows = unit_rows(site.module)  # (units, fan_in + 1)
            if not bool(rows.isfinite().all()):
                continue
            # From the first row on, so that copies are at 0 and near copies are not rounded away.
            away = (rows - rows[0]).double()
            table["spread"][index] = float(torch.cdist(away, away).max())

    def _states(
        self,
        table: Columns,
        dead: dict[int, NDArray[np.bool_]],
        saturated: dict[int, NDArray[np.bool_]],
        quiet: list[NDArray[np.bool_]],
    ) -> tuple[NDArray[np.uint8], ...]:
        """The state of every unit, and the columns that follow from it: born dead, silent."""
        if self.born_dead is None:
            self.born_dead = dead
        states = []
        for index, units in enumerate(table["units"]):
            if index not in dead:
                states.append(np.full(int(units), UNOBSERVED, np.uint8))
                continue
            state = np.zeros(int(units), np.uint8)
            if index < len(quiet) and len(quiet[index]) == len(state):
                state[quiet[index]] = SILENT
                table["silent"][index] = np.count_nonzero(quiet[index])
            state[saturated[index]] = SATURATED
            state[dead[index]] = DEAD
            if index in self.born_dead:
                born = dead[index] & self.born_dead[index]
                table["born_dead"][index] = np.count_nonzero(born)
            states.append(state)
        return tuple(states)


class Columns(dict[str, NDArray[np.float64]]):
    """One column for each layer measure, (layers,) of NaN until it is filled in."""

    def __init__(self, layers: int) -> None:
        super().__init__({name: np.full(layers, math.nan) for name in LAYER_MEASURES})


class Norms:
    """Euclidean norms of many tensors in one call, accumulated in float64: the squares of a
    vanishing delta are below the smallest float32."""

    def __init__(self) -> None:
        self._wanted: list[tuple[str, int, float]] = []
        self._tensors: list[Tensor] = []

    def want(self, column: str, layer: int, tensor: Tensor | None, factor: float = 1.0) -> None:
        if tensor is not None:
            self._wanted.append((column, layer, factor))
            self._tensors.append(tensor)

    def compute(self, layers: int) -> dict[str, NDArray[np.float64]]:
        """Each column as (layers,), NaN where no tensor was given."""
        found: dict[str, NDArray[np.float64]] = {}
        if self._tensors:
            norms = torch.stack(torch._foreach_norm(self._tensors, 2, torch.float64)).cpu().tolist()
            for (column, layer, factor), norm in zip(self._wanted, norms, strict=True):
                if column not in found:
                    found[column] = np.full(layers, math.nan)
                found[column][layer] = norm * factor
        return found


@dataclass(frozen=True, slots=True)
class Summary:
    """One tensor (rows, units) in numbers: mean and standard deviation of all of it, how many
    units are dormant, and which fraction |E a|²/E|a|² of it is mean."""

    mean: float
    std: float
    dormant: int
    fraction: float


def summaries(of_units: NDArray[np.floating]) -> list[Summary]:
    """The summaries of a group of tensors from their `moments`, (3, group, units)."""
    mean, variance, size = of_units.astype(np.float64)  # (group, units)
    std = np.sqrt(variance.mean(1) + mean.var(1))
    dormant = (size <= DORMANT_SHARE * size.mean(1, keepdims=True)).sum(1)
    of_mean = (mean**2).sum(1)
    fraction = of_mean / (of_mean + variance.sum(1))
    columns = mean.mean(1).tolist(), std.tolist(), dormant.tolist(), fraction.tolist()
    return [Summary(*one) for one in zip(*columns, strict=True)]


def gradients(loss: Tensor, sites: list[Site]) -> dict[Tensor, Tensor]:
    """dLoss/dW of every layer that takes part; ``.grad`` stays as it is."""
    weights = dict.fromkeys(site.module.weight for site in sites)
    wanted = [weight for weight in weights if weight.requires_grad]
    if not wanted or not loss.requires_grad:
        return {}
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    return {p: grad for p, grad in zip(wanted, found, strict=True) if grad is not None}


def hit_rate(output: object, y: Tensor) -> Tensor:
    """Share of rows whose largest output is their class, NaN where y holds no classes of it.
    Classes stand along dimension 1, as torch's cross_entropy has them, or along the last. The
    answer is on y's device: `fetch` takes no tensors of two devices."""
    if isinstance(output, Tensor) and not y.is_floating_point() and output.ndim == y.ndim + 1:
        for dim in (1, -1):
            if output.shape[:dim] + output.shape[dim:][1:] == y.shape:
                return (output.argmax(dim) == y).double().mean()
    return torch.tensor(math.nan, dtype=torch.float64, device=y.device)


def place(tensor: Tensor) -> tuple[int, torch.Size]:
    """Where a tensor lies: an in-place or reshaping module hands on the same memory."""
    return tensor.data_ptr(), tensor.shape
