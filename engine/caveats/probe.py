"""Measures the layers of any nn.Module on a fixed set of rows; never changes what training does.

It owns the definitions of SCIENCE's measurements: dead, dormant, saturated, delta, norms,
distinct units. It knows nothing of runs, of time, or of how numbers are shown. Layers of one
shape are stacked, so that a measure costs one kernel for all of them: on 8 layers of 64 units
that is a third of the time of one after another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caveats.capture import LAYERS, Layer, Site, by_unit, capture, flat_units, undisturbed
from caveats.measures import LAYER_MEASURES, STATES

__all__ = ["DORMANT_SHARE", "Measurement", "Probe"]

DORMANT_SHARE = 0.025  # Sokar et al. 2023, section 3: their tau
SATURATED_ROWS = 0.95
PROBE_ROWS = 512

LossFunction = Callable[[Tensor, Tensor], Tensor]

SILENT, SATURATED, DEAD, UNOBSERVED = (
    STATES.index(name) for name in ("silent", "saturated", "dead", "unobserved")
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one pass saw. ``layers[name]`` is (layers,) float64, NaN where not observable;
    ``states[layer]`` is (units,) uint8, codes as in `caveats.measures.STATES`."""

    loss: float
    accuracy: float
    layers: dict[str, NDArray[np.float64]]
    states: tuple[NDArray[np.uint8], ...]


