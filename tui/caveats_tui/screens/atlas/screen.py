"""The atlas's screen: shows a sweep of two axes while it fills, and lets the user move in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize
from textual.widgets import Static

from caveats.config import RunConfig
from caveats.errors import ConfigError, visible
from caveats.runs.files import replace_file
from caveats.sweeps import Axis, Plan, Sweep
from caveats.sweeps.borders import Border, borders
from caveats.sweeps.export import export
from caveats.sweeps.gallery import Atlas, atlas_of
from caveats.sweeps.outcomes import NUMBERS, Outcome
from caveats.sweeps.ranges import parse_axis
from caveats_tui.keys import Key, bindings
from caveats_tui.keys import told as told_keys
from caveats_tui.screens.atlas.gallery import AtlasGallery
from caveats_tui.screens.atlas.picture import (
    OF_SEEDS,
    VIEWS,
    border_words,
    caption,
    heading,
    legend,
    rows,
    shown_seed,
    value,
)
from caveats_tui.screens.blocks import put
from caveats_tui.screens.help import Help, Part
from caveats_tui.screens.windows import Leavable, hand_over
from caveats_tui.text.numbers import number

__all__ = ["AtlasScreen", "arrays", "zoomed"]

LOOK = 0.25  # seconds between two looks at the folder


# Arrows, enter, v, e, ?, ctrl+s, ctrl+r and q do what they do in the lab.
KEYS = (
    Key("left", "left,h", "←", "move(-1, 0)", "move", "Go to the cell at the left. Also h."),
    Key("right", "right,l", "→", "move(1, 0)", "move", "Go to the cell at the right. Also l."),
    Key("up", "up,k", "↑", "move(0, 1)", "move", "Go to the cell above. Also k."),
    Key("down", "down,j", "↓", "move(0, -1)", "move", "Go to the cell below. Also j."),
    Key("open", "enter", "enter", "open", "open", "Open the cell in the lab, and train it there."),
    Key("view", "v", "v", "view", "view", "Show what went wrong, or the next of the numbers."),
    Key("zoom", "plus,equals_sign", "+", "zoom", "zoom in",
        "Map the part around the cell, at twice the resolution."),
    Key("back", "minus", "-", "back", "zoom out", "Go back to the map before the last + or e."),
    Key("gallery", "e", "e", "gallery", "gallery", "Choose one of the ready-made atlases."),
    Key("export", "x", "x", "export", "export",
        "Write cells.csv, atlas.npz and a picture into the folder of the map."),
    Key("picture", "ctrl+s", "ctrl+s", "app.picture", "screenshot",
        "Save the screen as an SVG picture in the present folder."),
    Key("record", "ctrl+r", "ctrl+r", "app.record", "record",
        "Record the terminal from now on, to a file in the present folder; again stops."),
    Key("help", "question_mark,f1", "?", "help", "help", "Show these keys."),
    Key("leave", "escape,q,m", "escape", "leave", "leave",
        "Go back to the lab; m there shows this map again. Also q and m."),
)  # fmt: skip
# What is in the map, for help.
MARKS: Part = (
    "what the map shows",
    (
        ("letters", "What went wrong with most seeds of a cell; the legend says which letter is "
         "which caveat, and · is sound.", ""),
        ("0 to 9", "In the other views: where the number lies between the two ends that the legend "
         "names.", ""),
        ("χ ξ λ", "Borders that theory draws: between order and chaos, the depth that a signal "
         "reaches, and where steps begin to overshoot.", ""),
        ("black", "A cell that has not been trained yet; x is one that was refused.", ""),
    ),
)  # fmt: skip
HINTS = "enter opens", "v view", "+ - zoom", "e gallery", "x export", "arrows"
ALWAYS = "? help", "escape leaves"


def hints(width: int, between: str) -> str:
    """The keys that matter most, as many as fit; help and leave always."""
    room = range(len(HINTS), -1, -1)
    lines = (between.join((*HINTS[:count], *ALWAYS)) for count in room)
    return next((line for line in lines if len(line) < width), ALWAYS[0])


class AtlasScreen(Leavable[RunConfig | None]):
    """A map of ``sweep``, whose plan has two axes. It is dismissed with the config of the cell that
    the user opened, None if they left.

    ``make`` makes the sweep of a zoomed plan. While ``training``, a process beside this one trains
    what is missing, and ends with the screen; what it has done stays in the folder.
    """

    DEFAULT_CSS = """
    AtlasScreen #title { height: 1; background: $panel; text-style: bold; }
    AtlasScreen #map { height: 1fr; padding: 1 1; }
    AtlasScreen #legend { height: 2; color: $text-muted; }
    AtlasScreen #where { height: 1; text-style: bold; }
    AtlasScreen #told { padding: 0 1; height: 3; }
    AtlasScreen #keys { height: 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(KEYS)]

    def __init__(
        self, sweep: Sweep, make: Callable[[Plan], Sweep], *, plain: bool, training: bool = True
    ) -> None:
        super().__init__()
        self._make, self._plain, self._training = make, plain, training
        self._above: list[Sweep] = []  # what - goes back to
        self._view = VIEWS[0]
        self._notice = ""
        self._worker: subprocess.Popen[bytes] | None = None
        self._show(sweep)

    def _show(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self._outcomes: dict[tuple[int, int], dict[int, Outcome]] = {}
        x, y = sweep.plan.axes
        self._shape = len(x.values), len(y.values)
        self._cursor = self._shape[0] // 2, self._shape[1] // 2
        self._borders: dict[tuple[int, int], Border] = {}
        known = atlas_of(sweep.plan)
        if known is not None:
            self._view, self._notice = known.view, known.sentence
        try:
            self._take(Sweep(sweep.folder).fresh())
        except ConfigError as error:  # a disk that cannot be read just now
            self._notice = str(error)

    def compose(self) -> ComposeResult:
        for name in ("title", "map", "legend", "where", "told", "keys"):
            yield Static("", id=name, markup=False)

    def opened(self) -> None:
        self._start()
        self._compute_borders()
        self.set_interval(LOOK, self.look)
        self._paint()

    def on_unmount(self) -> None:
        self._stop()

    def on_resize(self, event: Resize) -> None:
        self._paint()

    # The process that trains

    def go_on(self) -> None:
        """Train what is missing from now on, where something else has done so until now."""
        if not self._training:
            self._training = True
            self._start()

    @property
    def computes(self) -> bool:
        """Whether the borders of theory are being computed."""
        return any(worker.node is self and not worker.is_finished for worker in self.workers)

    def _start(self) -> None:
        if self._training and self.sweep.missing():
            self._worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "caveats.sweeps", str(self.sweep.folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.terminate()
            self._worker.wait()
            self._worker = None

    def _compute_borders(self) -> None:
        """In a thread: theory imports torch, which takes seconds."""
        plan, app = self.sweep.plan, self.app

        def compute() -> None:
            found = borders(plan)
            hand_over(app, self, lambda found: self._take_borders(plan, found), found)

        self.run_worker(compute, thread=True, exclusive=True)

    def _take_borders(self, plan: Plan, found: dict[tuple[int, int], Border]) -> None:
        if plan is self.sweep.plan:
            self._borders = found
            self._paint()

    def look(self) -> None:
        """Show what has been trained since the last look."""
        try:
            fresh = self.sweep.fresh()
        except ConfigError as error:
            self._notice = str(error)
            self._paint()
            return
        if fresh:
            self._take(fresh)
            self._paint()

    def _take(self, fresh: dict[int, Outcome]) -> None:
        for index, outcome in fresh.items():
            place = self.sweep.plan.cells[index].place
            seed = place[2] if len(place) > 2 else 0
            self._outcomes.setdefault((place[0], place[1]), {})[seed] = outcome

    # Painting

    @property
    def outcomes(self) -> dict[tuple[int, int], list[Outcome]]:
        """The outcomes of each place, in the order of the seeds."""
        return {place: [own[seed] for seed in sorted(own)] for place, own in self._outcomes.items()}

    def _paint(self) -> None:
        if not self.is_mounted:
            return
        room = max(1, self.size.width - 2), max(1, self.size.height - 10)
        x, y = self.sweep.plan.axes
        found = self.outcomes
        done, total = sum(map(len, found.values())), len(self.sweep.plan.cells)
        up, across = ("^", ">") if self._plain else ("↑", "→")
        name = NUMBERS.get(self._view, "what went wrong")
        between = "-" if self._plain else "…"
        axes = [
            (arrow, axis.key, f"{told(axis.values[0])}{between}{told(axis.values[-1])}")
            for arrow, axis in ((across, x), (up, y))
        ]
        put(self, "#title", heading(name, axes, f"{done:,} of {total:,}", self.size.width))
        painted = Text("\n").join(
            rows(found, self._view, self._shape, room, self._cursor, self._borders, self._plain)
        )
        put(self, "#map", painted)
        put(self, "#legend", self._legend(found))
        at_x, at_y = self._cursor
        put(self, "#where", f" {x.key} {told(x.values[at_x])}   {y.key} {told(y.values[at_y])}")
        lines = [self._notice] if self._notice else caption(found.get(self._cursor))
        put(self, "#told", "\n".join(lines))
        put(self, "#keys", " " + hints(self.size.width, ", " if self._plain else " · "))

    def _legend(self, found: dict[tuple[int, int], list[Outcome]]) -> Text:
        text = Text(" ") + legend(found, self._view, self._plain)
        text.append(border_words(set(self._borders.values()), self._plain))
        return text

    # Keys

    def action_move(self, across: int, up: int) -> None:
        self._notice = ""
        self._cursor = (
            min(max(0, self._cursor[0] + across), self._shape[0] - 1),
            min(max(0, self._cursor[1] + up), self._shape[1] - 1),
        )
        self._paint()

    def action_view(self) -> None:
        seeds = self.sweep.plan.seeds
        views = [view for view in VIEWS if seeds > 1 or view not in OF_SEEDS]
        at = views.index(self._view) if self._view in views else -1
        self._view = views[(at + 1) % len(views)]
        self._paint()

    def action_open(self) -> None:
        place = self._cursor
        seed = shown_seed(self._outcomes.get(place, {}))
        cell = next(c for c in self.sweep.plan.cells
                    if c.place in (place, (*place, seed)))  # fmt: skip
        try:
            self.dismiss(self.sweep.plan.config(cell))
        except ConfigError as error:
            self._notice = str(error)
            self._paint()

    def action_zoom(self) -> None:
        """Look at the rectangle around the cursor, at twice the resolution."""
        try:
            plan = zoomed(self.sweep.plan, self._cursor)
            sweep = self._make(plan)
        except ConfigError as error:
            self._notice = str(error)
            self._paint()
            return
        self._change(sweep, self.sweep)

    def action_back(self) -> None:
        if self._above:
            self._change(self._above.pop(), None)
            return
        self._notice = "this is the whole map: + looks nearer"
        self._paint()

    def action_help(self) -> None:
        self.app.push_screen(Help(("here, in an atlas", told_keys(KEYS)), MARKS))

    def action_gallery(self) -> None:
        def took(atlas: Atlas | None) -> None:
            if atlas is None:
                return
            try:
                self._change(self._make(atlas.plan), self.sweep)
            except ConfigError as error:
                self._notice = str(error)
                self._paint()

        self.app.push_screen(AtlasGallery(), took)

    def _change(self, sweep: Sweep, above: Sweep | None) -> None:
        self._stop()
        if above is not None:
            self._above.append(above)
        self._notice = ""
        self._show(sweep)
        self._start()
        self._compute_borders()
        self._paint()

    def action_export(self) -> None:
        """Write the map as csv, npz and a picture of the screen into its folder."""
        folder = self.sweep.folder
        try:
            export(self.sweep, folder / "cells.csv", "csv")
            found: dict[str, Any] = arrays(self.sweep.plan, self.outcomes)
            np.savez(folder / "atlas.npz", **found)
            title = f"{self.sweep.plan.axes[0].key} × {self.sweep.plan.axes[1].key}"
            replace_file(folder / "atlas.svg", self.app.export_screenshot(title=title).encode())
            self._notice = f"cells.csv, atlas.npz and atlas.svg are in {visible(folder)}"
        except (ConfigError, OSError) as error:
            self._notice = str(error)
        self._paint()

    def action_leave(self) -> None:
        self.dismiss(None)


def told(value: Any) -> str:
    if isinstance(value, list):
        return "-".join(map(str, value))
    return number(value) if isinstance(value, float) else str(value)


def arrays(
    plan: Plan, outcomes: dict[tuple[int, int], list[Outcome]]
) -> dict[str, np.ndarray[Any, Any]]:
    """Each number as (x, y), the median over the seeds, NaN where nothing was trained; the values
    of the axes as x and y."""
    x, y = plan.axes
    shape = len(x.values), len(y.values)
    found: dict[str, np.ndarray[Any, Any]] = {
        "x": np.array([told(v) if isinstance(v, list) else v for v in x.values]),
        "y": np.array([told(v) if isinstance(v, list) else v for v in y.values]),
    }
    for view in NUMBERS:
        found[view] = np.full(shape, np.nan)
        for place, own in outcomes.items():
            found[view][place] = value(own, view)
    return found


def zoomed(plan: Plan, cursor: tuple[int, int]) -> Plan:
    """The plan of the half of each axis that is around the cursor, with as many values as before;
    an axis of words stays as it is.

    Raises:
        ConfigError: where no value lies between.
    """
    axes = [narrowed(axis, at, plan.base) for axis, at in zip(plan.axes, cursor, strict=True)]
    if axes == list(plan.axes):
        raise ConfigError("nothing lies between these cells: this is as near as it gets")
    return Plan.of(plan.base, axes, plan.seeds)


def narrowed(axis: Axis, at: int, base: RunConfig) -> Axis:
    values, count = axis.values, len(axis.values)
    if count < 3 or not all(type(v) in (int, float) for v in values):
        return axis
    quarter = max(1, count // 4)
    low, high = values[max(0, at - quarter)], values[min(count - 1, at + quarter)]
    return parse_axis(f"{axis.key}={low!r}..{high!r}@{count}{'log' * axis.log}", base)
