"""What the lab's screen does with kept runs: lists them, opens one, goes on with one, and what
leaving does with the run at hand.

It knows the workbench and the screens of `caveats_tui.runs`, not what the lab shows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual.screen import Screen

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.runs.reader import Reader
from caveats.runs.shelf import default_place
from caveats.status import LIVE
from caveats_tui.bench.following import Watching
from caveats_tui.bench.replaying import Replaying
from caveats_tui.bench.training import Workbench
from caveats_tui.charts.spec import Charset
from caveats_tui.screens.dialogs import Ask
from caveats_tui.screens.runs.screen import RunsScreen

if TYPE_CHECKING:
    from caveats_tui.charts.process import ChartProcess

__all__ = ["KeepingScreen", "workbench"]


def workbench(
    config: RunConfig,
    every: int | None,
    place: Path | None,
    reader: Reader | None,
    replay: float | None,
) -> Workbench:
    """To train on, or to look at the run of ``reader``: followed, or replayed at ``replay`` times
    its speed, 0 for all of it in half a minute."""
    if reader is None:
        return Workbench(config, every, place)
    return Watching(reader) if replay is None else Replaying(reader, replay or None)


class KeepingScreen(Screen[None]):
    """A screen over a workbench, whose runs are kept in ``place``, None for nowhere. One that lies
    over another, ``under`` it, watches a kept run, and leaving it goes back there."""

    def __init__(
        self,
        bench: Workbench,
        charts: ChartProcess,
        charset: Charset,
        *,
        every: int | None,
        place: Path | None,
        under: KeepingScreen | None,
    ) -> None:
        super().__init__()
        self.bench = bench
        self._charts = charts
        self._charset: Charset = charset
        self._every, self._place, self._under = every, place, under
        self._deleted: list[Path] = under._deleted if under else []

    def over(self, reader: Reader) -> KeepingScreen:
        """A screen to lie over this one, watching the run of ``reader``."""
        raise NotImplementedError

    def _frame(self) -> None:
        raise NotImplementedError

    def _do(self, act: Callable[[], None]) -> None:
        act()
        self._frame()

    def _notice(self, sentence: str) -> None:
        self.bench.notice = sentence
        self._frame()

    def action_runs(self) -> None:
        place = self._place or default_place()
        plain = self._charset == "ascii"
        screen = RunsScreen(
            place, self._charts, charset=self._charset, plain=plain, deleted=self._deleted
        )
        self.app.push_screen(screen, self._take)

    def _take(self, chosen: Reader | Path | None) -> None:
        """What the list of runs gave back: a run to look at, or one to go on with."""
        if isinstance(chosen, Path):
            self.resume(chosen)
        elif chosen is not None and chosen.folder == self.bench.folder:
            self._notice("this run is on the screen already")
        elif chosen is not None and self.bench.watching:
            old, self.bench = self.bench, Watching(chosen)
            self.bench.begin()
            old.end()
        elif chosen is not None:
            self.app.push_screen(self.over(chosen))

    def action_resume(self) -> None:
        bench = self.bench
        if not isinstance(bench, Watching):
            self._notice("R goes on with a kept run: l lists them")
        elif bench.status.state in LIVE and not bench.silent:
            bench.may_change()
            self._frame()
        else:
            self.resume(bench.reader.folder)

    def resume(self, folder: Path) -> None:
        """Go on with a kept run in the lab; what was going on there is kept and left."""
        if self._under is not None:
            self._under.resume(folder)
            self.dismiss(None)
            return
        old = self.bench
        if old.watching:
            self.bench = Workbench(old.config, self._every, self._place or default_place())
            self.bench.begin()
            old.end()
        self._do(lambda: self.bench.resume(folder))

    def action_look_back(self, records: int) -> None:
        self._do(lambda: self.bench.look_back(records))

    def action_hasten(self, times: float) -> None:
        self._do(lambda: self.bench.hasten(times))

    def action_leave(self) -> None:
        bench = self.bench
        if self._under is not None:
            self.dismiss(None)
            return
        if bench.watching or not bench.running:
            self.app.exit()
            return

        def answered(key: str | None) -> None:
            if key is None:
                return
            try:
                bench.end(discard=key == "d")
            except ConfigError as error:
                self._notice(str(error))
            else:
                self.app.exit()

        answers = {"y": "stop and quit"}
        if bench.folder is not None:
            answers = {
                "y": "stop and quit; the run is kept, and R in the list of runs goes on with it",
                "d": "stop and quit; move the run to the trash",
            }
        self.app.push_screen(Ask("A run is going. Stop it and quit?", answers), answered)
