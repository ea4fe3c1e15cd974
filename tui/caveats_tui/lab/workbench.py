"""What the lab is working on: the config and its past, the session, the ghost, the verdicts, the
cure being tried. It knows no widget: every method answers with what there is to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.experiments import Experiment, experiments
from caveats.history import History
from caveats.session import Session, Status
from caveats.verdicts import Judge, Remedy, Verdict
from caveats_tui.lab.cure import Attempt
from caveats_tui.lab.figures import Trace
from caveats_tui.lab.forecast import Forecast, Forecaster
from caveats_tui.lab.setup import describe
from caveats_tui.lab.words import changes_shown

__all__ = ["Workbench"]


class Workbench:
    """``notice`` is the sentence about the last thing the person did, empty where it worked;
    ``notes`` is what happened beside the run's own events."""

    def __init__(self, config: RunConfig, every: int | None) -> None:
        self.config = config
        self.session: Session | None = None
        self.notice = ""
        self.notes: list[str] = []
        self.ghost: tuple[str, Trace] | None = None
        self.attempt: Attempt | None = None
        self.forecast: Forecast | None = None
        self._forecaster = Forecaster()
        self._every = every
        self._past: list[RunConfig] = []
        self._pinned = False
        self._judge = Judge()
        self._judged: History | None = None

    def begin(self) -> None:
        """Start the session, whose thread imports torch."""
        self.session = Session(self.config, self._every)

    def end(self) -> None:
        self._forecaster.stop()
        if self.session is not None:
            self.session.stop(timeout=1.0)

    # Reading

    @property
    def status(self) -> Status:
        return Status() if self.session is None else self.session.status

    @property
    def running(self) -> bool:
        return self.status.state == "running"

    @property
    def over(self) -> bool:
        return self.status.state in ("finished", "diverged")

    def trace(self) -> Trace | None:
        """The present run's records, None while there is no run."""
        run = None if self.session is None else self.session.run
        if run is None:
            return None
        self.forecast = self._forecaster.of(run)
        snapshot, steps = run.history.snapshot(), run.config.training.steps
        prediction = self.forecast.prediction if self.forecast else None
        if any(key.startswith("network.") for e in snapshot.events for key in e.changes):
            prediction = None  # it is of another network than the one that began
        return Trace(snapshot, run.history.layers, steps, prediction)

    def verdicts(self) -> tuple[Verdict, ...]:
        """What holds of the present run, worst first. Judges the records that are new."""
        run = None if self.session is None else self.session.run
        if run is None:
            return ()
        if self._judged is not run.history:
            self._judge, self._judged = Judge(), run.history
        verdicts = self._judge.look(run.history)
        attempt = self.attempt
        # Until the worker has taken the command, the run that failed is still there, and over.
        begun = attempt is not None and attempt.before is not run.history
        if attempt is not None and begun and self.over and not attempt.outcome:
            attempt.settle(run.history, verdicts)
            self.notes.append(attempt.outcome)
        return verdicts

    def curable(self) -> Verdict | None:
        """The worst verdict that has a remedy, None with a notice where there is none. An
        experiment's own cure comes first among the remedies of the caveat that it shows."""
        for verdict in self.verdicts():
            for experiment in experiments().values():
                if experiment.config == self.config and experiment.caveat == verdict.caveat:
                    own = Remedy(experiment.cure, f"the cure of {experiment.name}")
                    others = tuple(r for r in verdict.next if r.change != own.change)
                    verdict = replace(verdict, next=(own, *others) if own.change else others)
            if verdict.next and verdict.next[0].change:
                return verdict
        self.notice = "nothing to fix: no caveat with a remedy has been found in this run"
        return None

    @property
    def severity(self) -> str:
        """Of what the message line says: that of the worst verdict, "" where it says less."""
        if self.notice or (self.attempt is not None and self.attempt.outcome):
            return ""
        worst = self.verdicts()
        return worst[0].severity if worst else "critical" * bool(self.status.problem)

    # Changing the setup

    def apply(self, changes: Mapping[str, Any]) -> bool:
        """Change the setup; False, with a notice, where that is not valid."""
        try:
            config = self.config.changed(changes, "setup")
        except ConfigError as error:
            self.notice = str(error)
            return False
        if config != self.config:
            self._past.append(self.config)
            self._take(config)
        return True

    def load(self, experiment: Experiment) -> None:
        """Set the experiment up, paused at step 0."""
        if experiment.config != self.config:
            self._past.append(self.config)
        self.notice, self.attempt, self.ghost, self._pinned = "", None, None, False
        self.config = experiment.config
        self.notes.append(f"{experiment.name}: {experiment.lesson}")
        if self.session is not None:
            self.session.restart(self.config)

    def undo(self) -> None:
        if self._past:
            self._take(self._past.pop())
        else:
            self.notice = "nothing to undo"

    def _take(self, config: RunConfig) -> None:
        self.notice = ""
        self.attempt = None
        if self.config.restarts(config):
            self.leave_ghost()
        self.config = config
        if self.session is not None:
            self.session.change(config)

    # Running

    def play_or_pause(self) -> None:
        self.notice = ""
        if self.session is None:
            return
        if self.over:
            self.notice = "the run is over: r begins again from step 0"
        elif self.running:
            self.session.pause()
        else:
            self.session.play()

    def step(self) -> None:
        self.notice = ""
        if self.session is not None:
            self.session.single_step()

    def restart(self) -> None:
        """Begin again from step 0, running if it was; the curves so far become the ghost."""
        self.notice = ""
        self.attempt = None
        self.leave_ghost()
        if self.session is not None:
            self.session.restart(self.config, play=self.running)

    def fix(self, verdict: Verdict, remedy: Remedy) -> None:
        """Try a remedy: same seed and data, from step 0, the failed run as the ghost."""
        run = None if self.session is None else self.session.run
        if run is None or self.session is None:
            return
        try:
            config = self.config.changed(remedy.change, "remedy")
        except ConfigError as error:
            self.notice = str(error)
            return
        self.notice = ""
        self.leave_ghost(force=True)
        self.attempt = Attempt(verdict, changes_shown(remedy.change, self.config), run.history)
        self._past.append(self.config)
        self.config = config
        self.notes.append(self.attempt.beginning)
        self.session.restart(config, play=True)

    # The ghost

    def leave_ghost(self, force: bool = False) -> None:
        """Keep the present run's curves behind the next one, unless one is pinned."""
        trace = self.trace()
        if trace is None or self.session is None or (self._pinned and not force):
            return
        if force or (len(trace.snapshot) and trace.snapshot.steps[-1] > 0):
            assert self.session.run is not None
            label = f"run {self.status.run_number}, {describe(self.session.run.config, None)}"
            self.ghost = label, trace

    def toggle_ghost(self) -> None:
        """Pin the present run as the ghost; where there is a ghost, let it go."""
        if self.ghost is not None:
            self.ghost, self._pinned = None, False
        else:
            self.leave_ghost(force=True)
            self._pinned = self.ghost is not None
            if self._pinned:
                self.notes.append("this run's curves stay as the ghost; g lets them go")