class Probe:
    """Measures ``network`` on the fixed rows ``x`` (rows, ...), ``y`` (rows, ...).

    ``loss_function(output, y)`` must be the mean of losses that belong to one row each.
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
        self._born_dead: list[NDArray[np.bool_]] | None = None
        self._projections: dict[torch.Size, Tensor] = {}
        self._weights_before: tuple[list[Tensor], list[Tensor]] | None = None

    def remember(self) -> None:
        """Keep a copy of the weights, so that the next `measure` can tell how far a step moved."""
        weights = [m.weight for m in self.names]
        self._weights_before = (weights, [w.detach().clone() for w in weights])

    def measure(self, silent: Sequence[Tensor] | None = None, deep: bool = False) -> Measurement:
        """Measure now, in one forward and one backward pass over the probe rows.

        ``silent`` marks units, one bool tensor (units,) for each hidden layer, that the training
        steps have not seen firing. ``deep`` adds what costs more than all the rest: spread and
        effective rank.
        """
        updates = self._updates()
        with undisturbed(self.network, self.x.device), torch.enable_grad():
            with capture(self.network, self.names) as sites:
                output = self.network(self.x)
            loss = self.loss_function(output, self.y)
            weights = [site.module.weight for site in sites]
            biases = [s.module.bias for s in sites if s.module.bias is not None]
            wanted = [p for p in (*weights, *biases) if p.requires_grad]
            grads = dict(
                zip(wanted, torch.autograd.grad(loss, wanted, allow_unused=True), strict=True)
                if wanted and loss.requires_grad
                else ()
            )
        self.layer_names = tuple(site.name for site in sites)
        with torch.no_grad():
            empty = torch.full((len(sites),), math.nan, dtype=torch.float64, device=self.x.device)
            columns = {name: empty.clone() for name in LAYER_MEASURES}
            unit_flags = self._activations(sites, columns)
            self._deltas(sites, columns)
            self._weights(sites, grads, columns)
            if updates is not None:
                columns["update_ratio"] = torch.stack([updates[site.module] for site in sites])
            if deep:
                self._deep(sites, columns)
            hits = (
                (output.argmax(-1) == self.y).double().mean()
                if not self.y.is_floating_point()
                else torch.tensor(math.nan, dtype=torch.float64)
            )
            # Everything crosses to the host at once: one wait on a GPU, not one for each number.
            table = torch.stack(list(columns.values())).cpu().numpy()  # (measures, layers)
            scalars = torch.stack([loss.detach().double(), hits.to(loss.device)]).cpu().tolist()
            flags = [None if f is None else f.cpu().numpy() for f in unit_flags]
            quiet = None if silent is None else [s.cpu().numpy() for s in silent]
        layers = dict(zip(columns, table, strict=True))
        states = self._states(sites, flags, quiet, layers)
        return Measurement(scalars[0], scalars[1], layers, states)

    @torch.no_grad()
    def confirm(self, x: Tensor, chunk: int = 4096) -> NDArray[np.float64]:
        """Units that are flat on every row of ``x`` (rows, ...), counted for each layer; (layers,),
        NaN where not observable. One forward pass, ``chunk`` rows at a time."""
        flat: list[Tensor | None] = []
        with undisturbed(self.network, self.x.device):
            for start in range(0, len(x), chunk):
                with capture(self.network, self.names) as sites:
                    self.network(x[start : start + chunk])
                for index, site in enumerate(sites):
                    if start == 0:
                        flat.append(flat_units(site))
                    elif (before := flat[index]) is not None and (
                        now := flat_units(site)
                    ) is not None:
                        flat[index] = before & now
        return np.array([math.nan if f is None else float(f.sum()) for f in flat])

    def _updates(self) -> dict[Layer, Tensor] | None:
        """‖ΔW‖/‖W‖ since `remember`, float64 scalars."""
        if self._weights_before is None:
            return None
        after, before = self._weights_before
        self._weights_before = None
        with torch.no_grad():
            moved = torch._foreach_norm(torch._foreach_sub(after, before), 2, torch.float64)
            sizes = torch._foreach_norm(before, 2, torch.float64)
        return dict(zip(self.names, torch._foreach_div(moved, sizes), strict=True))

    def _activations(self, sites: list[Site], columns: dict[str, Tensor]) -> list[Tensor | None]:
        """Fill the columns about activations; returns per layer (2, units): dead, saturated."""
        flags: list[Tensor | None] = [None] * len(sites)
        for indices, pre in stacked([None if s.facts is None else s.pre for s in sites], sites):
            facts = [sites[i].facts for i in indices]
            # pre is (layers, rows, units); limits are (layers, 1, 1)
            limits = torch.tensor(
                [(*f.flat, *f.tails) for f in facts if f is not None],
                dtype=pre.dtype, device=pre.device,
            ).T[:, :, None, None]  # fmt: skip
            low, high, tail_low, tail_high = limits
            if all(f is not None and f.flat[1] == math.inf for f in facts):
                dead = pre.amax(1) <= low[:, 0]  # (layers, units)
            else:
                dead = ((pre <= low) | (pre >= high)).all(1)
            if any(f is not None and f.can_saturate for f in facts):
                in_tail = (pre < tail_low) | (pre > tail_high)
                saturated = in_tail.mean(1, dtype=pre.dtype) >= SATURATED_ROWS
            else:
                saturated = torch.zeros_like(dead)
            columns["dead"][indices] = dead.sum(1).double()
            columns["saturated"][indices] = saturated.sum(1).double()
            for position, index in enumerate(indices):
                flags[index] = torch.stack((dead[position], saturated[position]))
        outs = [None if s.out is None else by_unit(s.out, s.module) for s in sites]
        feeds = [by_unit(s.x, s.module) for s in sites]
        of_outs, of_feeds = moments(outs, feeds)
        for index, out in enumerate(of_outs):
            if out is not None:
                average = out.mean.mean()
                variance = out.square.mean() - average.square()
                dormant = out.size <= DORMANT_SHARE * out.size.mean()
                columns["activation_mean"][index] = average
                columns["activation_std"][index] = variance.clamp(min=0).sqrt()
                columns["dormant"][index] = dormant.sum()
        for index, feed in enumerate(of_feeds):
            if feed is not None:
                columns["mean_fraction"][index] = feed.mean.square().sum() / feed.square.sum()
        return flags

    def _deltas(self, sites: list[Site], columns: dict[str, Tensor]) -> None:
        # The loss is a mean over rows: times the rows, delta is that of each row's own loss.
        rows = len(self.x)
        found = {i: site.delta for i, site in enumerate(sites) if site.delta is not None}
        for index, norm in zip(
            found, torch._foreach_norm(list(found.values()), 2, torch.float64), strict=True
        ):
            columns["delta_rms"][index] = norm * rows / math.sqrt(found[index].numel())

    def _weights(
        self, sites: list[Site], grads: dict[Tensor, Tensor], columns: dict[str, Tensor]
    ) -> None:
        device = self.x.device
        weights = [site.module.weight for site in sites]
        columns["weight_norm"] = torch.stack(torch._foreach_norm(weights, 2, torch.float64))
        columns["units"] = torch.tensor(
            [w.shape[0] for w in weights], dtype=torch.float64, device=device
        )
        for column, parameter in (("grad_norm", "weight"), ("bias_grad_norm", "bias")):
            found = {
                i: grad
                for i, site in enumerate(sites)
                if (grad := grads.get(getattr(site.module, parameter))) is not None
            }
            if found:
                norms = torch._foreach_norm(list(found.values()), 2, torch.float64)
                columns[column][list(found)] = torch.stack(norms)
        flat_grads = [
            None if (g := grads.get(w)) is None else g.reshape(len(w), -1) for w in weights
        ]
        for indices, grad in stacked(flat_grads):  # (layers, units, fan_in)
            coherence = grad.sum(2).abs() / grad.abs().sum(2)
            columns["sign_coherence"][indices] = coherence.nanmean(1).double()
        for indices, rows in stacked([unit_rows(site.module) for site in sites]):
            # Equal rows have equal projections to the bit; unequal ones never meet by chance.
            projected = (rows.double() * self._projection(rows)).sum(2).sort(1).values
            columns["distinct"][indices] = 1 + (projected.diff(dim=1) != 0).sum(1).double()

    def _projection(self, rows: Tensor) -> Tensor:
        size = rows.shape[2:]
        if size not in self._projections:
            generator = torch.Generator().manual_seed(0)
            direction = torch.randn(size, generator=generator, dtype=torch.float64)
            self._projections[size] = direction.to(rows.device)
        return self._projections[size]

    def _deep(self, sites: list[Site], columns: dict[str, Tensor]) -> None:
        for index, site in enumerate(sites):
            rows = unit_rows(site.module)  # (units, fan_in + 1)
            if not bool(rows.isfinite().all()):
                continue
            columns["spread"][index] = torch.cdist(rows, rows).max().double()
            weight = site.module.weight.reshape(len(rows), -1)
            singular = torch.linalg.svdvals(weight).double()
            share = singular / singular.sum()
            columns["effective_rank"][index] = torch.special.entr(share).sum().exp()

    def _states(
        self,
        sites: list[Site],
        flags: list[NDArray[np.bool_] | None],
        quiet: list[NDArray[np.bool_]] | None,
        layers: dict[str, NDArray[np.float64]],
    ) -> tuple[NDArray[np.uint8], ...]:
        if self._born_dead is None or len(self._born_dead) != len(sites):
            self._born_dead = [np.zeros(0, bool) if f is None else f[0] for f in flags]
        states = []
        for index, flag in enumerate(flags):
            if flag is None:
                units = int(layers["units"][index])
                states.append(np.full(units, UNOBSERVED, np.uint8))
                continue
            dead, saturated = flag
            state = np.zeros(len(dead), np.uint8)
            if quiet is not None and index < len(quiet):
                state[quiet[index]] = SILENT
                layers["silent"][index] = np.count_nonzero(quiet[index])
            state[saturated] = SATURATED
            state[dead] = DEAD
            layers["born_dead"][index] = np.count_nonzero(dead & self._born_dead[index])
            states.append(state)
        return tuple(states)


@dataclass(frozen=True, slots=True)
class Moments:
    """Of each unit over the rows: E a, E a² and E |a|, all (units,) float64."""

    mean: Tensor
    square: Tensor
    size: Tensor


def moments(*lists: Sequence[Tensor | None]) -> tuple[list[Moments | None], ...]:
    """The moments of every tensor (rows, units); one that is met twice is computed once, as what
    leaves a layer is mostly what feeds the next."""
    distinct = {place(t): t for tensors in lists for t in tensors if t is not None}
    computed: dict[tuple[int, torch.Size], Moments] = {}
    keys = list(distinct)
    for indices, group in stacked(list(distinct.values())):
        # float64: the variance of a collapsed layer is the small difference of two large numbers.
        group = group.double()  # (group, rows, units)
        parts = group.mean(1), (group * group).mean(1), group.abs().mean(1)
        for index, *of_one in zip(indices, *parts, strict=True):
            computed[keys[index]] = Moments(*of_one)
    return tuple([None if t is None else computed[place(t)] for t in ts] for ts in lists)


def place(tensor: Tensor) -> tuple[int, torch.Size]:
    """Where a tensor lies: an in-place or reshaping module hands on the same memory."""
    return tensor.data_ptr(), tensor.shape


def unit_rows(module: Layer) -> Tensor:
    """The rows of [W, b], (units, fan_in + 1); without a bias (units, fan_in)."""
    weight = module.weight.detach().reshape(len(module.weight), -1)
    if module.bias is None:
        return weight
    return torch.cat((weight, module.bias.detach()[:, None]), 1)


def stacked(
    tensors: Sequence[Tensor | None], sites: list[Site] | None = None
) -> list[tuple[list[int], Tensor]]:
    """Group tensors by shape: [(indices, (group, ...) tensor)]; with ``sites`` as (rows, units)."""
    groups: dict[torch.Size, tuple[list[int], list[Tensor]]] = {}
    for index, tensor in enumerate(tensors):
        if tensor is None:
            continue
        if sites is not None:
            tensor = by_unit(tensor, sites[index].module)
        indices, members = groups.setdefault(tensor.shape, ([], []))
        indices.append(index)
        members.append(tensor)
    return [(indices, torch.stack(members)) for indices, members in groups.values()]
