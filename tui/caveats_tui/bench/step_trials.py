"""The trial of other steps beside the lab: made when a run has stopped far from what its data
allow, and noted in the run's history, where the verdicts about the step find their proof."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from caveats.facts import Trial
from caveats.history import History
from caveats.session import Session
from caveats.verdicts import worth_a_trial
from caveats_tui.bench.race import is_small

if TYPE_CHECKING:
    from caveats.trials import Start

__all__ = ["StepTrials", "TrialMaker", "Trying", "trial_process"]


class Trying(Protocol):
    """What `caveats.trials.child.Child` offers of a trial."""

    found: tuple[Trial, ...]

    @property
    def over(self) -> bool: ...

    def stop(self) -> None: ...


TrialMaker = Callable[["Start"], Trying]


def trial_process(start: Start) -> Trying:
    """A trial in a process of its own."""
    from caveats.trials.child import steps_child

    return steps_child(start)


class StepTrials:
    """Makes the trial of a run that has stopped, and ends it when something else begins. Without
    ``make`` there are none."""

    def __init__(self, make: TrialMaker | None) -> None:
        self._make = make
        self._process: Trying | None = None
        self._asked: tuple[History, int] | None = None  # the run and step of the last trial
        self._starts: list[Start] = []  # where the next trial starts, from the worker's thread

    def leave(self) -> None:
        """End the trial that is being made; the next stop of the run begins it again."""
        if self._process is not None:
            self._process.stop()
            self._process, self._asked = None, None

    def heed(self, session: Session, idle: bool) -> None:
        """Call once a frame: begin a trial while nothing trains or races (``idle``), and note what
        it found."""
        run = session.run
        if self._make is None:
            return
        if run is None or not idle:
            return self.leave()
        here = run.history, run.step
        if self._process is not None and self._asked != here:
            self.leave()
        if self._process is not None:
            return self._take(session)
        if self._starts:
            start = self._starts.pop()
            if self._asked == here and start.state is not None and start.state["step"] == run.step:
                self._process = self._make(start)
        elif self._asked != here and worth_a_trial(run.history) and is_small(run):
            from caveats.trials import Start

            self._asked = here
            session.ask(Start.on_cpu, self._starts.append)

    def _take(self, session: Session) -> None:
        process = self._process
        if process is None or not process.over:
            return
        from caveats.trials.steps import trial_event

        process.stop()
        self._process = None
        for trial in process.found:
            session.note(trial_event(trial))
