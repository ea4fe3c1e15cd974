"""Kept runs in the lab: list them, open one, resume one; and leaving the lab, which asks about the
run that is going on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from caveats.errors import ConfigError
from caveats.runs.reader import Reader
from caveats.runs.shelf import default_place
from caveats_tui.bench.following import Following
from caveats_tui.bench.race import race_process
from caveats_tui.bench.step_trials import trial_process
from caveats_tui.bench.training import Training
from caveats_tui.screens.dialogs import Ask
from caveats_tui.screens.runs.screen import RunsScreen

if TYPE_CHECKING:
    from caveats_tui.bench.protocol import Bench
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["leave", "resume", "resume_shown", "show_list"]


def show_list(lab: LabScreen) -> None:
    """Open the list of kept runs over the lab."""

    def took(chosen: Reader | Path | None) -> None:
        if isinstance(chosen, Path):
            resume(lab, chosen)
        elif chosen is not None:
            look_at(lab, chosen)

    place = lab.options.place or default_place()
    screen = RunsScreen(place, lab.tools.charts, charset=lab.options.charset, deleted=lab.deleted)
    lab.app.push_screen(screen, took)


def look_at(lab: LabScreen, reader: Reader) -> None:
    """Show a kept run: in place of another kept run, else on a screen over the run in training."""
    if reader.folder == lab.bench.folder:
        lab.notice("this run is on the screen already")
    elif reader.manifest.config is None:
        lab.notice(f"a watched command has its own screen: caveats-tui open {reader.folder.name}")
    elif lab.bench.watching:
        change_bench(lab, Following(reader))
    else:
        lab.app.push_screen(lab.over(reader))


def resume_shown(lab: LabScreen) -> None:
    """Resume the kept run on the screen, if no process trains it."""
    folder = lab.bench.to_resume()
    if folder is None:
        lab.frame()
    else:
        resume(lab, folder)


def resume(lab: LabScreen, folder: Path) -> None:
    """Resume a kept run in the lab; the run that was going on there is kept and left."""
    if lab.under is not None:
        resume(lab.under, folder)
        lab.dismiss(None)
        return
    if not lab.bench.resume(folder):
        place = lab.options.place or default_place()
        racing = race_process if lab.options.races else None
        trying = trial_process if lab.options.races else None
        every = lab.options.every
        bench = Training(lab.bench.config, every, place, racing=racing, trying=trying)
        change_bench(lab, bench)
        lab.bench.resume(folder)
    lab.frame()


def change_bench(lab: LabScreen, bench: Bench) -> None:
    """Start another bench before the old one ends."""
    old, lab.bench = lab.bench, bench
    bench.begin()
    old.end()


def leave(lab: LabScreen) -> None:
    """Go back to the screen below, or leave the program; ask first while a run is going on."""
    bench = lab.bench
    if lab.under is not None:
        lab.dismiss(None)
        return
    if bench.watching or not bench.running:
        lab.app.exit()
        return

    def answered(key: str | None) -> None:
        if key is None:
            return
        try:
            bench.end(discard=key == "d")
        except ConfigError as error:
            lab.notice(str(error))
        else:
            lab.app.exit()

    answers = {"y": "stop and quit"}
    if bench.folder is not None:
        answers = {
            "y": "stop and quit; the run is kept, and R in the list of runs continues it",
            "d": "stop and quit; move the run to the trash",
        }
    lab.app.push_screen(Ask("A run is going on. Stop it and quit?", answers), answered)
