"""Asks for what each visible panel shows, and only where something has changed.

It joins records, figures and the drawing process; it knows no keys and no setup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from textual.app import App

from caveats.session import Session
from caveats_tui.charts.spec import Charset
from caveats_tui.charts.widget import RowsView
from caveats_tui.lab.figures import FIGURES, Look, Trace, fit
from caveats_tui.lab.grids import boundary_map, neuron_map
from caveats_tui.lab.panel import Panel

if TYPE_CHECKING:
    from caveats.views import Line, Plane
    from caveats_tui.charts.process import ChartProcess

__all__ = ["Drawing"]

T = TypeVar("T")


class Drawing:
    """What the panels show now, and what was asked for."""

    def __init__(self, charts: ChartProcess, charset: Charset) -> None:
        self._charts = charts
        self._charset: Charset = charset

    def available(self, session: Session | None) -> tuple[str, ...]:
        """The views that this run's data allow."""
        data = session.run.dataset if session is not None and session.run is not None else None
        views = [*FIGURES, "neurons"]
        if data is not None and data.features == 2 and data.classes is not None:
            views.append("boundary")
        if data is not None and data.features == 1 and data.classes is None and data.outputs == 1:
            views.append("fit")
        return tuple(views)

    def frame(
        self,
        panels: Iterable[Panel],
        trace: Trace | None,
        ghost: Trace | None,
        session: Session | None,
        dark: bool,
    ) -> None:
        """Bring the visible panels up to date; a panel whose input is unchanged costs nothing."""
        for panel in panels:
            if panel.view not in self.available(session) and session is not None and session.run:
                panel.turn(self.available(session))
            layers = () if trace is None else trace.layers
            panel.head(None if trace is None else trace.seen, layers, dark)
            if trace is None or not len(trace.snapshot):
                panel.drawn = None
                panel.wait("waiting for the first record")
                continue
            size = panel.content_size
            look = Look(size.width, size.height, dark, panel.log_axis, self._charset)
            newest = int(trace.snapshot.steps[-1]), len(trace.snapshot), len(trace.snapshot.events)
            number = 0 if session is None else session.status.run_number
            ids = id(ghost), id(trace.prediction)
            wanted = panel.view, look, newest, number, trace.cursor, ids
            if panel.drawn != wanted and size.width and size.height:
                panel.drawn = wanted
                self._draw(panel, trace, ghost, session, look)

    def _draw(
        self, panel: Panel, trace: Trace, ghost: Trace | None, session: Session | None, look: Look
    ) -> None:
        key = panel.id or ""
        if panel.view in FIGURES:
            chart = FIGURES[panel.view].make(trace, ghost, look, panel.limits)
            panel.limits = chart.y_limits
            self._charts.submit(key, chart)
        elif panel.view == "neurons":
            states = trace.seen.states[-1][:-1]
            names = trace.layers[: len(states)]
            panel.show(
                neuron_map(
                    states, names, look.width, look.height, dark=look.dark, charset=look.charset
                )
            )
        elif session is not None:
            self._ask(panel, session, look)

    def _ask(self, panel: Panel, session: Session, look: Look) -> None:
        """Have the worker look at the network; the answer is shown when it is there."""
        from caveats.views import line, plane

        app, view = panel.app, panel.view

        def show_plane(seen: Plane) -> None:
            if panel.view == view and seen.classes.shape == (look.height, look.width):
                panel.picture = seen
                panel.show(boundary_map(seen, dark=look.dark, charset=look.charset))

        def show_line(seen: Line) -> None:
            if panel.view == view:
                panel.picture = seen
                self._charts.submit(panel.id or "", fit(seen, look))

        if view == "boundary":
            session.ask(
                lambda run: plane(run, look.width, look.height),
                lambda seen: hand_over(app, show_plane, seen),
            )
        else:
            session.ask(
                lambda run: line(run, 2 * look.width),
                lambda seen: hand_over(app, show_line, seen),
            )

    def collect(self, panels: Mapping[str, Panel], windows: Iterable[RowsView]) -> float:
        """Show what has come back, in the panels or in a window over them; gives the seconds that
        drawing it took."""
        others = {window.id: window for window in windows}
        spent = 0.0
        for drawn in self._charts.poll():
            spent += drawn.seconds
            panel = panels.get(drawn.key)
            if panel is not None and (panel.view in FIGURES or panel.view == "fit"):
                panel.show(drawn.rows)
            elif panel is None and drawn.key in others:
                others[drawn.key].show(drawn.rows)
        return spent


def hand_over(app: App[object], show: Callable[[T], None], seen: T) -> None:
    """Show an answer on the app's thread. The worker does not wait for it (378 µs otherwise)."""
    loop = app._loop
    if loop is not None and not loop.is_closed():
        loop.call_soon_threadsafe(show, seen)
