"""The words on a chart's frame: its title with the newest value, and below the chart what the
colours mean, further values, and how the ghost differs."""

from __future__ import annotations

import math
import re

import numpy as np
from textual.content import Content

from caveats.history import Snapshot
from caveats_tui.charts.lab_charts import curves_drawn, evenly, short, steepest
from caveats_tui.charts.palette import network_colour, rgb, series_colour
from caveats_tui.charts.spec import Floats
from caveats_tui.charts.trace import Trace
from caveats_tui.charts.yardsticks import far_yardsticks
from caveats_tui.text.numbers import amount, brief, explained

__all__ = [
    "beside_loss", "ending", "layer_names", "seeds_told", "told", "whole", "with_ghost",
    "with_seeds",
]  # fmt: skip

# The measure of a view that has one value for each layer.
COLUMNS = {
    "dead": "dead", "gradient": "grad_norm", "delta": "delta_rms", "update": "update_ratio",
}  # fmt: skip
LONGEST = 12  # characters of a layer's name in a title
# What a name becomes where there is no room for it.
BRIEFLY = {
    "gradient norm": "gradient", "update/weight": "update", "dead neurons": "dead",
    "noise scale": "noise", "saturated neurons": "saturated",
}  # fmt: skip
DRAWN = (" · accuracy", " · limit", " · batch")  # values that a line of the chart shows too


def told(view: str, name: str, trace: Trace) -> tuple[str, str]:
    """What is shown, and its newest value in a few characters."""
    snapshot = trace.seen
    if view == "loss":
        accuracy = float(snapshot.scalar("accuracy")[-1])
        value = f"loss {brief(float(snapshot.scalar('loss')[-1]), 3)}"
        return "train", value if math.isnan(accuracy) else f"{value} · accuracy {accuracy:.1%}"
    if view == "sharpness":
        return name, sharpness_told(trace)
    if view in ("dead", "dead_map", "neurons"):
        counted = units_told(snapshot, "dead")
        return name, counted + " dead" * (view == "neurons" and " of " in counted)
    if view == "saturated_map":
        return name, units_told(snapshot, "saturated")
    column = COLUMNS.get(view.removesuffix("_map"))
    if column is None:
        return name, ""
    values = newest(snapshot, column)
    first, last = float(values[0]), float(values[-1])
    if not math.isfinite(first + last):
        return name, "not finite"
    here, end = (ending(layer) for layer in (trace.layers[0], trace.layers[-1]))
    out = f"{end} {brief(last, 2)}"
    return name, f"{here} {brief(first, 2)} · {out}" if len(values) > 1 else out


def ending(layer: str) -> str:
    """A layer's name in a title: layer 1, out; the end of the long name of a watched one."""
    word = layer.replace("output", "out")
    return word if len(word) <= LONGEST else f"..{word[2 - LONGEST :]}"


def sharpness_told(trace: Trace) -> str:
    """The newest reading beside its limit: 187 · limit 200."""
    read = trace.seen.scalar("sharpness")
    read = read[np.isfinite(read)]
    most = steepest(trace)
    limit = f" · limit {brief(most, 3)}" if math.isfinite(most) else ""
    return f"{brief(float(read[-1]), 3)}{limit}" if read.size else "not read yet"


def units_told(snapshot: Snapshot, measure: str) -> str:
    """How many of all hidden units are dead, or saturated."""
    found = newest(snapshot, measure)[:-1]
    units = snapshot.layers("units")[-1, :-1]
    if not len(units):
        return "no hidden layer"
    if not math.isfinite(float(found.sum())):
        return "not known"
    return f"{int(found.sum())} of {int(units.sum())}"


def whole(name: str, scale: str, value: str, room: int) -> str:
    """The title of a chart with its newest value. Where there is no room for all of it, it says
    less of the layers, of the axis, of the name and of the values, but is never cut before a value,
    and never tells a value without its name."""
    layerless = name.removesuffix(" by layer")
    briefest = layerless
    for long, short_name in BRIEFLY.items():
        briefest = briefest.replace(long, short_name)
    end = f": {value}" if value else ""
    bare = re.sub(r"^: (layer )?\S+ (?=\S+ · )", ": ", end).replace("accuracy ", "")
    bare = bare.replace("loss ", "")
    tried = (
        name + scale + end,
        layerless + scale + end,
        briefest + scale + end,
        layerless + end,
        briefest + end,
        briefest + bare,
        briefest + bare.replace(" of ", "/"),
        *alone(briefest, end),
    )
    return next((title for title in tried if len(title) <= room), tried[-1])


def alone(name: str, end: str) -> tuple[str, ...]:
    """Titles that leave out which layers the two values are of, or one of two values: the one that
    a line of the chart shows too, else that of the first layer."""
    for words in DRAWN:
        if words in end:
            return (name + end.partition(words)[0].replace("loss ", ""),)
    first, dot, last = end.rpartition(" · ")
    if not dot:
        return (name + end,)
    return f"{name} {first.split()[-1]} · {last.split()[-1]}", f"{name}: {last}"


