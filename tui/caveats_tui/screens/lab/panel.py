"""One framed chart of the lab: which views it has, how each is scaled, what was last drawn in it.

It shows rows that others make; `caveats_tui.charts.figures` and `grids` define what a view shows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from textual.content import Content
from textual.geometry import Region

from caveats.history import Snapshot
from caveats_tui.charts.figures import FIGURES, curves_drawn, short
from caveats_tui.charts.heat_maps import DEEP, HEAT_MAPS
from caveats_tui.charts.palette import network_colour, rgb
from caveats_tui.charts.series import Limits
from caveats_tui.charts.spec import Floats
from caveats_tui.charts.widget import RowsView
from caveats_tui.text.numbers import amount, explained

if TYPE_CHECKING:
    from caveats.views import FittedCurve, Plane

__all__ = ["VIEWS", "Panel"]

# The views that are not a `Figure`: pictures of cells, and the fit of a one-input regression.
_GRIDS = {"neurons": "neurons", "boundary": "decision boundary", "fit": "fit"}

VIEWS: tuple[tuple[str, ...], ...] = (
    ("dead", "dead_profile", "dead_map"),
    ("gradient", "gradient_profile", "delta", "delta_profile", "gradient_map"),
    ("loss",),
    ("neurons", "boundary", "fit", "activations", "update"),
)

BY_LAYER = ("dead", "gradient", "delta", "update")


class Panel(RowsView, can_focus=True):
    """Chart ``number`` (from 1)."""

    DEFAULT_CSS = """
    Panel { border: round $border-blurred; background: $background;
        border-title-color: $foreground; border-subtitle-color: $text-muted; }
    Panel:focus { border: round $primary; }
    """

    def __init__(self, number: int) -> None:
        super().__init__("waiting for the first record", id=f"chart-{number}")
        self.number = number
        self.views = VIEWS[number - 1]
        self.view = self.views[0]
        self.limits: Limits | None = None
        self.drawn: object = None  # what the shown, or requested, rows were made from
        # The network's answer, if the view shows one.
        self.picture: Plane | FittedCurve | None = None
        self._chosen = False  # whether the user has chosen a view
        self._linear: dict[str, bool] = {}
        self._labels = "", Content()  # the title and the legend

    @property
    def log_axis(self) -> bool:
        figure = FIGURES.get(self.view)
        return figure is not None and self._linear.get(self.view, False) != figure.log

    @property
    def title(self) -> str:
        """The name of what is shown, in a few words."""
        if self.view in HEAT_MAPS:
            return HEAT_MAPS[self.view].title
        return FIGURES[self.view].title if self.view in FIGURES else _GRIDS[self.view]

    def toggle_log(self) -> bool:
        """Change between a logarithmic and a linear axis; False where the view has none."""
        if self.view not in FIGURES:
            return False
        self._linear[self.view] = not self._linear.get(self.view, False)
        self.limits = None
        return True

    def suit(self, hidden: int) -> None:
        """Show a network of ``hidden`` layers as it is seen best, until the user chooses a view:
        the map of a deep one, the curves of another. The one that is not shown first comes last."""
        lines, *others = VIEWS[self.number - 1]
        if self._chosen or others[-1:] == [] or others[-1] not in HEAT_MAPS:
            return
        views = (lines, *others) if hidden < DEEP else (others[-1], *others[:-1], lines)
        if views != self.views:
            self.views = views
            self._go(views[0])

    def _go(self, view: str) -> None:
        self.view = view
        self.limits = self.drawn = self.picture = None
        self.wait("drawing")

    def turn(self, available: tuple[str, ...]) -> None:
        """Go to the next ``available`` view."""
        names = [view for view in self.views if view in available]
        if not names:
            return
        at = names.index(self.view) if self.view in names else -1
        self._chosen = True
        self._go(names[(at + 1) % len(names)])

    def head(
        self, snapshot: Snapshot | None, layers: tuple[str, ...], dark: bool, origin: str = ""
    ) -> None:
        """Write the frame: the chart's number, what is shown, its newest value, and the colours or
        further values; ``origin`` says which network was asked, if not the present one."""
        value = "" if snapshot is None or not len(snapshot) else readout(self.view, snapshot)
        if self.view in ("boundary", "fit"):
            value = origin
        scale = " (log)" if self.log_axis else ""
        name = self.title
        if self.view == "loss" and "%" not in value:
            name = "loss"  # a regression has no accuracy
        title = whole(f"{self.number} {name}", scale, value, self.size.width - 4)
        legend = self._legend(layers, dark) if self.view in BY_LAYER else Content()
        if self.view == "loss" and snapshot is not None and len(snapshot):
            legend = Content(beside_loss(snapshot))
        self._label(title, legend)

    def _label(self, title: str, legend: Content) -> None:
        """Write the upper and the lower edge, and repaint only the part that differs. Assigning
        ``border_title`` would repaint the whole widget: with four titles that show the newest
        numbers, 20 KB a frame."""
        old_title, old_legend = self._labels
        self._labels = title, legend
        width, height = self.size
        if title != old_title:
            self._border_title = Content(title)
            same = alike(title, old_title) if old_title else -2
            self.refresh(Region(2 + same, -1, max(1, width - 1 - same), 1))
        if legend != old_legend:
            self._border_subtitle = legend
            self.refresh(Region(-1, height, width + 2, 1))

    def _legend(self, layers: tuple[str, ...], dark: bool) -> Content:
        count = len(layers) - (self.view == "dead")
        parts = []
        for index in curves_drawn(count):
            red, green, blue = rgb(network_colour(index, len(layers) - 1, dark=dark))
            colour = f"#{red:02x}{green:02x}{blue:02x}"
            parts.append(Content.assemble(" ", (short(layers[index]), colour)))
        return Content.assemble("layer", *parts) if parts else Content()


def whole(name: str, scale: str, value: str, room: int) -> str:
    """The title of a chart with its newest value. Where there is no room for all of it, it says
    less of the layers, of the axis and of the name, but is never cut before its value."""
    layerless = name.removesuffix(" by layer")
    end = f": {value}" if value else ""
    short_end = end.replace(": layer 1 ", ": ")
    tried = (
        name + scale + end,
        layerless + scale + end,
        layerless + scale + short_end,
        layerless + short_end,
        layerless.removesuffix(" neurons") + short_end,
    )
    return next((title for title in tried if len(title) <= room), tried[-1])


def alike(one: str, other: str) -> int:
    """How many characters two strings have in common at their start."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def beside_loss(snapshot: Snapshot) -> str:
    """What stands below the curve of the loss: R² and the error in the target's own unit, and the
    newest loss and accuracy of the rows held out."""

    def newest(name: str) -> float:
        return float(snapshot.scalar(name)[-1])

    parts = []
    if not math.isnan(newest("r2")):
        parts.append(f"R² {explained(newest('r2'))}, error {amount(newest('rmse'))}")
    if not math.isnan(newest("validation_loss")):
        parts.append(f"held out {newest('validation_loss'):.3g}")
        if not math.isnan(newest("validation_accuracy")):
            parts[-1] += f" · {newest('validation_accuracy'):.1%}"
    return "; ".join(parts)


