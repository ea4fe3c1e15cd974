"""Measures the layers of any nn.Module on a fixed set of rows, without changing its training.

It takes the layer measures that docs/measurements.md defines: dead, dormant, saturated, delta,
norms, distinct units. The device reduces over rows (`caveats.measuring.reductions`); the host does
the rest, with one number for each unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caveats.errors import ConfigError, visible
from caveats.facts import Anatomy
from caveats.measures import UNIT_STATES
from caveats.measuring.anatomy import Look, aligned, look, watch
from caveats.measuring.capture import layer_names
from caveats.measuring.columns import Columns, Norms, Summary, place, summaries
from caveats.measuring.passing import (
    device_of,
    measuring_pass,
    one_sentence,
    scalar_loss,
    unwrapped,
)
from caveats.measuring.reductions import (
    fetch,
    fingerprints,
    moments,
    stacked,
)
from caveats.measuring.scores import Predicted, hit_rates, hit_shares, of_numbers
from caveats.measuring.sites import Site, by_unit
from caveats.measuring.unit_states import Marked, dead_and_saturated, flat_by_layer
from caveats.models.isolation import walk

__all__ = ["ForwardProbe", "Measurement", "Probe"]

PROBE_ROWS = 512

LossFunction = Callable[[Tensor, Tensor], Tensor]

SILENT, SATURATED, DEAD, UNOBSERVED = (
    UNIT_STATES.index(name) for name in ("silent", "saturated", "dead", "unobserved")
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The result of one pass. ``layers[name]`` is (layers,) float64, NaN where not observable;
    ``states[layer]`` is (units,) uint8, with the codes of `caveats.measures.UNIT_STATES`. ``r2``
    and ``rmse`` are NaN where it is unknown what the outputs predict, and for classes."""

    loss: float
    accuracy: float
    lowest_recall: float
    layers: dict[str, NDArray[np.float64]]
    states: tuple[NDArray[np.uint8], ...]
    r2: float = math.nan
    rmse: float = math.nan


