"""Keeps a run on disk while it trains: a thread reads the run's history and writes the folder.

The trainer does not wait for the disk: between two steps it checks one flag, and about once a
second it copies its state (`caveats.runs.checkpoint.take`). The thread does everything else. If
something goes wrong, ``problem`` says so, and the run goes on.
"""

from __future__ import annotations

import math
import os
import platform
import socket
import sys
import threading
import time
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from caveats.errors import ConfigError, visible
from caveats.history import History, States
from caveats.runs.lines import event_line, record_line
from caveats.runs.log import Log
from caveats.runs.manifest import COMMAND_FILES, Command, Manifest, Standing, curve, rooted
from caveats.status import LIVE, State

if TYPE_CHECKING:
    from caveats.run import Run
    from caveats.runs.checkpoint import Checkpoint

__all__ = ["Training", "Writer"]

TICK = 0.25  # seconds between two looks at the history
BEAT = 2.0  # seconds between two signs of life in run.toml
CHECKPOINT_EVERY = 1.0  # seconds at least
# The share of the time that checkpoints may take: the part for which the trainer waits, and the
# rest.
SHARE_OF_TRAINER, SHARE_OF_DISK = 0.005, 0.1
ROWS_AT_ONCE = 200  # of about 0.1 ms each; between them the trainer can run
PACKAGES = ("caveats-tui", "torch", "numpy")


