"""One call of one layer: its weights, and every tensor of the pass that the measures need.

`caveats.measuring.capture` and `caveats.measuring.tracing` fill sites in; the probe reads them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from caveats.facts import Kind, Normalization
from caveats.models.activations import Activation

__all__ = ["Site", "by_unit", "keep", "merged", "turned"]


def keep(weight: Tensor) -> Tensor:
    return weight


def turned(weight: Tensor) -> Tensor:
    """(inputs, units) -> (units, inputs)."""
    return weight.mT


NOTHING = torch.empty(0)


@dataclass(slots=True, eq=False)
class Site:
    """One call of one layer during a pass, or all its calls (`merged`).

    ``weights`` and ``biases`` are the tensors that the pass used; `weight` joins the weights to one
    (units, ...) tensor, after ``orient`` has put each into that order. Units are along dimension
    ``axis`` (from the end) of x, z, pre and out, which are detached and keep the shapes of the
    pass: `by_unit` makes them (rows, units). ``facts`` are those of the activation that followed,
    ``pre`` and ``out`` its input and output; None if there was none, or if they were overwritten
    later in the pass. ``gates`` are further activations of the same units, as in a recurrent layer.
    ``deltas`` holds dLoss/dz (one for each step of a recurrent layer), None before the backward
    pass. ``module`` is the torch layer whose one weight this is, if there is one; ``calls`` are the
    calls that `merged` joined.

    The other fields are those of `caveats.facts.LayerFacts`; ``reason`` says why the activation is
    not observable. ``by_hooks`` says that hooks alone see everything that this site holds.
    ``taken`` are layer measures, by name, that only the pass itself can take.
    """

    name: str
    kind: Kind
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...] = ()
    axis: int = -1
    x: Tensor | None = None
    z: Tensor = NOTHING
    orient: Callable[[Tensor], Tensor] = keep
    module: nn.Module | None = None
    facts: Activation | None = None
    pre: Tensor | None = None
    out: Tensor | None = None
    gates: tuple[tuple[Activation, Tensor], ...] = ()
    deltas: list[Tensor | None] = field(default_factory=list)
    units: int = 0
    fan_in: int = 0
    normalization: Normalization = "none"
    residual: bool = False
    dropout: float = 0.0
    output: bool = False
    reason: str = ""
    by_hooks: bool = False
    calls: tuple[Site, ...] = ()
    taken: dict[str, float] = field(default_factory=dict)

    @property
    def weight(self) -> Tensor:
        """(units, ...); if there are several weights, all those of a unit in one row."""
        return joined(self.weights, self.orient)

    @property
    def rows(self) -> Tensor:
        """The rows of [W, b], (units, fan_in + 1); without a bias (units, fan_in)."""
        weight = self.weight.detach()
        units = weight.shape[0]
        parts = [weight.reshape(units, -1)]
        # A recurrent unit has a bias for each of its gates.
        parts += [b.detach().reshape(-1, units).T for b in self.biases]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def gradient(self, grads: Mapping[Tensor, Tensor]) -> Tensor | None:
        """dLoss/dW in the shape of `weight`; None if there is none."""
        if any(list(map(id, call.weights)) != list(map(id, self.weights)) for call in self.calls):
            return None  # each call computed new weights: no single tensor has the gradient
        found = [grads[w] for w in self.weights if w in grads]
        whole = found and len(found) == len(self.weights)
        return joined(found, self.orient) if whole else None

    @property
    def delta(self) -> Tensor | None:
        """dLoss/dz, None if no gradient arrived; 0 where the loss does not depend on z."""
        if len(self.deltas) == 1:
            return self.deltas[0]
        if self.calls:
            found = [(call, call.delta) for call in self.calls]
            if all(delta is None for _, delta in found):
                return None
            filled = [(c, torch.zeros_like(c.z) if d is None else d) for c, d in found]
            return torch.cat([by_unit(delta, call.axis) for call, delta in filled])
        if all(delta is None for delta in self.deltas):
            return None
        zero = torch.zeros_like(self.z[0])
        return torch.stack([zero if d is None else d for d in self.deltas])  # (steps, ...)


def joined(tensors: Sequence[Tensor], orient: Callable[[Tensor], Tensor]) -> Tensor:
    if len(tensors) == 1:
        return orient(tensors[0])
    return torch.cat([orient(tensor).flatten(1) for tensor in tensors], 1)


def by_unit(tensor: Tensor, axis: int) -> Tensor:
    """(rows, units): for a convolution the unit is the channel, over rows and positions."""
    if axis != -1:
        tensor = tensor.movedim(axis, -1)
    elif tensor.ndim == 2:
        return tensor
    return tensor.reshape(-1, tensor.shape[-1])


def merged(sites: Sequence[Site]) -> list[Site]:
    """One site for each layer, in the order of the first calls. The rows of several calls (a layer
    used twice, a cell at every step) are stacked. Where one weight has calls of different widths
    (the words of an embedding, and a head that multiplies by the same weight), each width is a
    layer, and the later ones are numbered."""
    by_layer: dict[tuple[str, int], list[Site]] = {}
    for site in sites:
        by_layer.setdefault((site.name, site.z.shape[site.axis]), []).append(site)
    found = [calls[0] if len(calls) == 1 else together(calls) for calls in by_layer.values()]
    seen: Counter[str] = Counter()
    for place, site in enumerate(found):
        seen[site.name] += 1
        if seen[site.name] > 1:
            found[place] = replace(site, name=f"{site.name} ({seen[site.name]})")
    return found


def together(calls: Sequence[Site]) -> Site:
    first = calls[0]
    alike = all(call.facts == first.facts for call in calls)
    reasons = [call.reason for call in calls if call.reason]
    if not alike:
        reasons.append("its calls are followed by different activations")
    return replace(
        first,
        axis=-1,
        x=below(calls, [call.x for call in calls]),
        z=torch.cat([by_unit(call.z, call.axis) for call in calls]),
        facts=first.facts if alike else None,
        pre=below(calls, [call.pre for call in calls]) if alike else None,
        out=below(calls, [call.out for call in calls]) if alike else None,
        gates=tuple(
            (facts, torch.cat([by_unit(call.gates[i][1], call.axis) for call in calls]))
            for i, (facts, _) in enumerate(first.gates)
        ),
        deltas=[],
        residual=all(call.residual for call in calls),
        dropout=max(call.dropout for call in calls),
        output=any(call.output for call in calls),
        reason=reasons[0] if reasons else "",
        by_hooks=False,
        calls=tuple(calls),
    )


def below(calls: Sequence[Site], tensors: Sequence[Tensor | None]) -> Tensor | None:
    """(rows, units) of all calls; None if one is missing."""
    known = [by_unit(t, c.axis) for c, t in zip(calls, tensors, strict=True) if t is not None]
    return torch.cat(known) if len(known) == len(calls) else None
