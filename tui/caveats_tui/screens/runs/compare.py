"""Compares kept runs: their losses in one chart, and a table of what differs.

The functions make tables and chart; the window at the end shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from caveats.errors import visible
from caveats.history import Snapshot
from caveats.runs.manifest import Manifest
from caveats_tui.charts.palette import layer_colour, rgb, series_colour
from caveats_tui.charts.series import limits
from caveats_tui.charts.spec import Charset, Chart, Curve, Look
from caveats_tui.charts.widget import RowsView
from caveats_tui.screens.windows import Window
from caveats_tui.text.kept_runs import standing, worst
from caveats_tui.text.numbers import loss_text, percent
from caveats_tui.text.settings import shown
from caveats_tui.text.times import now

if TYPE_CHECKING:
    from caveats_tui.charts.process import ChartProcess

__all__ = ["MOST_COMPARED", "Compare", "Compared", "differing", "losses", "outcomes"]

MOST_COMPARED = 6  # runs: more curves in one chart could not be told apart


@dataclass(frozen=True, slots=True)
class Compared:
    """A run to be compared: its name, its folder's manifest, its records."""

    name: str
    manifest: Manifest
    snapshot: Snapshot


def differing(runs: Sequence[Compared]) -> list[tuple[str, list[str]]]:
    """The settings that are not the same in all runs: key, and each run's value ("-" if it has no
    such setting)."""
    flats: list[dict[str, Any]] = [
        {} if run.manifest.config is None else run.manifest.config.flat() for run in runs
    ]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    rows = []
    for key in keys:
        values = [shown(flat[key]) or "none" if key in flat else "-" for flat in flats]
        if len(set(values)) > 1:
            rows.append((visible(key), values))
    return rows


def outcomes(runs: Sequence[Compared]) -> list[tuple[str, list[str]]]:
    """The state and the results of each run, also those that do not differ."""
    moment = now()
    stands = [run.manifest.standing for run in runs]
    return [
        ("state", [standing(run.manifest, moment) for run in runs]),
        ("step", [f"{end.step:,}" for end in stands]),
        ("loss", [loss_text(end.loss) for end in stands]),
        ("lowest loss", [loss_text(lowest(run.snapshot)) for run in runs]),
        ("accuracy", [percent(end.accuracy) for end in stands]),
        ("worst verdict", [worst(run.manifest)[0] for run in runs]),
        ("seconds", [f"{end.seconds:.1f}" for end in stands]),
    ]


def lowest(snapshot: Snapshot) -> float:
    loss = snapshot.scalar("loss")
    finite = loss[np.isfinite(loss)]
    return float(finite.min()) if finite.size else float("nan")


def losses(runs: Sequence[Compared], look: Look) -> Chart:
    """Every run's loss over the steps on a log axis, in the colours of their order."""
    curves = [
        Curve(
            run.snapshot.steps.astype(float),
            run.snapshot.scalar("loss"),
            layer_colour(place, len(runs), dark=look.dark),
            label=str(place + 1),
        )
        for place, run in enumerate(runs)
    ]
    values = np.concatenate([curve.y for curve in curves])
    values = values[np.isfinite(values) & (values > 0)]
    newest = max((float(c.x[-1]) for c in curves if len(c.x)), default=0.0)
    return Chart(
        tuple(curves),
        look.width,
        look.height,
        (0.0, max(newest, 10.0)),
        limits(float(values.min()), float(values.max()), None, log=True) if values.size else None,
        log_y=True,
        charset=look.charset,
        axis_colour=series_colour("axis", dark=look.dark),
    )


class Compare(Window[None]):
    """The chart above, the table below; escape leaves."""

    DEFAULT_CSS = """
    Compare { align: center middle; }
    Compare > VerticalScroll {
        width: 96%; height: 96%; border: round $primary; background: $surface; padding: 0 1;
    }
    Compare RowsView { height: 1fr; min-height: 9; }
    Compare Static { height: auto; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "leave")]

    def __init__(self, runs: Sequence[Compared], charts: ChartProcess, charset: Charset) -> None:
        super().__init__()
        self._runs, self._charts, self._charset = runs, charts, charset

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(f"{len(self._runs)} runs: loss (log)")
            box.border_subtitle = "arrows scroll · escape leaves"
            yield RowsView("drawing", id="chart-compare")
            yield Static(self._table(), id="differences", markup=False)

    def opened(self) -> None:
        self.query_one(VerticalScroll).focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        view = self.query_one(RowsView)
        size, dark = view.content_size, self.app.current_theme.dark
        if size.width and size.height:
            look = Look(size.width, size.height, dark, True, self._charset)
            self._charts.submit("chart-compare", losses(self._runs, look))

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
        table.add_column("", style="dim", no_wrap=True)
        for place, run in enumerate(self._runs):
            index = layer_colour(place, len(self._runs), dark=self.app.current_theme.dark)
            red, green, blue = rgb(index)
            # The blank is one at which no line is broken.
            head = Text(f"{place + 1}\u00a0{run.name}", style=f"bold rgb({red},{green},{blue})")
            table.add_column(head, overflow="fold", ratio=1)
        setup = differing(self._runs)
        for key, values in [*setup, ("", [""] * len(self._runs)), *outcomes(self._runs)]:
            table.add_row(Text(key), *(Text(value) for value in values))
        if not setup:
            table.caption = "the setups are the same"
        return table

    def action_leave(self) -> None:
        self.dismiss(None)