def layer_names(trace: Trace, view: str, dark: bool, room: int) -> Content:
    """The layers that have a curve, or as many of them as there is room for, each in its colour; at
    the cursor with their values there, if there is room for all of them."""
    layers = trace.layers
    drawn = curves_drawn(len(layers) - (view == "dead"))
    colours = [hexadecimal(network_colour(i, len(layers) - 1, dark=dark)) for i in drawn]
    if trace.cursor is not None and len(trace.snapshot):
        values = trace.seen.layers(COLUMNS[view])[-1]
        told = [f"{short(layers[i])}: {at_cursor(float(values[i]), trace)}" for i in drawn]
        if sum(map(len, told)) + 2 * (len(told) - 1) <= room:
            return Content("  ").join(
                Content.assemble(part) for part in zip(told, colours, strict=True)
            )
    parts = list(zip((short(layers[i]) for i in drawn), colours, strict=True))
    for count in range(len(parts), 0, -1):
        names = [Content.assemble(" ", parts[i]) for i in evenly(len(parts), count)]
        legend = Content.assemble("layer", *names)
        if legend.cell_length <= room:
            return legend
    return Content()


def at_cursor(value: float, trace: Trace) -> str:
    """A layer's value at the cursor; "?" where it is not known though the loss is finite."""
    unknown = math.isnan(value) and math.isfinite(float(trace.seen.scalar("loss")[-1]))
    return "?" if unknown else brief(value, 2)


def with_ghost(
    before: tuple[str, ...], legend: Content, room: int, dark: bool, seeds: str = ""
) -> Content:
    """What the dotted curves are, before the legend: "before: lr 0.3". As many settings as there is
    room for, and how many more; the legend gives way to the first of them, and of the legend all
    but the words about ``seeds``."""
    colour = hexadecimal(series_colour("mark", dark=dark))
    for known in (legend, Content(seeds), Content()):
        least = room - (known.cell_length + 3 if known.plain else 0)
        for shown in range(len(before), 0, -1):
            more = f" +{len(before) - shown}" if shown < len(before) else ""
            text = f"before: {', '.join(before[:shown])}{more}"
            if len(text) <= least:
                gap = " · " if known.plain else ""
                return Content.assemble((text, colour), gap, known)
    return Content.assemble((f"before: {before[0]}"[:room], colour))


def with_seeds(trace: Trace, legend: Content, room: int) -> Content:
    """How many seeds the band on a chart stands for, before the legend if there is room for
    both."""
    words = seeds_told(trace)
    both = Content.assemble(words, " · ", legend) if words and legend.plain else legend
    if not words or both.cell_length > room:
        return legend
    return both if legend.plain else Content(words)


def seeds_told(trace: Trace) -> str:
    """8 seeds to step 120, 2 of them diverged."""
    seeds = trace.seeds
    if seeds is None:
        return ""
    at = int(seeds.steps[-1])
    over = at >= trace.steps or seeds.diverged == seeds.seeds
    gone = f", {seeds.diverged} diverged" if seeds.diverged else ""
    return f"{seeds.seeds} seeds{'' if over else f' to step {at:,}'}{gone}"


def hexadecimal(colour: int) -> str:
    red, green, blue = rgb(colour)
    return f"#{red:02x}{green:02x}{blue:02x}"


def beside_loss(trace: Trace, room: int) -> str:
    """What stands below the curve of the loss: R² and the error in the target's own unit, the
    newest loss and accuracy of the rows held out, and the yardsticks that lie off the chart; as
    many of them as there is room for, and the first in any case."""
    snapshot = trace.seen

    def newest(name: str) -> float:
        return float(snapshot.scalar(name)[-1])

    parts = []
    if not math.isnan(newest("r2")):
        parts.append(f"R² {explained(newest('r2'))}, error {amount(newest('rmse'))}")
    if not math.isnan(newest("validation_loss")):
        parts.append(f"held out {newest('validation_loss'):.3g}")
        if not math.isnan(newest("validation_accuracy")):
            parts[-1] += f" · {newest('validation_accuracy'):.1%}"
    parts += [f"{label} {brief(value, 2)}" for label, value in far_yardsticks(trace)]
    joined = ("; ".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((text for text in joined if len(text) <= room), "".join(parts[:1]))


def newest(snapshot: Snapshot, measure: str) -> Floats:
    """The newest values of a layer measure that are known, (layers,): the last record of a watched
    training was not measured, because its process ended."""
    column = snapshot.layers(measure)
    before = column[-2] if len(column) > 1 else column[-1]
    unknown = not np.isfinite(column[-1]).any() and not np.isinf(column[-1]).any()
    values: Floats = before if unknown else column[-1]
    return values
