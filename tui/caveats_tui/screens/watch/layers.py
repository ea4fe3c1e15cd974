"""The list of a model's layers: one line each with its newest numbers, as the tree of its modules
or the worst first, and those that a search finds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from rich.text import Text

from caveats.history import Snapshot
from caveats_tui.charts.spec import Floats
from caveats_tui.charts.trace import Trace
from caveats_tui.text.numbers import brief

__all__ = ["chosen", "held", "layer_lines", "narrowed"]

HEAT = (
    (0.5, "bold red"), (0.25, "yellow"), (0.0, ""),
)  # fmt: skip


def chosen(trace: Trace, sought: str, worst_first: bool) -> list[int]:
    """The indices of the layers whose name holds ``sought`` (all where none does), in the order of
    the model or the worst first: the most dead units, then the smallest gradient."""
    found = [i for i, name in enumerate(trace.layers) if sought.lower() in name.lower()]
    found = found or list(range(len(trace.layers)))
    if not worst_first or not len(trace.seen):
        return found
    share, grads = dead_shares(trace), newest(trace.seen, "grad_norm")
    return sorted(found, key=lambda i: (-np.nan_to_num(share[i], nan=-1.0), grads[i]))


def held(trace: Trace) -> Trace:
    """The trace with the newest known layers in records that have only the loss: steps for which
    the budget had no sample."""
    seen = trace.snapshot
    whole = seen.whole()
    if whole.all():
        return trace
    rows = np.maximum.accumulate(np.where(whole, np.arange(len(seen)), 0))
    full = Snapshot(seen.steps, seen.table, seen.cube[rows], seen.states, seen.events)
    return replace(trace, snapshot=full)


def narrowed(trace: Trace, which: list[int], most: int) -> Trace:
    """The trace with only these layers, at most so many, in their order, and the output last:
    charts take the last layer for the output."""
    last = len(trace.layers) - 1
    which = [*[i for i in which if i != last][:most], last]
    if which == list(range(last + 1)):
        return trace
    seen = trace.snapshot
    states = tuple(
        tuple(record[i] for i in which) if len(record) == len(trace.layers) else record
        for record in seen.states
    )
    part = Snapshot(seen.steps, seen.table, seen.cube[:, :, which], states, seen.events)
    return replace(trace, snapshot=part, layers=tuple(trace.layers[i] for i in which))


def layer_lines(trace: Trace, which: list[int], tree: bool, width: int) -> Text:
    """One line a layer: name, share of dead units, ‖dW‖, ‖ΔW‖/‖W‖. In a ``tree``, each module
    stands once above its layers."""
    text = Text(no_wrap=True, overflow="crop")
    room = max(8, width - 19)
    text.append(f"{'layer':<{room}} dead  ‖dW‖   step\n", style="dim")
    if not len(trace.seen):
        return text
    share = dead_shares(trace)
    grads, steps = newest(trace.seen, "grad_norm"), newest(trace.seen, "update_ratio")
    above = ""
    for index in which:
        module, _, own = trace.layers[index].rpartition(".") if tree else ("", "", "")
        if tree and module and module != above:
            text.append(f"{shortened(module, width)}\n", style="dim")
        above = module
        name = f"  {own}" if module else trace.layers[index]
        text.append(f"{shortened(name, room):<{room}} ")
        style = next((s for least, s in HEAT if share[index] >= least), "")
        text.append(f"{percent(share[index]):>4}", style=style)
        text.append(f" {number(grads[index]):>6} {number(steps[index]):>6}\n")
    return text


def dead_shares(trace: Trace) -> Floats:
    """The newest share of dead units that is known of each layer, (layers,)."""
    with np.errstate(all="ignore"):
        shares: Floats = newest(trace.seen, "dead") / newest(trace.seen, "units")
    return shares


def shortened(name: str, room: int) -> str:
    """The end of a name that is too long: it tells most."""
    return name if len(name) <= room else "…" + name[1 - room :]


def newest(seen: Snapshot, measure: str) -> Floats:
    """The newest value that is known of each layer, (layers,)."""
    column = seen.layers(measure)[-64:]
    found = np.full(column.shape[1], math.nan)
    for row in column:
        found = np.where(np.isfinite(row), row, found)
    return found


def percent(share: float) -> str:
    return "?" if math.isnan(share) else f"{share:.0%}"


def number(value: float) -> str:
    return "?" if math.isnan(value) else brief(value, 1 if 1e-4 <= abs(value) < 1e-3 else 2)
