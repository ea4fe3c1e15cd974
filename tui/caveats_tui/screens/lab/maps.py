"""The atlas in the lab: ask for its axes, show it, and open a cell of it here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.experiments import Experiment
from caveats.runs.shelf import default_place
from caveats.sweeps import Plan, Sweep
from caveats_tui.screens.atlas.axes import AskAxes
from caveats_tui.screens.atlas.screen import AtlasScreen

if TYPE_CHECKING:
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["show_atlas"]


def show_atlas(lab: LabScreen) -> None:
    """Open the lab's atlas again, or ask for the axes of a new one."""
    if lab.sweep is not None:
        show(lab, lab.sweep)
        return

    def took(plan: Plan | None) -> None:
        if plan is None:
            return
        try:
            show(lab, make(lab, plan))
        except ConfigError as error:
            lab.notice(str(error))

    lab.app.push_screen(AskAxes(lab.bench.config), took)


def make(lab: LabScreen, plan: Plan) -> Sweep:
    """The sweep of a plan, in the folder beside the kept runs that belongs to it."""
    place = lab.options.maps or (lab.options.place or default_place()).parent / "atlases"
    return Sweep.create(plan.own_folder(place), plan)


def show(lab: LabScreen, sweep: Sweep) -> None:
    # While the lab is held, whoever holds it trains the cells.
    screen = AtlasScreen(
        sweep, lambda plan: make(lab, plan), plain=lab.options.plain, training=not lab.held()
    )

    def took(chosen: RunConfig | None) -> None:
        if chosen is None:
            lab.sweep = None  # the next m asks for other axes
            lab.frame()
            return
        lab.sweep = screen.sweep
        if lab.bench.may_change():
            lab.do(lambda: open_cell(lab, chosen))

    lab.app.push_screen(screen, took)


def open_cell(lab: LabScreen, config: RunConfig) -> None:
    """Train a cell's config in the lab: the same seed and data, so the same curve."""
    cell = Experiment("atlas", "", "", "", "a cell of the atlas; m goes back to it", config, {})
    lab.bench.load(cell, play=True)
