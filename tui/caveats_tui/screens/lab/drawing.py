"""Requests what each visible panel shows, but only if something has changed.

It connects records, figures and the drawing process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from caveats.status import LIVE
from caveats_tui.charts.heat_maps import HEAT_MAPS, heat_map, map_axis
from caveats_tui.charts.lab_charts import FIGURES
from caveats_tui.charts.spec import Charset, Look
from caveats_tui.charts.trace import Trace
from caveats_tui.charts.widget import RowsView
from caveats_tui.screens.lab.asking import Asking
from caveats_tui.screens.lab.panel import Panel

if TYPE_CHECKING:
    from caveats_tui.bench.protocol import Bench
    from caveats_tui.charts.process import ChartProcess

__all__ = ["NO_RECORD", "Drawing"]

# What a chart says before there is anything to draw.
FIRST, NO_RECORD = "waiting for the first record", "no record: see below why"

ASKED = ("boundary", "fit", "noise")  # the views that the run's network answers
DRAWN = ("fit", "noise")  # those of them that come from the drawing process


class Drawing:
    """Draws the panels; `frame` requests, `collect` shows what has come back."""

    def __init__(self, charts: ChartProcess, charset: Charset) -> None:
        self._charts = charts
        self._charset: Charset = charset
        self._asking = Asking(charts)
        self._last: Trace | None = None  # what was drawn last

    def available(self, bench: Bench) -> tuple[str, ...]:
        """The views that are possible with this run's data."""
        data = bench.dataset
        views = [*FIGURES, *HEAT_MAPS, "neurons"]
        if data is not None and data.features == 2 and data.classes is not None:
            views.append("boundary")
        if data is not None and data.features == 1 and data.classes is None and data.outputs == 1:
            views.append("fit")
        if data is not None:
            views.append("noise")
        return tuple(views)

    def frame(
        self,
        panels: Iterable[Panel],
        bench: Bench,
        trace: Trace | None,
        dark: bool,
    ) -> None:
        """Bring the visible panels up to date; a panel whose input is unchanged costs nothing.

        Where a run begins again with a ghost, its curves stay until the new ones come."""
        ghost = bench.ghost
        stays = (trace is None or not len(trace.snapshot)) and ghost is not None
        if stays and self._last is not None and bench.status.state in LIVE:
            trace, ghost = self._last, None
        else:
            stays, self._last = False, trace
        before = () if ghost is None else bench.before
        for panel in panels:
            if panel.view not in self.available(bench) and bench.dataset is not None:
                panel.turn(self.available(bench))
            layers = () if trace is None else trace.layers
            if layers:
                panel.suit(len(layers) - 1)
            panel.head(trace, dark, bench.origin, before)
            if trace is None or not len(trace.snapshot):
                panel.drawn = None
                panel.wait(NO_RECORD if bench.status.problem else FIRST)
                continue
            if stays and panel.view in ASKED:
                continue
            size = panel.content_size
            look = Look(size.width, size.height, dark, panel.log_axis, self._charset)
            newest = int(trace.snapshot.steps[-1]), len(trace.snapshot), len(trace.snapshot.events)
            # a run that ends leaves a checkpoint
            state = bench.status.state if bench.watching else ""
            ids = id(ghost), id(trace.prediction)
            seeds = trace.seeds  # by itself, not by its id: each answer is a new one
            wanted = panel.view, look, newest, trace.history, state, trace.cursor, ids, seeds
            if panel.drawn != wanted and size.width and size.height:
                panel.drawn = wanted
                self._draw(panel, bench, trace, ghost, look)

    def _draw(
        self, panel: Panel, bench: Bench, trace: Trace, ghost: Trace | None, look: Look
    ) -> None:
        key = panel.id or ""
        if panel.view in FIGURES:
            chart = FIGURES[panel.view].make(trace, ghost, look, panel.limits)
            panel.limits = chart.y_limits
            self._charts.submit(key, chart)
        elif panel.view in HEAT_MAPS:
            kind = HEAT_MAPS[panel.view]
            panel.show(heat_map(kind, trace, look))
            panel.across = map_axis(kind, trace, look)
        elif panel.view == "neurons":
            self._asking.neurons(panel, bench, trace, look)
        elif panel.view == "boundary":
            self._asking.boundary(panel, bench, look)
        elif panel.view == "noise":
            self._asking.noise(panel, bench, trace, look)
        else:
            self._asking.fit(panel, bench, look)

    def collect(self, panels: Mapping[str, Panel], windows: Iterable[RowsView]) -> float:
        """Show the charts that have come back, in the panels or in a window over them; returns the
        seconds that drawing took."""
        others = {window.id: window for window in windows}
        spent = 0.0
        for drawn in self._charts.poll():
            spent += drawn.seconds
            panel = panels.get(drawn.key)
            if panel is not None and (panel.view in FIGURES or panel.view in DRAWN):
                panel.show(drawn.rows)
                panel.across = None if panel.view == "fit" else drawn.across
            elif panel is None and drawn.key in others:
                others[drawn.key].show(drawn.rows)
        return spent
