"""A bench that trains: it owns the config and its undo list, the session, the ghost, the verdicts,
the race of remedies, the remedy that is being tried, and the seeds that train beside the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveats.config import RunConfig
from caveats.curing import advised
from caveats.errors import ConfigError, visible
from caveats.experiments import Experiment
from caveats.history import History
from caveats.runs.keeper import Keeper
from caveats.runs.manifest import MANIFEST
from caveats.runs.shelf import delete
from caveats.session import Session
from caveats.status import Status
from caveats.verdicts import Judge, Remedy, Verdict
from caveats_tui.bench.cure import Cure
from caveats_tui.bench.cursor import Cursor
from caveats_tui.bench.elapsed import Elapsed
from caveats_tui.bench.forecast import Forecast, Forecaster
from caveats_tui.bench.ghost import Ghost
from caveats_tui.bench.own_file import OwnFile
from caveats_tui.bench.protocol import Question
from caveats_tui.bench.race import Offer, RaceMaker, offered
from caveats_tui.bench.races import Races
from caveats_tui.bench.seeds import Seeds, SeedsMaker
from caveats_tui.bench.slow_motion import next_limit, told
from caveats_tui.bench.step_trials import StepTrials, TrialMaker
from caveats_tui.charts.pace import BUSY_FPS
from caveats_tui.charts.trace import Trace
from caveats_tui.text.settings import changes_between, changes_shown

if TYPE_CHECKING:
    from caveats.data import Dataset

__all__ = ["Training"]

SessionMaker = Callable[[RunConfig, int | None, Keeper | None], Session]

# Seconds that leaving waits for the present step, for the disk and for the last verdicts: fewer
# than the 10 s after which `caveats_tui.terminal.guard` ends the program.
LEAVING = 8.0

LOADING = "torch is being loaded: this is done as soon as it is there"


class Training:
    """Trains ``config``, with a record every ``every`` steps. Runs are kept in ``place``, None for
    nowhere; ``session`` makes the worker; ``racing`` starts races of remedies, ``trying`` trials of
    other steps, ``seeding`` the training of ``seeds`` seeds, None for none.
    """

    watching = replays = False
    alarm = hint = ""
    mode: tuple[str, str] | None = None
    frames = BUSY_FPS

    def __init__(
        self,
        config: RunConfig,
        every: int | None = None,
        place: Path | None = None,
        *,
        session: SessionMaker = Session,
        racing: RaceMaker | None = None,
        trying: TrialMaker | None = None,
        seeding: SeedsMaker | None = None,
        seeds: int = 1,
        timed: bool = True,
    ) -> None:
        self.config = self.shown = config
        self._is_timed = timed  # a demo is not: two recordings of it show the same
        self.session: Session | None = None
        self.notice = ""
        self.notes: list[str] = []
        self._ghost = Ghost()
        self.cure: Cure | None = None
        self._forecaster = Forecaster()
        self._make_session = session
        self._races, self._trials = Races(racing), StepTrials(trying)
        self.seeds = Seeds(seeding, seeds, every)
        self._every = every
        self._place = place
        self._said = ""  # the trouble that was reported last
        self._resuming = 0  # the number that the resumed run will have
        self._cursor = Cursor()
        self.limit = 0.0  # steps a second at most, 0 for no limit
        self.elapsed, self._elapsed = 0.0, Elapsed()
        self._past: list[RunConfig] = []
        self._file = OwnFile()
        self._judge = Judge()
        self._judged: History | None = None
        self._found: set[tuple[str, str]] = set()

    def begin(self) -> None:
        """Start the session, whose thread imports torch."""
        keeper = None if self._place is None else Keeper(self._place)
        self.session = self._make_session(self.config, self._every, keeper)
        if self.limit:
            self.session.slow_down(self.limit)

    def end(self, *, discard: bool = False) -> None:
        """Stop once all is safe on disk; with ``discard`` the present run goes to the trash."""
        self._forecaster.stop()
        self.leave_race()
        self.seeds.leave()
        session, folder = self.session, self.folder
        if session is None:
            return
        importing = session.run is None and session.status.run_number < 2
        session.stop(1.0 if importing or session.keeper is None else LEAVING)
        if discard and folder is not None and (folder / MANIFEST).exists():  # or it is gone already
            delete(folder)

    # Reading

    @property
    def folder(self) -> Path | None:
        keeper = None if self.session is None else self.session.keeper
        return None if keeper is None else keeper.folder

    def heed(self) -> None:
        """Call once a frame: report each trouble beside the training once, by a notice and a note,
        and take over the setup of a run that was resumed."""
        session = self.session
        if session is None:
            return
        status = session.status
        if self._is_timed:
            self._elapsed.count(status)
            self.elapsed = self._elapsed.seconds
        if self.notice == LOADING and status.state != "loading":
            self.notice = ""
        if self._resuming and status.run_number >= self._resuming and session.run is not None:
            self._resuming, self.config = 0, session.run.config
            self.shown = self.config
            self.notice = "resumed: space trains on"
        if said := self._file.told(session.run):
            self.notes.append(said)
            self.notice = self.notice or said
        trouble = "" if session.keeper is None else session.keeper.problem
        if not trouble and status.state in ("paused", "running", "finished"):
            trouble = status.problem
        self.seeds.heed(session.run)
        trouble = trouble or self.seeds.problem
        if trouble and trouble != self._said:
            self._resuming, self.notice = 0, trouble
            self.notes.append(trouble)
        self._said = trouble
        idle = self.status.state in ("paused", "finished", "diverged")
        self._races.heed(session.run, self.config, idle, self.verdicts)
        self._trials.heed(session, idle and not self._races.going_on)

    @property
    def races(self) -> bool:
        return self._races.on

    def leave_race(self) -> None:
        self._races.leave()
        self._trials.leave()

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
        history = run.history
        snapshot = history.snapshot()

        def sample() -> tuple[Any, Any, int]:
            return run.probe.x.cpu().numpy(), run.probe.y.cpu().numpy(), run.outputs

        prediction = self._forecaster.predicted(run.config, sample, snapshot)
        steps, row = run.config.training.steps, self._cursor.row(history)
        seeds = self.seeds.found(history)
        return Trace(snapshot, history.layers, steps, prediction, row, history, seeds)

    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts on the present run, worst first. Judges the new records."""
        run = None if self.session is None else self.session.run
        if run is None:
            return ()
        if self._judged is not run.history:
            self._judge, self._judged = Judge(), run.history
        verdicts = advised(self.shown, self._judge.look(run.history))
        found: set[tuple[str, str]] = {(v.caveat, v.severity) for v in verdicts}
        if found - self._found:  # a new verdict replaces the message about an earlier key
            self.notice = ""
        self._found = found
        cure = self.cure
        # Until the worker takes the command, the present run is still the failed one, and is over.
        begun = cure is not None and cure.before is not run.history
        if cure is not None and begun and self.over and not cure.outcome:
            cure.settle(run.history, verdicts)
            self.notes.append(cure.outcome)
            if self.notice == cure.beginning:
                self.notice = ""
        return self._races.advised(run, self.config, verdicts)

    def curable(self) -> Verdict | None:
        """The worst verdict that has a remedy; where there is none, None and a notice."""
        verdict = next((v for v in self.verdicts() if v.next), None)
        if verdict is None and self.cure is not None:
            return self.cure.verdict  # another remedy for the failed run
        if verdict is None:
            self.notice = "nothing to fix: no caveat with a remedy has been found in this run"
        return verdict

    def setup_of(self, verdict: Verdict) -> RunConfig:
        cure = self.cure
        return cure.failed if cure is not None and verdict is cure.verdict else self.shown

    def offer(self, verdict: Verdict) -> Offer:
        return offered(verdict, self.setup_of(verdict), self._races.race)

    @property
    def dataset(self) -> Dataset | None:
        run = None if self.session is None else self.session.run
        return None if run is None else run.dataset

    @property
    def outputs(self) -> int | None:
        run = None if self.session is None else self.session.run
        return None if run is None else run.outputs

    @property
    def origin(self) -> str:
        return ""

    @property
    def forecast(self) -> Forecast | None:
        return self._forecaster.forecast

    @property
    def predicting(self) -> bool:
        """Whether theory is being computed."""
        return self._forecaster.busy

    def ask(
        self, question: Question, then: Callable[[Any], None], refuse: Callable[[str], None]
    ) -> None:
        if self.session is not None:
            self.session.ask(lambda run: question(run.trainer.network, run.dataset), then)

    def may_change(self) -> bool:
        return True

    # Looking back

    def look_back(self, records: int) -> None:
        self.notice = self._cursor.move(self.trace(), records)

    def look_at(self, step: float) -> None:
        self.notice = self._cursor.go_to(self.trace(), step)

    def hasten(self, times: float) -> None:
        """Slow motion: less than the present speed for ``times`` below 1, else more, and at last as
        fast as possible."""
        self.limit = next_limit(self.limit, self.status.speed, slower=times < 1)
        if self.session is not None:
            self.session.slow_down(self.limit)
        self.notice = told(self.limit)

    # Changing the setup

    def apply(self, changes: Mapping[str, Any]) -> bool:
        """Change the setup; where the change is not valid, False and a notice."""
        try:
            config = self.config.changed(changes, "setup")
        except ConfigError as error:
            self.notice = str(error)
            return False
        if config != self.config:
            self._past.append(self.config)
            self._take(config)
        return True

    def load(self, experiment: Experiment, *, play: bool = False) -> None:
        if experiment.config != self.config:
            self._past.append(self.config)
        self.notice, self.cure = "", None
        self._ghost.remove()
        self.config = self.shown = experiment.config
        self.notes.append(f"{experiment.name}: {experiment.lesson}")
        if self.session is not None:
            self.session.restart(self.config, play=play)

    def undo(self) -> None:
        if self._past:
            self._take(self._past.pop())
        else:
            self.notice = "nothing to undo"

    def _take(self, config: RunConfig) -> None:
        self.notice = ""
        self.cure = None
        if self.config.restarts(config):
            self.leave_ghost()
        old, self.config = self.config, config
        if self._too_late_for(config):
            if config != self.shown:
                self.notice = f"{changes_between(old, config)}: pending, r applies"
            return
        self.shown = config
        if self.session is not None:
            self.session.change(config)

    def _too_late_for(self, config: RunConfig) -> bool:
        """Whether the run is over and stays so: what it was trained with is what is shown of it."""
        run = None if self.session is None else self.session.run
        if run is None or not self.over or self.shown.restarts(config):
            return False
        longer = config.fitted(run.dataset.rows).training.steps > run.step
        return not longer or self.status.state == "diverged"

    # Running

    def play_or_pause(self) -> None:
        if (session := self._unless_over()) is not None:
            session.play_or_pause()

    def step(self) -> None:
        if (session := self._unless_over()) is not None:
            session.single_step()

    def _unless_over(self) -> Session | None:
        """The session, or None and a notice where it cannot train on."""
        self.notice = ""
        if self.session is None:
            self.notice = "torch is being loaded: try again in a moment"
        elif self.over:
            self.notice = "the run is over: r begins again from step 0"
            return None
        elif self.status.state == "loading":
            self.notice = LOADING
        return self.session

    def restart(self) -> None:
        """Begin again from step 0, running if it was running; the curves so far become the
        ghost."""
        self.notice = ""
        self.cure = None
        self.leave_ghost()
        self.shown = self.config
        if not self.running:
            self.notice = "at step 0 again: space trains"
        if self.session is not None:
            self.session.restart(self.config, play=None)

    def to_resume(self) -> Path | None:
        self.notice = "R continues a kept run: L lists them"
        return None

    def resume(self, folder: Path) -> bool:
        """Continue a kept run in its own folder; the present run is kept and left."""
        if self.session is None:
            return True
        self.cure, self.notice = None, f"resuming {visible(folder.name)}"
        self._resuming, self._said = self.status.run_number + 1, ""
        self.session.resume(folder)
        return True

    def fix(self, verdict: Verdict, remedy: Remedy) -> None:
        session, cure = self.session, self.cure
        run = None if session is None else session.run
        again = cure is not None and verdict is cure.verdict
        if cure is not None and again:
            history = cure.before  # the run of the remedy before may not have begun
        elif run is not None:
            history = run.history
        else:
            return
        assert session is not None
        failed = self.setup_of(verdict)
        try:
            config = failed.changed(remedy.change, "remedy")
        except ConfigError as error:
            self.notice = str(error)
            return
        why = self._races.choice(failed, verdict, remedy)
        self.leave_race()
        if not again:  # else the failed run is the ghost already
            self.leave_ghost(force=True)
        self.cure = Cure(verdict, changes_shown(remedy.change, failed), history, failed, why)
        self.notice = self.cure.beginning if self.races else ""
        self._past.append(self.config)
        self.config = self.shown = config
        self.notes.append(self.cure.beginning)
        session.restart(config, play=True)

    # The ghost

    @property
    def ghost(self) -> Trace | None:
        return self._ghost.trace

    @property
    def before(self) -> tuple[str, ...]:
        run = None if self.session is None else self.session.run
        # The ghost's setup was fitted to its rows.
        return self._ghost.before(
            self.shown if run is None else self.shown.fitted(run.dataset.rows)
        )

    def leave_ghost(self, force: bool = False) -> None:
        """Show the present run's curves behind the next run."""
        run, trace = None if self.session is None else self.session.run, self.trace()
        if run is not None and trace is not None:  # the worker may have begun another
            self._ghost.leave(trace, run.config, force=force)

    def toggle_ghost(self) -> None:
        """Pin the present run as the ghost; if there is a ghost, remove it."""
        if self.ghost is not None:
            self._ghost.remove()
            self.notice = "the ghost is removed"
            return
        self.leave_ghost(force=True)
        self.notice = "there are no curves yet that could stay as a ghost"
        if self.ghost is not None:
            self._ghost.pinned = True
            self.notice = "this run's curves stay as the ghost; g removes them"
            self.notes.append(self.notice)
