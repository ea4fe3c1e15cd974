"""Splits torch's recurrent layers into one layer for each level and direction, for a trace.

`caveats.measuring.recurrent` computes the steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from caveats.measuring.lineage import Lineage, Node
from caveats.measuring.recurrent import Steps, gates_of_units, run_level
from caveats.measuring.sites import Site
from caveats.measuring.weights import Weights

__all__ = ["cell", "sequence"]


class Trace(Protocol):
    """What is needed of a `caveats.measuring.tracing.Trace`."""

    sites: list[Site]
    lineage: Lineage
    weights: Weights
    deltas: bool

    def other(self, name: str, func: Any, args: Any, kwargs: Any) -> Any: ...
    def nodes(self, tensors: Iterable[Any]) -> list[Node]: ...
    def add(self, site: Site, inputs: Sequence[Tensor], z: Tensor, bends: bool = False) -> bool: ...


def sequence(trace: Trace, name: str, func: Any, args: Any, kwargs: Any) -> Any:
    """Levels of recurrent layers over (steps, batch, features), or batch first."""
    if kwargs or len(args) != 9 or not isinstance(args[2], (list, tuple)):
        return trace.other(name, func, args, kwargs)  # a packed sequence
    x, state, weights, biased, levels, dropout, _, both_ways, batch_first = args
    directions = 2 if both_ways else 1
    each = len(weights) // (levels * directions)
    if each != (4 if biased else 2):  # a projected LSTM has one weight more
        return trace.other(name, func, args, kwargs)
    states = state if name == "lstm" else (state,)
    first = x
    x = x.transpose(0, 1) if batch_first else x
    last: list[tuple[Tensor, ...]] = []
    for level in range(levels):
        fed, outputs = (first if level == 0 else x), []
        for direction in range(directions):
            at = level * directions + direction
            own = weights[at * each : (at + 1) * each]
            begin = tuple(s[at] for s in states)
            h, end, steps = run_level(name, x, begin, own[:2], own[2:], direction == 1)
            recurrent(trace, own, [fed], h, steps, levels * directions > 1)
            outputs.append(h)
            last.append(end)
            if level < levels - 1:
                trace.sites[-1].dropout = dropout
        x = torch.cat(outputs, -1)  # (steps, batch, directions · hidden)
        trace.lineage.add([x], trace.nodes(outputs), None, trace.sites[-directions:])
    out = x.transpose(0, 1) if batch_first else x
    ends = [torch.stack(part) for part in zip(*last, strict=True)]
    trace.lineage.add([out, *ends], trace.nodes([x]), None, trace.sites[-directions:])
    return (out, *ends)


def cell(trace: Trace, name: str, func: Any, args: Any, kwargs: Any) -> Any:
    """One step from x (batch, features), the state, and the weights and biases."""
    if kwargs or args[2] not in trace.weights:
        return trace.other(name, func, args, kwargs)
    kind = name.removesuffix("_cell")
    x, state, own = args[0], args[1], args[2:]
    own = [tensor for tensor in own if tensor is not None]
    states = state if kind == "lstm" else (state,)
    h, end, steps = run_level(kind, x[None], tuple(states), own[:2], own[2:], False)
    recurrent(trace, own, [x], h, steps, False)
    trace.lineage.add(end, trace.nodes([h]), None, [trace.sites[-1]])
    return end if kind == "lstm" else end[0]


def recurrent(
    trace: Trace, own: Sequence[Tensor], fed: list[Tensor], h: Tensor, steps: Steps, several: bool
) -> None:
    source = trace.weights.parameter(own[0])
    assert source is not None
    owner = trace.weights.owner(source)
    name = owner.path or "layer"
    if several:
        name += "." + owner.name.removeprefix("weight_ih_")
    site = Site(
        name,
        "recurrent",
        tuple(own[:2]),
        tuple(own[2:]),
        x=fed[0].detach(),
        z=h.detach(),
        orient=partial(gates_of_units, h.shape[-1]),
        facts=steps.facts,
        pre=torch.stack(steps.pre),
        out=h.detach(),
        gates=steps.stacked_gates(),
        fan_in=own[0].shape[1] + own[1].shape[1],
        deltas=[None] * len(steps.hidden),
    )
    if trace.add(site, fed, h, bends=True) and trace.deltas:
        for at, state in enumerate(steps.hidden):
            if state.requires_grad:
                state.register_hook(partial(site.deltas.__setitem__, at))  # type: ignore[no-untyped-call]