def readout(view: str, snapshot: Snapshot) -> str:
    """The newest value of a view in a few characters."""
    if view in ("dead", "dead_map", "neurons"):
        dead = newest(snapshot, "dead")[:-1]
        units = snapshot.layers("units")[-1, :-1]
        if not len(units):
            return "no hidden layer"
        if not math.isfinite(float(dead.sum())):
            return "not observable"
        return f"{int(dead.sum())} of {int(units.sum())}" + (" dead" if view == "neurons" else "")
    if view == "loss":
        accuracy = float(snapshot.scalar("accuracy")[-1])
        text = f"{float(snapshot.scalar('loss')[-1]):.3g}"
        return text if math.isnan(accuracy) else f"{text} · {accuracy:.1%}"
    measures = {"gradient": "grad_norm", "delta": "delta_rms", "update": "update_ratio"}
    column = measures.get(view.removesuffix("_map"))
    if column is not None:
        values = newest(snapshot, column)
        first, last = float(values[0]), float(values[-1])
        if not math.isfinite(first + last):
            return "not finite"
        return f"layer 1 {first:.2g} · out {last:.2g}" if len(values) > 1 else f"out {last:.2g}"
    return ""


def newest(snapshot: Snapshot, measure: str) -> Floats:
    """The newest values of a layer measure that are known, (layers,): the last record of a watched
    training was not measured, because its process ended."""
    column = snapshot.layers(measure)
    before = column[-2] if len(column) > 1 else column[-1]
    unknown = not np.isfinite(column[-1]).any() and not np.isinf(column[-1]).any()
    values: Floats = before if unknown else column[-1]
    return values