class Training(Protocol):
    """What a writer needs of a training: a `caveats.run.Run` or `caveats.observer.Observer`."""

    @property
    def history(self) -> History: ...
    @property
    def step(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def speed(self) -> float: ...
    @property
    def units(self) -> list[int]: ...
    @property
    def device(self) -> str: ...


class Writer:
    """Writes ``training`` into ``folder``, which is new or empty.

    A `caveats.run.Run` is written with its config and its checkpoints. A run that was resumed
    continues in its own folder, whose manifest is ``resumed``. Any other training has no config,
    from which its network could be built again, so only its records are kept (kind "watch"), with
    the ``command`` that it belongs to, if there is one. That command's own files may be in the
    folder.

    Use it from the thread that trains: call `between_steps` after each step, `tell` when the run's
    state changes, `close` and `join` at the end.

    Raises:
        ConfigError: if the folder cannot be written to, or already holds a run.
    """

    def __init__(
        self,
        training: Training,
        folder: Path,
        *,
        kind: str = "run",
        state: State = "paused",
        resumed: Manifest | None = None,
        command: Command | None = None,
    ) -> None:
        self.folder = folder
        self.problem = ""
        self._training = training
        # Loaded by whoever made a run; another training is spared some megabytes of modules.
        lab = sys.modules.get("caveats.run")
        self._run: Run | None = None
        if lab is not None and isinstance(training, lab.Run):
            from caveats.runs import checkpoint

            self._run, self._checkpoints = training, checkpoint
        self._log = Log(folder)
        self._states: States | None = None
        self._written_step, self._written_events = -1, 0
        self._wanted = False
        self._taken: deque[Checkpoint] = deque(maxlen=1)  # only the newest is written
        self._taking_seconds = 0.0
        self._next_checkpoint = self._next_beat = 0.0
        self._state: State = state
        self._said = ""
        self._told: tuple[State, str] | None = None  # the state that run.toml holds
        self._manifest = replace(
            described(training, self._run, kind, state, resumed), command=command
        )
        self._wake = threading.Event()
        self._closing = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if resumed is None and any(f.name not in COMMAND_FILES for f in folder.iterdir()):
                raise ConfigError(f"{visible(folder)} is not empty: name a new folder")
            if resumed is not None:
                snapshot = training.history.snapshot()
                self._written_events = len(snapshot.events)
                self._written_step = int(snapshot.steps[-1]) if len(snapshot) else -1
                self._log.cut(training.step, self._written_events)
            # Written first, so that every folder with a run.toml can be resumed.
            if self._run is not None:
                first = self._checkpoints.encode(self._checkpoints.take(self._run))
                self._checkpoints.write(folder, first)
            self._manifest.write(folder)
        except OSError as error:
            raise ConfigError(f"{visible(folder)} cannot be written: {error.strerror}") from None
        self._thread = threading.Thread(target=self._work, name="caveats-keeping", daemon=True)
        self._thread.start()

    # Called by the thread that trains.

    def between_steps(self) -> None:
        """Copy the state if it is time; takes 30 ns if it is not."""
        if self._wanted:
            self._wanted = False
            self._take()

    def tell(self, state: State, problem: str = "") -> None:
        """Report the state of the run. If it has stopped or paused, a checkpoint is written at
        once; if it has failed, perhaps within a step, its last checkpoint stays."""
        if (state, problem) == (self._state, self._said):
            return
        if state not in ("running", "failed"):
            self._take()
        self._state, self._said = state, problem
        self._wake.set()

    def close(self, *, whole: bool = True) -> None:
        """Write what is left and end the thread; a run that was not over counts as stopped. If the
        run may be inside a step (not ``whole``), its last checkpoint stays."""
        if whole:
            self.tell("stopped" if self._state in LIVE else self._state, self._said)
        else:
            self._state = "stopped"
        self._closing = True
        self._wake.set()

    def join(self, timeout: float = 30.0) -> bool:
        """Wait until everything is on disk; False if that took longer than ``timeout`` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _take(self) -> None:
        if self._run is None:
            return
        start = time.perf_counter()
        self._taken.append(self._checkpoints.take(self._run))
        self._taking_seconds = time.perf_counter() - start

    # Everything below runs in the writer's thread.

    def _work(self) -> None:
        self._next_beat = time.monotonic() + BEAT
        while True:
            closing = self._closing
            if not closing:
                self._wake.wait(TICK)
                self._wake.clear()
            try:
                self._write(closing)
                self.problem = ""
            except Exception as error:  # the thread must go on, or nothing more is kept
                # Try again at every look: a full disk may have room again.
                why = error.strerror if isinstance(error, OSError) else error
                self.problem = (
                    f"{visible(self.folder)} cannot be written ({visible(why)}): "
                    "the run goes on, but is not kept"
                )
            if closing:
                return

    def _write(self, closing: bool) -> None:
        now = time.monotonic()
        self._write_log()
        self._write_checkpoint(now)
        say = (self._state, self._said)
        if closing or say != self._told or now >= self._next_beat:
            self._next_beat = now + BEAT
            self._write_manifest(*say, closing=closing)
            self._told = say

    def _write_log(self) -> None:
        snapshot = self._training.history.snapshot()
        steps = snapshot.steps
        row = int(np.searchsorted(steps, self._written_step, side="right"))
        while row < len(steps) or self._written_events < len(snapshot.events):
            parts: list[str] = []
            states, events, step = self._states, self._written_events, self._written_step
            while len(parts) < ROWS_AT_ONCE:
                event = snapshot.events[events] if events < len(snapshot.events) else None
                if row < len(steps) and (event is None or steps[row] <= event.step):
                    parts.append(record_line(snapshot, row, states))
                    states, step = snapshot.states[row], int(steps[row])
                    row += 1
                elif event is not None:
                    parts.append(event_line(event))
                    events += 1
                else:
                    break
            self._log.append("".join(parts).encode())
            self._states, self._written_events, self._written_step = states, events, step

    def _write_checkpoint(self, now: float) -> None:
        if not self._taken:
            # Also for a paused run: it may make single steps.
            self._wanted = self._state in LIVE and now >= self._next_checkpoint
            return
        start = time.perf_counter()
        taken = self._taken.popleft()
        self._write_log()  # again, up to the step of the checkpoint: a resumed run makes no record
        data = self._checkpoints.encode(taken)  # of a step before it
        held_up = self._taking_seconds + time.perf_counter() - start
        self._checkpoints.write(self.folder, data)
        spent = time.perf_counter() - start
        pause = max(CHECKPOINT_EVERY, held_up / SHARE_OF_TRAINER, spent / SHARE_OF_DISK)
        self._next_checkpoint = now + pause - TICK

    def _write_manifest(self, state: State, said: str, *, closing: bool) -> None:
        run = self._training
        snapshot = run.history.snapshot()
        losses = snapshot.scalar("loss")
        newest = len(snapshot) - 1
        verdicts = None if state in LIVE else self._manifest.standing.verdicts
        # A run that is over is judged at once, because lists show it while the lab still holds it,
        # and again at the end, because a trial may have told more of it.
        if closing or (state not in LIVE and (state, said) != self._told):
            from caveats.verdicts import judge

            verdicts = tuple((v.caveat, v.severity) for v in judge(run.history))
        standing = Standing(
            state=state,
            step=run.step,
            speed=run.speed if state == "running" else 0.0,
            seconds=run.seconds,
            loss=float(losses[newest]) if newest >= 0 else math.nan,
            accuracy=float(snapshot.scalar("accuracy")[newest]) if newest >= 0 else math.nan,
            problem=said,
            beat=self._manifest.standing.beat + 1,
            time=datetime.now(UTC),
            curve=curve(losses.tolist()),
            verdicts=verdicts,
        )
        self._manifest = replace(self._manifest, standing=standing, **known(run, self._run))
        self._manifest.write(self.folder)


def described(
    training: Training, run: Run | None, kind: str, state: State, resumed: Manifest | None
) -> Manifest:
    facts = training.history.facts
    return Manifest(
        **known(training, run),
        layers=training.history.layers,
        units=tuple(training.units),
        kind="watch" if run is None else resumed.kind if resumed else kind,
        created=resumed.created if resumed else datetime.now(UTC),
        reachable=facts.reachable,
        reachable_accuracy=facts.reachable_accuracy,
        device=training.device,
        data_crc32=0 if run is None else run.dataset.crc32,
        versions={"python": platform.python_version(), **{p: packaged(p) for p in PACKAGES}},
        host=socket.gethostname(),
        pid=os.getpid(),
        starts=resumed.starts + 1 if resumed else 1,
        standing=Standing(state, training.step, seconds=training.seconds),
    )


def known(training: Training, run: Run | None) -> dict[str, Any]:
    """The parts of the manifest that may change while it trains, except its standing."""
    facts = training.history.facts
    return {
        "config": None if run is None else rooted(run.config),
        "steps": facts.steps,
        "baseline": facts.baseline,
        "layer_facts": facts.layers,
        "optimizer": facts.optimizer,
        "data": facts.data,
        "losses": facts.losses,
    }


def packaged(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # running from a source folder
        return "unknown"
