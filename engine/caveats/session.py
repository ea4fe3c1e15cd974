"""The worker thread: takes commands from a queue and trains a run.

Readers look at ``session.run.history`` and ``session.status`` whenever they like, and the worker
never waits for them.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveats.config import RunConfig
from caveats.errors import ConfigError, sentence
from caveats.status import State, Status

if TYPE_CHECKING:
    from caveats.history import Event
    from caveats.measuring.cadence import Cadence
    from caveats.run import Run
    from caveats.runs.keeper import Keeper

__all__ = ["Session"]


class Session:
    """Trains in a thread of its own. Commands return at once and are obeyed between two steps.

    The thread imports torch, which takes 1.5-3 s, so that a screen can be painted first. Leaving
    the ``with`` block, or `stop`, ends the thread. ``every`` is passed to `caveats.Run`. A
    ``keeper`` writes every run that makes at least one step to disk.
    """

    def __init__(
        self,
        config: RunConfig,
        every: int | Cadence | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.status = Status()
        self.run: Run | None = None
        self.keeper = keeper
        self._limit = 0.0  # steps a second at most, 0 for no limit
        self._due = 0.0  # when the next step may be made, by the monotonic clock
        self._rested = 0.0  # until when no step is made
        self._config = config
        self._every = every
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._running = False
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="caveats-training", daemon=True)
        self._thread.start()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def play(self) -> None:
        """Train on until paused or finished."""
        self._commands.put(self._play)

    def pause(self) -> None:
        self._commands.put(self._pause)

    def play_or_pause(self) -> None:
        """Pause a run that is running, start one that is not. The worker decides which when it
        obeys the command, so two quick calls always undo each other."""
        self._commands.put(lambda: self._pause() if self._running else self._play())

    def slow_down(self, limit: float) -> None:
        """Make at most ``limit`` steps a second, each of them measured; 0 is for no limit."""
        self._commands.put(lambda: self._slow_down(limit))

    def rest(self, seconds: float) -> None:
        """Make no step for so long, and leave the processor to others; 0 goes on at once. The run
        is not paused, and what it computes does not change."""
        self._rested = time.monotonic() + seconds
        if not seconds:
            self._commands.put(lambda: None)  # wakes the worker

    def single_step(self) -> None:
        """Make one step and measure it; a run that is running is paused."""
        self._commands.put(self._single_step)

    def change(self, config: RunConfig) -> None:
        """Continue with ``config``: in the same run if all its changes are live, else as a new
        run, which is paused or running as the old one was."""
        self._commands.put(lambda: self._change(config))

    def restart(self, config: RunConfig | None = None, play: bool | None = False) -> None:
        """Start again from step 0, with ``config`` or the present one. ``play`` says whether the
        new run trains at once; None means: if the old one was running."""
        self._commands.put(
            lambda: self._restart(config or self._config, self._running if play is None else play)
        )

    def resume(self, folder: Path) -> None:
        """Continue the run kept in ``folder``, paused at the step of its checkpoint. If that is
        impossible, the present run stays and the status says why."""
        self._commands.put(lambda: self._resume(folder))

    def ask(self, question: Callable[[Run], Any], then: Callable[[Any], None]) -> None:
        """Have the worker call ``question`` with the run between two steps, and ``then`` with the
        answer, both on the worker's thread. The question must not change the run."""
        self._commands.put(lambda: self._ask(question, then))

    def note(self, event: Event) -> None:
        """Add an event to the run's history, if the run still stands at its step."""
        self._commands.put(lambda: self._note(event))

    def stop(self, timeout: float | None = 10.0) -> None:
        """End the thread after its current step; ``run`` stays readable."""
        self._commands.put(self._stop)
        self._thread.join(timeout)

    def settled(self, timeout: float = 60.0) -> bool:
        """Wait until every command given so far has been obeyed; False if that took too long."""
        done = threading.Event()
        self._commands.put(done.set)
        return done.wait(timeout)

    # Everything below runs in the worker thread.

    def _note(self, event: Event) -> None:
        if self.run is not None and self.run.step == event.step:
            self.run.history.note(event)

    def _work(self) -> None:
        self._guarded(lambda: self._restart(self._config, play=False))
        while not self._stopped:
            try:
                command = self._next_command()
            except queue.Empty:
                self._guarded(self._advance)
            else:
                self._guarded(command)
        self._tell("stopped")
        if self.keeper is not None:
            self.keeper.close()

    def _next_command(self) -> Callable[[], None]:
        """Raises queue.Empty where it is time for a step."""
        if not self._running:
            return self._commands.get()
        wait = max(self._due if self._limit else 0.0, self._rested) - time.monotonic()
        return self._commands.get(timeout=wait) if wait > 0 else self._commands.get(block=False)

    def _guarded(self, action: Callable[[], None]) -> None:
        """Run ``action``; if it fails, the status says why and the thread goes on."""
        try:
            action()
        except ConfigError as error:
            self._running = False
            self._tell("failed", problem=str(error))
        except Exception as error:  # out of memory is a RuntimeError of torch's, or a MemoryError
            self._running = False
            self._tell("failed", problem=sentence(error))

    def _advance(self) -> None:
        assert self.run is not None
        run = self.run
        if not run.finished:  # it may be, since steps can change while it runs
            run.advance()
            if self._limit:
                run.record()
                self._due = max(time.monotonic(), self._due + 1 / self._limit)
            if self.keeper is not None:
                self.keeper.advanced(run)
        if run.finished:
            self._running = False
            run.record()
            self._tell_settled()
        elif self._limit or run.step % 16 == 0 or run.seconds < 1:
            self._tell("running", problem=self.status.problem)

    def _play(self) -> None:
        if self.run is not None and not self.run.finished and self.status.state != "failed":
            self._running = True
            self._tell("running")

    def _slow_down(self, limit: float) -> None:
        self._limit, self._due = limit, time.monotonic()
        if self._running:
            self._tell("running", problem=self.status.problem)

    def _pause(self) -> None:
        if self.run is not None and self._running:
            self._running = False
            self.run.record()
            self._tell_settled()

    def _single_step(self) -> None:
        self._running = False
        if self.run is None or self.status.state == "failed":
            return
        if not self.run.finished:
            self.run.advance()
            self.run.record()
            if self.keeper is not None:
                self.keeper.advanced(self.run)
        self._tell_settled()

    def _change(self, config: RunConfig) -> None:
        if (
            self.run is None
            or self.run.step == 0  # what was measured at step 0 belongs to the old config
            or self._config.restarts(config)
            or self.status.state == "failed"
        ):
            self._restart(config, play=self._running)
            return
        was_finished = self.run.finished
        try:
            self.run.change(config)
        except ConfigError as error:
            # The run goes on unchanged, and the status keeps the sentence until the next command.
            self._tell(self.status.state, problem=str(error))
            return
        self._config = config
        if was_finished or not self._running:
            self._tell_settled()

    def _restart(self, config: RunConfig, play: bool) -> None:
        from caveats.run import Run

        self._running = False
        self._config = config
        if self.keeper is not None:
            self.keeper.leave()
        self.run = None
        self.status = Status("loading", run_number=self.status.run_number + 1)
        self.run = Run(config, every=self._every)
        self._tell_settled()
        if play:
            self._play()

    def _resume(self, folder: Path) -> None:
        from caveats.runs.resuming import restore, resume

        try:
            if self.keeper is None:
                run = restore(folder, self._every)
            else:
                run, writer = resume(folder, self._every)
                self.keeper.adopt(writer)
        except ConfigError as error:
            self._tell(self.status.state, problem=str(error))
            return
        self._running = False
        self._config, self.run = run.config, run
        self.status = replace(self.status, run_number=self.status.run_number + 1)
        self._tell_settled()

    def _ask(self, question: Callable[[Run], Any], then: Callable[[Any], None]) -> None:
        if self.run is not None:
            then(question(self.run))

    def _stop(self) -> None:
        self._running = False
        self._stopped = True

    def _tell_settled(self) -> None:
        """Say the state of a run that is not moving."""
        assert self.run is not None
        if self.run.divergence is not None:
            where = f"{self.run.divergence.where}, at step {self.run.divergence.step}"
            self._tell("diverged", problem=f"first number that is not finite: {where}")
        else:
            self._tell("finished" if self.run.finished else "paused")

    def _tell(self, state: State, problem: str = "") -> None:
        run = self.run
        if run is None:
            self.status = replace(self.status, state=state, problem=problem)
            return
        if self.keeper is not None:
            self.keeper.tell(state, problem)
        speed = run.speed if state == "running" else 0.0
        if self._limit:
            speed = min(speed, self._limit)
        number, device = self.status.run_number, str(run.trainer.device)
        why = run.trainer.why_device
        self.status = Status(state, run.step, speed, number, device, problem, why)
