"""The data of a chart as csv, short enough for a terminal's clipboard. It copies nothing itself."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from caveats.measures import UNIT_STATES
from caveats.runs.tables import cell
from caveats_tui.charts.lab_charts import predicted, steepest
from caveats_tui.charts.trace import Trace
from caveats_tui.text.numbers import size

if TYPE_CHECKING:
    from caveats.views import FittedCurve, Plane
    from caveats_tui.charts.noise_scale import NoiseReadings

__all__ = ["LARGEST_CSV", "Copied", "copied"]

# Bytes of csv. In base64, with the escape sequence around it, they make 100,000 bytes: hterm and
# others drop an OSC 52 longer than that; xterm, kitty, foot, iTerm2 and tmux accept more.
LARGEST_CSV = 74_994

MOST_POINTS = 1900  # lines of some 38 bytes

Cells = list[str]
Picture: TypeAlias = "Plane | FittedCurve | NoiseReadings"  # what a network was asked


@dataclass(frozen=True, slots=True)
class Copied:
    """The csv, None if there is none to copy, and the sentence about it."""

    text: str | None
    sentence: str


def copied(view: str, trace: Trace | None, picture: Picture | None) -> Copied:
    """What a ``view`` (named as in the lab's panels) shows, as csv of at most `LARGEST_CSV` bytes;
    ``picture`` is the network's answer over a plane or a line, if the view shows one.

    Curves over the steps contain every record, also those after a time cursor. If they are too
    large, every second record is taken, or every third and so on, always with the last. Everything
    else is copied whole or not at all. The ghost is left out, because it belongs to another run.
    """
    rows = table(view, trace, picture)
    if len(rows) < 2:
        return Copied(None, "nothing to copy: the chart is empty yet")
    count = len(rows) - 1
    text = written(rows)
    if len(text) <= LARGEST_CSV:
        return Copied(text, f"copied {count:,} row{'s' * (count > 1)} of csv, {size(text)}")
    if rows[0][0] != "step":
        return Copied(None, f"not copied: {size(text)} of csv are too large for a terminal")
    stride = math.ceil(len(text) / LARGEST_CSV)
    while len(thinner := written(thinned(rows, stride))) > LARGEST_CSV:
        stride += 1
    kept = len(thinned(rows, stride)) - 1
    return Copied(thinner, f"copied {kept:,} of {count:,} records, all that fit: export writes all")


def thinned(rows: Sequence[Cells], stride: int) -> list[Cells]:
    """The heading, and every ``stride``-th row, counted back from the last."""
    return [rows[0], *rows[:0:-stride][::-1]]


def written(rows: Sequence[Cells]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def table(view: str, trace: Trace | None, picture: Picture | None) -> list[Cells]:
    """The heading and the rows; where there are no data, the heading alone or nothing."""
    if view == "boundary":
        return [] if picture is None else regions(cast("Plane", picture))
    if view == "fit":
        return [] if picture is None else fitted(cast("FittedCurve", picture))
    if view == "noise":
        return [] if picture is None else noise_scales(cast("NoiseReadings", picture))
    if trace is None or not len(trace.snapshot):
        return []
    return VIEW_TABLES[view](trace)


def over_steps(measure: str, *, hidden: bool) -> Callable[[Trace], list[Cells]]:
    """One row for each record, one column for each layer."""

    def make(trace: Trace) -> list[Cells]:
        values = trace.snapshot.layers(measure)  # (records, layers)
        count = values.shape[1] - hidden
        rows = [
            [str(step), *map(cell, row)]
            for step, row in zip(
                trace.snapshot.steps.tolist(), values[:, :count].tolist(), strict=True
            )
        ]
        return [["step", *trace.layers[:count]], *rows]

    return make


def losses(trace: Trace) -> list[Cells]:
    """One row for each record: the loss, and the accuracy and what was held out where there are
    such numbers."""
    names = ["loss", "accuracy"]
    if np.isnan(trace.snapshot.scalar("accuracy")).all():
        names.remove("accuracy")
    if not np.isnan(trace.snapshot.scalar("validation_loss")).all():
        names += ["validation_loss", "validation_accuracy"]
    columns = [trace.snapshot.scalar(name).tolist() for name in names]
    rows = [
        [str(step), *map(cell, row)]
        for step, *row in zip(trace.snapshot.steps.tolist(), *columns, strict=True)
    ]
    return [["step", *names], *rows]


def readings(trace: Trace) -> list[Cells]:
    """One row for each record at which the sharpness was read, with the limit of the optimizer."""
    values = trace.snapshot.scalar("sharpness")
    most = cell(steepest(trace))
    rows = [
        [str(step), cell(value), most]
        for step, value in zip(trace.snapshot.steps.tolist(), values.tolist(), strict=True)
        if not math.isnan(value)
    ]
    return [["step", "sharpness", "limit"], *rows]


def across(measure: str, *, hidden: bool) -> Callable[[Trace], list[Cells]]:
    """One row for each layer: its value at step 0, at the record shown, and what theory predicts
    for step 0."""

    def make(trace: Trace) -> list[Cells]:
        values = trace.seen.layers(measure)
        said = predicted(trace, measure)
        head = ["layer", "step 0", f"step {int(trace.seen.steps[-1])}"]
        rows = [
            [trace.layers[i], cell(float(values[0, i])), cell(float(values[-1, i]))]
            for i in range(values.shape[1] - hidden)
        ]
        if said is not None:
            head.append("theory")
            for i, row in enumerate(rows):
                row.append(cell(float(said[i])))
        return [head, *rows]

    return make


def activations(trace: Trace) -> list[Cells]:
    means, stds = (trace.seen.layers(f"activation_{part}") for part in ("mean", "std"))
    now = int(trace.seen.steps[-1])
    head = ["layer", "mean step 0", "std step 0", f"mean step {now}", f"std step {now}"]
    rows = [
        [trace.layers[i], *(cell(float(v[r, i])) for r in (0, -1) for v in (means, stds))]
        for i in range(len(trace.layers) - 1)
    ]
    return [head, *rows]


def neurons(trace: Trace) -> list[Cells]:
    """One row for each hidden unit, counted from 0 in its layer, at the record shown."""
    rows = [
        [layer, str(unit), UNIT_STATES[code]]
        for layer, states in zip(trace.layers[:-1], trace.seen.states[-1][:-1], strict=True)
        for unit, code in enumerate(states.tolist())
    ]
    return [["layer", "unit", "state"], *rows]


def regions(seen: Plane) -> list[Cells]:
    """One row for each point of the map: its place, the class that the network predicts there, and
    the probability that it gives to that class. Of a large map every second line, so that it fits
    into a clipboard."""
    height, width = seen.classes.shape
    stride = 2 if height * width > MOST_POINTS else 1
    (left, bottom), (right, top) = seen.corners.tolist()
    rows = [
        [
            cell(left + (column + 0.5) / width * (right - left)),
            cell(top - (row + 0.5) / height * (top - bottom)),
            str(int(seen.classes[row, column])),
            cell(float(seen.confidence[row, column])),
        ]
        for row in range(0, height, stride)
        for column in range(width)
    ]
    return [["x1", "x2", "class", "confidence"], *rows]


def fitted(seen: FittedCurve) -> list[Cells]:
    """The network's output along the line, and the targets of the data set."""
    rows = [[cell(float(x)), cell(float(y))] for x, y in zip(seen.grid, seen.output, strict=True)]
    return [["x", "network"], *rows]


def noise_scales(seen: NoiseReadings) -> list[Cells]:
    """One row for each reading of the noise scale, with the rows of a batch."""
    pairs = zip(seen.steps.tolist(), seen.values.tolist(), strict=True)
    rows = [[str(int(step)), cell(value), str(seen.batch)] for step, value in pairs]
    return [["step", "noise scale", "batch"], *rows]


VIEW_TABLES: dict[str, Callable[[Trace], list[Cells]]] = {
    "dead": over_steps("dead", hidden=True),
    "gradient": over_steps("grad_norm", hidden=False),
    "loss": losses,
    "activations": activations,
    "gradient_profile": across("grad_norm", hidden=False),
    "delta": over_steps("delta_rms", hidden=False),
    "delta_profile": across("delta_rms", hidden=False),
    "dead_profile": across("dead", hidden=True),
    "update": over_steps("update_ratio", hidden=False),
    "dead_map": over_steps("dead", hidden=True),
    "saturated_map": over_steps("saturated", hidden=True),
    "gradient_map": over_steps("grad_norm", hidden=False),
    "delta_map": over_steps("delta_rms", hidden=False),
    "update_map": over_steps("update_ratio", hidden=False),
    "neurons": neurons,
    "sharpness": readings,
}
