"""A bench for a run that another process trains, or that is over: it shows the run and changes
nothing.

It owns the time cursor and the messages about the other process. `caveats.runs.reader` reads the
folder, `caveats_tui.bench.timeline` judges it, `caveats_tui.bench.insight` asks its network, and
`caveats_tui.bench.replaying` plays it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveats.config import RunConfig
from caveats.errors import visible
from caveats.experiments import Experiment
from caveats.runs.manifest import SILENT_AFTER
from caveats.runs.reader import Follower, Reader
from caveats.status import Status
from caveats.verdicts import Remedy, Verdict
from caveats_tui.bench.cure import Cure
from caveats_tui.bench.cursor import NO_RECORDS, nearest, record_at
from caveats_tui.bench.forecast import Forecast, Forecaster
from caveats_tui.bench.insight import Insight
from caveats_tui.bench.protocol import Question
from caveats_tui.bench.race import Offer, offered
from caveats_tui.bench.replaying import Replay, trained
from caveats_tui.bench.seeds import Seeds
from caveats_tui.bench.timeline import Timeline
from caveats_tui.charts.pace import BUSY_FPS
from caveats_tui.charts.trace import Trace

if TYPE_CHECKING:
    from caveats.data import Dataset

__all__ = ["Following"]

_CONTINUE = ", R continues it here"
_LOOK_BACK = f", and . step through the run{_CONTINUE}"
FOLLOWING_HINTS = {
    "loading": "another process is starting this run",
    "paused": "another process has paused this run; , looks back",
    "running": "another process trains this run; , looks back",
    "finished": _LOOK_BACK,
    "stopped": _LOOK_BACK,
}


class Following:
    """Follows the run of ``reader``, or plays it again as ``replay`` says. ``cursor`` is the step
    that the user looks at, None while the newest record is shown."""

    watching = True
    limit = elapsed = 0.0
    races = False

    def __init__(self, reader: Reader, replay: Replay | None = None) -> None:
        self.config = reader.manifest.config or RunConfig()  # of a watched command: none is shown
        self.reader = reader
        self.replay = replay
        # Records reach the disk only once a second, so more frames would show little more.
        self.frames = 1.0 if replay is None else BUSY_FPS
        self.notice = ""
        self.notes: list[str] = []
        self.ghost: Trace | None = None
        self.cure: Cure | None = None
        self.seeds = Seeds(None, 1, None)
        self._cursor: int | None = None
        self._forecaster = Forecaster()
        self._insight = Insight(reader)
        self._follower: Follower | None = None
        self._timeline: Timeline | None = None
        self._history = reader.history
        self._alarmed = False

    def begin(self) -> None:
        self._follower = Follower(self.reader)

    def end(self, *, discard: bool = False) -> None:
        self._forecaster.stop()
        self._insight.stop()
        if self._timeline is not None:
            self._timeline.stop()
        if self._follower is not None:
            self._follower.stop()

    # Reading

    @property
    def shown(self) -> RunConfig:
        return self.config

    @property
    def status(self) -> Status:
        return self.reader.status

    @property
    def folder(self) -> Path | None:
        return self.reader.folder

    @property
    def replays(self) -> bool:
        return self.replay is not None

    @property
    def running(self) -> bool:
        return self.status.state == "running" and not self.silent

    @property
    def cursor(self) -> int | None:
        return self._cursor if self.replay is None else self.replay.step

    @property
    def silent(self) -> bool:
        """Whether the process that trains the run gives no sign of life."""
        return self.reader.silent >= SILENT_AFTER

    @property
    def alarm(self) -> str:
        """Why the folder can no longer be followed, else that its process has fallen silent."""
        if self._follower is not None and self._follower.problem:
            return self._follower.problem
        return self.status.problem if self.silent else ""

    @property
    def hint(self) -> str:
        if self.replay is not None:
            return self.replay.hint
        if self._timeline is not None and not self._timeline.complete and not self.running:
            return "judging the records"
        if self.cursor is not None:
            return f"nothing was found at step {self.cursor:,}; > goes back to the newest record"
        hint = FOLLOWING_HINTS.get(self.status.state, "")
        if self.reader.manifest.config is None:  # it can be continued only by its own command
            hint = hint.removesuffix(_CONTINUE)
        return hint

    @property
    def mode(self) -> tuple[str, str] | None:
        replay = self.replay
        if self.silent and not (replay is not None and replay.playing):
            return "○", "no news"
        if replay is not None:
            return replay.mode
        return None if self.cursor is None else ("◂", "looking back")

    @property
    def dataset(self) -> Dataset | None:
        return self._insight.dataset

    @property
    def outputs(self) -> int | None:
        return self.reader.manifest.units[-1]

    @property
    def before(self) -> tuple[str, ...]:
        return ()

    @property
    def origin(self) -> str:
        at = self._insight.step  # of its checkpoint
        return "" if at is None else f"at step {at:,}"

    @property
    def forecast(self) -> Forecast | None:
        return self._forecaster.forecast

    def ask(
        self, question: Question, then: Callable[[Any], None], refuse: Callable[[str], None]
    ) -> None:
        self._insight.ask(question, then, refuse)

    def heed(self) -> None:
        self.config = self.reader.manifest.config or self.config
        alarmed = bool(self.alarm)
        if alarmed and not self._alarmed:
            self.notice = ""  # the alarm matters more than the message about an earlier key
        self._alarmed = alarmed
        for problem in self.reader.problems:
            if problem not in self.notes:
                self.notes.append(problem)
                self.notice = problem
        if self.replay is not None:
            self.replay.pass_time()

    def trace(self) -> Trace | None:
        history = self.reader.history
        snapshot, steps = history.snapshot(), self.reader.manifest.planned()
        row = None
        if self.cursor is not None and len(snapshot):
            row = record_at(snapshot.steps, self.cursor)
        prediction = None
        configured = self.reader.manifest.config is not None
        if self._follower is not None and configured:  # it imports torch: after the first paint
            sample = self._insight.sample
            prediction = self._forecaster.predicted(self.reader.config, sample, snapshot)
        trace = Trace(snapshot, history.layers, steps, prediction, row, history)
        return trace if self.replay is None else self.replay.come(trace)

    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts at the cursor, worst first; without a cursor, those at the newest record
        that has been judged."""
        history = self.reader.history
        if self._timeline is None or self._history is not history:
            if self._timeline is not None:
                self._timeline.stop()
            self._history, self._timeline = history, Timeline(history)
        self._timeline.follow()
        newest = history.version[0]
        return self._timeline.at(newest if self.cursor is None else self.cursor)

    # Looking back

    def look_back(self, records: int) -> None:
        """Move the cursor by ``records`` records, as far as there are any. At the newest record it
        follows the run again."""
        self.notice = ""
        if self.replay is not None:
            return self.replay.look_back(records)
        steps = self.reader.history.snapshot().steps
        if not len(steps):
            self.notice = NO_RECORDS
            return
        last = len(steps) - 1
        at = last if self.cursor is None else record_at(steps, self.cursor)
        to = max(0, min(last, at + records))
        if to == at and self.cursor is None:
            self.notice = "this is the newest record: , steps back" if records > 0 else ""
        self._cursor = None if to == last else int(steps[to])

    def look_at(self, step: float) -> None:
        steps = self.reader.history.snapshot().steps
        if not len(steps):
            self.notice = NO_RECORDS
            return
        at = len(steps) - 1 if self.cursor is None else record_at(steps, self.cursor)
        self.look_back(nearest(steps, step) - at)

    def hasten(self, times: float) -> None:
        if self.replay is None:
            self.notice = "+ and - are for training and for a replay: caveats-tui open DIR --play"
        else:
            self.notice = ""
            self.replay.hasten(times)

    def play_or_pause(self) -> None:
        if self.replay is None:
            self.may_change()
        else:
            self.notice = ""
            self.replay.play_or_pause()

    def step(self) -> None:
        if self.replay is None:
            self.may_change()
        else:
            self.look_back(1)

    # What cannot be done with a run that is only watched

    def may_change(self) -> bool:
        manifest = self.reader.manifest
        if trained(self.reader):
            who = f"process {manifest.pid} on {visible(manifest.host)}"
            self.notice = f"this run belongs to {who}: here it is only watched"
        else:
            self.notice = "no process trains this run: R continues it here, with its own setup"
        return False

    def apply(self, changes: Mapping[str, Any]) -> bool:
        return self.may_change()

    def load(self, experiment: Experiment, *, play: bool = False) -> None:
        self.may_change()

    def undo(self) -> None:
        self.may_change()

    def restart(self) -> None:
        self.may_change()

    def curable(self) -> Verdict | None:
        self.may_change()
        return None

    def leave_race(self) -> None:
        """Nothing races here."""

    def offer(self, verdict: Verdict) -> Offer:
        return offered(verdict, self.config)

    def setup_of(self, verdict: Verdict) -> RunConfig:
        return self.config

    def fix(self, verdict: Verdict, remedy: Remedy) -> None:
        self.may_change()

    def toggle_ghost(self) -> None:
        self.may_change()

    def to_resume(self) -> Path | None:
        if trained(self.reader):
            self.may_change()
            return None
        return self.reader.folder

    def resume(self, folder: Path) -> bool:
        return False
