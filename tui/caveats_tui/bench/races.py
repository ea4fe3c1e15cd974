"""The race of remedies beside the lab: at most one, about the failed run on the charts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from caveats.config import RunConfig
from caveats.verdicts import Remedy, Verdict
from caveats_tui.bench.race import Race, RaceMaker, raceable, started

if TYPE_CHECKING:
    from caveats.run import Run

__all__ = ["Races"]

Verdicts = tuple[Verdict, ...]


class Races:
    """Starts the race of a run that has stopped with a verdict, and ends it. Without ``make`` there
    are no races."""

    def __init__(self, make: RaceMaker | None) -> None:
        self._make = make
        self.race: Race | None = None

    @property
    def on(self) -> bool:
        return self._make is not None

    @property
    def going_on(self) -> bool:
        return self.race is not None and not self.race.over and not self.race.stopped

    def leave(self) -> None:
        if self.race is not None:
            self.race.stop()

    def heed(
        self, run: Run | None, setup: RunConfig, idle: bool, verdicts: Callable[[], Verdicts]
    ) -> None:
        """While no run trains (``idle``), race the remedies of the worst verdict; else end the
        race."""
        # Until the worker takes the command of the last key, the run is still the one before it.
        if self._make is None or run is None or not idle or not shows(setup, run):
            return self.leave()
        verdict = raceable(run, verdicts())
        if verdict is None:
            return self.leave()
        race = self.race
        if race is None or race.stopped or not race.is_about(setup, verdict):
            self.leave()
            self.race = race = started(self._make, run, setup, verdict)
        race.heed()

    def advised(self, run: Run, setup: RunConfig, verdicts: Verdicts) -> Verdicts:
        """``verdicts`` with the winner of their race as the first remedy."""
        race = self.race
        if race is None or not shows(setup, run):
            return verdicts
        return tuple(race.advised(v) if race.is_about(setup, v) else v for v in verdicts)

    def choice(self, setup: RunConfig, verdict: Verdict, remedy: Remedy) -> str:
        """Why ``remedy`` is tried, "" if no race was about it."""
        race = self.race
        about = race is not None and race.is_about(setup, verdict)
        return race.choice(verdict, remedy) if race is not None and about else ""


def shows(setup: RunConfig, run: Run) -> bool:
    return setup.fitted(run.dataset.rows) == run.config
