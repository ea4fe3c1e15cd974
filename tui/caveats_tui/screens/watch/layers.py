"""The list of a model's layers: one line each with its newest numbers, in the order of the model or
the worst first, and those that a search finds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from rich.text import Text

from caveats.history import Snapshot
from caveats_tui.charts.spec import Floats
from caveats_tui.charts.trace import Trace

__all__ = ["chosen", "layer_lines", "narrowed"]

HEAT = (
    (0.5, "bold red"), (0.25, "yellow"), (0.0, ""),
)  # fmt: skip
NAME = 18


def chosen(layers: tuple[str, ...], sought: str) -> list[int]:
    """The indices of the layers whose name holds ``sought``; all where none does."""
    found = [i for i, name in enumerate(layers) if sought.lower() in name.lower()]
    return found or list(range(len(layers)))


def narrowed(trace: Trace, which: list[int]) -> Trace:
    """The trace with only these layers."""
    if len(which) == len(trace.layers):
        return trace
    seen = trace.snapshot
    states = tuple(
        tuple(record[i] for i in which) if len(record) == len(trace.layers) else record
        for record in seen.states
    )
    part = Snapshot(seen.steps, seen.table, seen.cube[:, :, which], states, seen.events)
    return replace(trace, snapshot=part, layers=tuple(trace.layers[i] for i in which))


def layer_lines(trace: Trace, which: list[int], worst_first: bool, width: int) -> Text:
    """One line a layer: name, share of dead units, ‖dW‖, ‖ΔW‖/‖W‖."""
    text = Text(no_wrap=True, overflow="crop")
    room = max(8, width - 18)
    text.append(f"{'layer':<{room}} dead  ‖dW‖   step\n", style="dim")
    if not len(trace.seen):
        return text
    dead, units = newest(trace.seen, "dead"), newest(trace.seen, "units")
    grads, steps = newest(trace.seen, "grad_norm"), newest(trace.seen, "update_ratio")
    with np.errstate(all="ignore"):
        share = dead / units
    order = which
    if worst_first:
        order = sorted(which, key=lambda i: (-np.nan_to_num(share[i], nan=-1.0), grads[i]))
    for index in order:
        name = trace.layers[index]
        name = name if len(name) <= room else "…" + name[1 - room :]
        text.append(f"{name:<{room}} ")
        style = next((s for least, s in HEAT if share[index] >= least), "")
        text.append(f"{percent(share[index]):>4}", style=style)
        text.append(f" {number(grads[index]):>6} {number(steps[index]):>6}\n")
    return text


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
    return "?" if math.isnan(value) else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