class ForwardProbe:
    """Measures the layers of any ``network`` on one batch that never changes.

    ``forward(batch)`` passes the batch through the network and returns the loss and how many rows
    (examples, tokens) it is the mean of:

        def forward(batch):
            logits = model(batch["tokens"], batch["mask"])  # (batch, length, vocabulary)
            targets = batch["targets"].flatten()
            return cross_entropy(logits.flatten(0, 1), targets), len(targets)

        ForwardProbe(model, forward, batch).measure()

    ``anatomy`` holds what the first pass showed of the layers, each once, in the order of their
    calls. ``born_dead`` marks, by layer index, the units that the first measurement found dead.
    ``labels`` are names for the Linear and Conv modules, in the order in which they were
    registered, used instead of their paths. A network in torch.compile, DataParallel or
    DistributedDataParallel is measured inside its wrapper.
    """

    def __init__(
        self,
        network: nn.Module,
        forward: Callable[[Any], tuple[Tensor, float]],
        batch: Any,
        labels: Sequence[str] | None = None,
    ) -> None:
        self._wrapper, self.network = network, unwrapped(network)
        self._forward, self._batch = forward, batch
        self.names = layer_names(self.network)
        if labels:
            if len({*labels}) != len(labels) or len(labels) != len(self.names):
                raise ConfigError(
                    f"{len(self.names)} layers need as many different names, not "
                    f"{visible(list(labels))[:200]}"
                )
            self.names = dict(zip(self.names, labels, strict=True))
        self._labelled = dict(self.names) if labels else {}
        self.layer_names: tuple[str, ...] = ()
        self.born_dead: Marked | None = None
        self._multipliers: dict[tuple[int, torch.device], Tensor] = {}
        self._look: Look | None = None
        self._input: Tensor | None = None
        self._input_fraction: float | None = None
        self._weights_before: dict[str, Tensor] | None = None

    @property
    def anatomy(self) -> Anatomy:
        """What is known of the layers. The first access makes a pass, and so does the first access
        after modules were added or removed.

        Raises:
            ConfigError: as `caveats.measuring.anatomy.anatomy` does.
        """
        with measuring_pass(self._wrapper, self.network, device_of(self.network)):
            return self._looked().anatomy

    def remember(self) -> None:
        """Keep a copy of the weights, so that the next `measure` can compute the update."""
        # Reading a parametrized weight computes it, which may move buffers of its own.
        with measuring_pass(self._wrapper, self.network, device_of(self.network)):
            blanks = (self._look or self._looked()).blanks
            with torch.no_grad():
                self._weights_before = {
                    site.name: weight.detach().clone()
                    for site in blanks
                    if (weight := present_weight(site)) is not None
                }

    # Numbers that are not finite are results here; numpy's warnings would only fill a terminal.
    @np.errstate(all="ignore")
    def measure(self, silent: Sequence[Tensor] | None = None, deep: bool = False) -> Measurement:
        """Measure now, in one forward and one backward pass over the batch.

        ``silent`` marks the units that did not fire in training steps, one bool tensor (units,) for
        each layer. ``deep`` adds the spread, which takes longer than all other measures.

        Raises:
            ConfigError: if no layer takes part, if the pass fails, or if the loss has no gradient.
        """
        with measuring_pass(self._wrapper, self.network, device_of(self.network)):
            seen = self._looked()
            with (
                one_sentence(),
                watch(self.network, self.names, seen) as calls,
            ):
                value, rows = self._forward(self._batch)
                rows = float(rows)
            sites = calls if seen.hooks_suffice else aligned(calls, seen.blanks)
            loss = scalar_loss(value, [w for site in sites for w in site.weights])
            with one_sentence():
                grads = gradients(loss, sites)
            table = Columns(len(sites))
            table["units"][:] = [site.weight.shape[0] for site in sites]
            # A tensor without memory of its own (sparse, from inside a vmap) cannot be reduced.
            with torch.no_grad(), one_sentence():
                self._norms(sites, grads, rows, table)
                self._rows_of_weights(sites, grads, table)
                self._activations(sites, table)
                dead, saturated = self._slopes(sites, table)
                if deep:
                    self._deep(sites, table)
                said = fetch([loss.detach().double(), *self._scores(loss)])
                quiet = [] if silent is None else fetch(silent)
        self.layer_names = tuple(site.name for site in sites)
        states = self._states(table, dead, saturated, quiet)
        # Loss, accuracy, lowest recall, and perhaps R² and the error.
        mean, accuracy, recall, *errors = (float(number) for number in said)
        return Measurement(mean, accuracy, recall, dict(table), states, *errors)

    def _looked(self) -> Look:
        """The result of a traced pass through the network with its present modules."""
        if self._look is None or self._look.structure != list(walk(self.network)):
            before = self._look
            if before is not None:
                # A module that was put in moves the paths of those behind it.
                self.names = layer_names(self.network) | self._labelled
            self._look = look(self.network, lambda: self._forward(self._batch), self.names)
            self._weights_before = None
            if before is not None and before.sizes != self._look.sizes:
                self.born_dead = {}  # the first measurement was of other layers
        return self._look

    def _scores(self, loss: Tensor) -> list[Tensor]:
        """The accuracy, the lowest recall, and R² and the error where these are known: float64."""
        return [torch.full_like(loss.detach(), math.nan, dtype=torch.float64)] * 2

    def _norms(
        self, sites: list[Site], grads: dict[Tensor, Tensor], rows: float, table: Columns
    ) -> None:
        """‖W‖, ‖dLoss/dW‖, the size of delta, and ‖ΔW‖/‖W‖ since `remember`."""
        norms = Norms()
        # The loss is a mean over rows; times their number, delta is that of each row's loss.
        for index, site in enumerate(sites):
            norms.want("weight_norm", index, site.weight)
            norms.want("grad_norm", index, site.gradient(grads))
            if (delta := site.delta) is not None:
                norms.want("delta_rms", index, delta, rows / math.sqrt(delta.numel()))
        before, self._weights_before = self._weights_before or {}, None
        known = [
            (index, weight.detach(), before[site.name])
            for index, site in enumerate(sites)
            if site.name in before and (weight := site.weight).shape == before[site.name].shape
        ]
        if known:
            moved = torch._foreach_sub([w for _, w, _ in known], [old for _, _, old in known])
            for (index, _, old), step in zip(known, moved, strict=True):
                norms.want("update_ratio", index, step)
                norms.want("before", index, old)
        found = norms.compute(len(sites))
        if "before" in found:
            found["update_ratio"] /= found.pop("before")
        table.update(found)

    def _rows_of_weights(
        self, sites: list[Site], grads: dict[Tensor, Tensor], table: Columns
    ) -> None:
        """The measures that compare a layer's units by their rows: distinct, sign coherence."""
        groups = stacked([site.rows for site in sites])
        prints = fetch([fingerprints(rows, self._multipliers) for _, rows in groups])
        for (indices, _), of_layers in zip(groups, prints, strict=True):
            ordered = np.sort(of_layers, axis=1)
            table["distinct"][indices] = 1 + (np.diff(ordered, axis=1) != 0).sum(1)
        flat_grads = [
            None if (g := site.gradient(grads)) is None else g.reshape(len(g), -1) for site in sites
        ]
        groups = stacked(flat_grads)  # (group, units, fan_in)
        sums = fetch([torch.stack((g.sum(2).abs(), g.abs().sum(2))) for _, g in groups])
        for (indices, _), (sum_size, size_sum) in zip(groups, sums, strict=True):
            moved = size_sum > 0  # a unit without gradient has no signs
            coherence = np.where(moved, sum_size / size_sum, 0).sum(1)
            table["sign_coherence"][indices] = coherence / moved.sum(1)

    def _activations(self, sites: list[Site], table: Columns) -> None:
        """Fill in the measures of each layer's outputs and inputs. Mostly one layer's outputs are
        the next one's inputs, and are reduced only once."""
        outs = [None if s.out is None else by_unit(s.out, s.axis) for s in sites]
        feeds = [None if s.x is None else by_unit(s.x, s.axis) for s in sites]
        own_rows = None
        if self._input is not None and feeds[0] is not None:
            own_rows = place(by_unit(self._input, sites[0].axis))
        known = [
            self._input_fraction is not None and f is not None and place(f) == own_rows
            for f in feeds
        ]
        tensors = {
            place(t): t
            for t in (*outs, *(f for f, k in zip(feeds, known, strict=True) if not k))
            if t is not None
        }
        keys = list(tensors)
        # Each by itself: stacking the rows first takes as long again. (group, 3, units)
        groups = stacked([moments(tensor) for tensor in tensors.values()])
        found: dict[tuple[int, torch.Size], Summary] = {}
        reduced = fetch([group for _, group in groups])
        for (indices, _), of_units in zip(groups, reduced, strict=True):
            for index, summary in zip(indices, summaries(of_units.swapaxes(0, 1)), strict=True):
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
            elif feed is not None:
                table["mean_fraction"][index] = found[place(feed)].fraction
                if place(feed) == own_rows:  # the probe rows never change
                    self._input_fraction = found[place(feed)].fraction

    def _slopes(self, sites: list[Site], table: Columns) -> tuple[Marked, Marked]:
        """Fill in dead and saturated; returns which units are, by observed layer."""
        dead, saturated = dead_and_saturated(sites)
        for index in dead:
            table["dead"][index] = np.count_nonzero(dead[index])
            table["saturated"][index] = np.count_nonzero(saturated[index])
        return dead, saturated

    def _deep(self, sites: list[Site], table: Columns) -> None:
        for index, site in enumerate(sites):
            rows = site.rows  # (units, fan_in + 1)
            if not bool(rows.isfinite().all()):
                continue
            # From the first row on, so that copies are at 0 and near copies are not rounded away.
            away = (rows - rows[0]).double()
            table["spread"][index] = float(torch.cdist(away, away).max())

    def _states(
        self,
        table: Columns,
        dead: Marked,
        saturated: Marked,
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
            if index in self.born_dead and len(self.born_dead[index]) == len(state):
                born = dead[index] & self.born_dead[index]
                table["born_dead"][index] = np.count_nonzero(born)
            states.append(state)
        return tuple(states)


class Probe(ForwardProbe):
    """Measures ``network`` on the fixed rows ``x`` (rows, ...), ``y`` (rows, ...).

    ``loss_function(output, y)`` must be the mean of the losses of single rows. ``predicted`` turns
    outputs into classes (rows,) or numbers (rows, targets); without it the largest output is the
    class. ``unit`` (targets,) is the size of a target's unit in its own measure. For a network with
    several inputs, or a loss over tokens, use a `ForwardProbe`.
    """

    def __init__(
        self,
        network: nn.Module,
        loss_function: LossFunction,
        x: Tensor,
        y: Tensor,
        names: Sequence[str] | None = None,
        *,
        predicted: Predicted | None = None,
        unit: Tensor | None = None,
    ) -> None:
        if not isinstance(x, Tensor):
            raise ConfigError(
                f"the rows to measure on are a {type(x).__name__}, not a tensor: use a ForwardProbe"
            )
        super().__init__(network, self._pass, (x, y), names)
        self.loss_function = loss_function
        self.x = self._input = x
        self.y = y
        self._predicted, self._unit = predicted, unit
        self._output: Any = None

    def _pass(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, float]:
        x, y = batch
        self._output = self.network(x)
        return self.loss_function(self._output, y), len(x)

    def _scores(self, loss: Tensor) -> list[Tensor]:
        output, self._output = self._output, None
        if not isinstance(self.y, Tensor):
            return super()._scores(loss)
        if self._predicted is None:
            return [*hit_rates(output, self.y)]
        said = self._predicted(output)
        if not self.y.is_floating_point():
            return [*hit_shares(said, self.y)]
        assert self._unit is not None
        return [*super()._scores(loss), *of_numbers(said, self.y, self._unit)]

    @torch.no_grad()
    def confirm(self, x: Tensor, chunk: int = 4096) -> NDArray[np.float64]:
        """The number of units of each layer that are flat on every row of ``x`` (rows, ...);
        (layers,), NaN where not observable. One forward pass, at most ``chunk`` rows at a time.

        Raises:
            ConfigError: if no layer takes part, or if the pass fails.
        """
        flat: dict[int, Tensor] = {}
        layers = 0
        # Parts of nearly one size: batch norm fails on a last part of a single row.
        parts = math.ceil(len(x) / chunk)
        with measuring_pass(self._wrapper, self.network, device_of(self.network)):
            seen = self._looked()
            with one_sentence():
                for rows in x.tensor_split(parts) if parts else ():
                    with (
                        torch.no_grad(),
                        watch(self.network, self.names, seen, deltas=False) as calls,
                    ):
                        self.network(rows)
                    sites = calls if seen.hooks_suffice else aligned(calls, seen.blanks)
                    layers = len(sites)
                    for index, now in flat_by_layer(sites).items():
                        flat[index] = now & flat[index] if index in flat else now
        return np.array([float(flat[i].sum()) if i in flat else math.nan for i in range(layers)])


def present_weight(site: Site) -> Tensor | None:
    """The present weight of a layer, (units, ...); None for a weight that each pass computes."""
    if site.module is not None:
        return site.orient(site.module.weight)  # type: ignore[arg-type]
    parameters = all(isinstance(weight, nn.Parameter) for weight in site.weights)
    return site.weight if parameters else None


def gradients(loss: Tensor, sites: list[Site]) -> dict[Tensor, Tensor]:
    """dLoss/dW of every layer that takes part; ``.grad`` stays as it is."""
    weights = dict.fromkeys(weight for site in sites for weight in site.weights)
    wanted = [weight for weight in weights if weight.requires_grad]
    if not wanted or not loss.requires_grad:
        return {}
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    # An embedding's gradient may be sparse.
    return {
        p: grad.to_dense() if grad.is_sparse else grad
        for p, grad in zip(wanted, found, strict=True)
        if grad is not None
    }
