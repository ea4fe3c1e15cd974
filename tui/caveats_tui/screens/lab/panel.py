"""One framed chart of the lab: which views it has, how each is scaled, what was last drawn in it.

It shows rows that others make; `lab_charts`, `neuron_map` and `boundary` in `caveats_tui.charts`
define what a view shows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from textual.content import Content
from textual.events import Click
from textual.geometry import Region
from textual.message import Message

from caveats_tui.charts.heat_maps import DEEP, HEAT_MAPS
from caveats_tui.charts.lab_charts import FIGURES
from caveats_tui.charts.noise_scale import NoiseReadings
from caveats_tui.charts.series import Limits
from caveats_tui.charts.spec import Across
from caveats_tui.charts.trace import Trace
from caveats_tui.charts.widget import RowsView
from caveats_tui.screens.lab.titles import (
    beside_loss,
    layer_names,
    seeds_told,
    told,
    whole,
    with_ghost,
    with_seeds,
)
from caveats_tui.text.numbers import amount

if TYPE_CHECKING:
    from caveats.views import FittedCurve, Plane

__all__ = ["VIEWS", "Panel"]

# The views that are not a `Figure`: pictures of cells, and what the run's network is asked.
_GRIDS = {
    "neurons": "neurons", "boundary": "decision boundary", "fit": "fit", "noise": "noise scale",
}  # fmt: skip

VIEWS: tuple[tuple[str, ...], ...] = (
    ("dead", "dead_profile", "saturated_map", "dead_map"),
    ("gradient", "gradient_profile", "delta", "delta_profile", "delta_map", "gradient_map"),
    ("loss",),
    ("neurons", "boundary", "fit", "activations", "update", "update_map", "sharpness",
     "noise"),
)  # fmt: skip

BY_LAYER = ("dead", "gradient", "delta", "update")


class Panel(RowsView, can_focus=True):
    """Chart ``number`` (from 1)."""

    class Pointed(Message):
        """A ``step`` of the run was clicked."""

        def __init__(self, step: float) -> None:
            super().__init__()
            self.step = step

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
        self.across: Across | None = None  # where steps stand, if the view shows any
        # The network's answer, if the view shows one.
        self.picture: Plane | FittedCurve | NoiseReadings | None = None
        self._chosen = False  # whether the user has chosen a view
        self._linear: dict[str, bool] = {}
        self._labels = "", Content()  # the title and the legend

    @property
    def log_axis(self) -> bool:
        log = self.view == "noise" or (self.view in FIGURES and FIGURES[self.view].log)
        return self._linear.get(self.view, False) != log

    @property
    def title(self) -> str:
        """The name of what is shown, in a few words."""
        if self.view in HEAT_MAPS:
            return HEAT_MAPS[self.view].title
        return FIGURES[self.view].title if self.view in FIGURES else _GRIDS[self.view]

    def toggle_log(self) -> bool:
        """Change between a logarithmic and a linear axis; False where the view has none."""
        if self.view not in (*FIGURES, "noise"):
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
        self.limits = self.drawn = self.picture = self.across = None
        self.wait("drawing")

    def turn(self, available: tuple[str, ...]) -> None:
        """Go to the next ``available`` view."""
        names = [view for view in self.views if view in available]
        if not names:
            return
        at = names.index(self.view) if self.view in names else -1
        self._chosen = True
        self._go(names[(at + 1) % len(names)])

    def on_click(self, event: Click) -> None:
        inside = event.get_content_offset(self)
        if event.chain != 1 or self.across is None or inside is None:
            return
        step = self.across.value(inside.x)
        if step is not None:
            self.post_message(self.Pointed(step))

    def head(
        self, trace: Trace | None, dark: bool, origin: str = "", before: tuple[str, ...] = ()
    ) -> None:
        """Write the frame: the chart's number, what is shown, its newest value, and the colours or
        further values; ``origin`` says which network was asked, if not the present one, ``before``
        what was otherwise in the run of the ghost."""
        known = trace if trace is not None and len(trace.snapshot) else None
        scale, room = " (log)" if self.log_axis else "", self.size.width - 4
        name, value = self.title, ""
        if known is not None:
            name, value = told(self.view, name, known)
        if self.view in ("boundary", "fit"):
            value = origin
        if self.view == "noise":
            value = " ".join(filter(None, (noise_told(self.picture), origin)))
        legend = Content()
        if trace is not None and self.view in BY_LAYER:
            legend = layer_names(trace, self.view, dark, room)
        if known is not None and self.view == "loss":
            legend = Content(beside_loss(known, room))
        if known is not None and self.view in FIGURES:
            legend = with_seeds(known, legend, room)
        if before and (self.view in BY_LAYER or self.view == "loss"):
            seeds = seeds_told(known) if known is not None else ""
            legend = with_ghost(before, legend, room, dark, seeds)
        self._label(whole(f"{self.number} {name}", scale, value, room), legend)

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


def noise_told(seen: object) -> str:
    """The newest reading beside the size of a batch: 210 · batch 64."""
    if not isinstance(seen, NoiseReadings):
        return ""
    value = float(seen.values[-1])
    return f"{amount(value)} · batch {seen.batch:,}" if math.isfinite(value) else "none"


def alike(one: str, other: str) -> int:
    """How many characters two strings have in common at their start."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
