"""How `caveats-tui run` keeps its run on disk, and how it stops in order when a signal comes.

If something goes wrong with the disk while a run goes on, there is one line on stderr, once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from caveats.config import RunConfig, parse_assignment
from caveats.errors import ConfigError, visible

if TYPE_CHECKING:
    from caveats.run import Run
    from caveats.runs.writer import Writer

__all__ = ["Kept", "Stop", "stopping"]


class Kept:
    """The folder of one run: ``out`` if the user named one, else a new folder in the default place.
    With ``resume``, a kept run is continued, changed by ``assignments``.

    ``folder`` is None if nothing is kept; a warning has then said so.
    """

    def __init__(
        self,
        warn: Callable[[str], None],
        out: Path | None = None,
        resume: Path | None = None,
        assignments: Sequence[str] = (),
    ) -> None:
        self._warn = warn
        self._out, self._resume, self._assignments = out, resume, assignments
        self._writer: Writer | None = None
        self._warned = False

    @property
    def folder(self) -> Path | None:
        return None if self._writer is None or self._writer.problem else self._writer.folder

    @property
    def word(self) -> str:
        """The word for this run on the command line: its name if it is in the default place, else
        its path."""
        from caveats.runs.shelf import default_place

        assert self._writer is not None
        folder = self._writer.folder
        return visible(folder.name if folder.parent == default_place() else folder)

    def begin(self, config: RunConfig, every: int | None) -> Run:
        """The run, at step 0 or where it was left; its folder is ready.

        Raises:
            ConfigError: where a folder that the user named cannot be used.
        """
        from caveats.run import Run
        from caveats.runs.shelf import default_place, new_folder
        from caveats.runs.writer import Writer

        if self._resume is not None:
            return self._again(self._resume, every)
        run = Run(config, every=every)
        try:
            folder = self._out or new_folder(default_place(), config)
            self._writer = Writer(run, folder, state="running")
        except ConfigError as error:
            if self._out is not None:
                raise
            self._warn(f"{error}: the run goes on, but is not kept")
        return run

    def _again(self, folder: Path, every: int | None) -> Run:
        from caveats.runs.resuming import resume

        run, self._writer = resume(folder, every)
        try:
            self._change(run)
        except ConfigError:
            self.end(run)
            raise
        self._writer.tell("running")
        return run

    def _change(self, run: Run) -> None:
        changes = dict(map(parse_assignment, self._assignments))
        config = run.config.changed(changes, "--set")
        if run.config.restarts(config):
            raise ConfigError(
                f"--set {', '.join(map(visible, changes))} needs new weights or data: "
                "a run that is resumed keeps both"
            )
        run.change(config)

    def advanced(self) -> None:
        """Call after each step."""
        if self._writer is not None:
            self._writer.between_steps()
            if self._writer.problem and not self._warned:
                self._warned = True
                self._warn(self._writer.problem)

    def end(self, run: Run, *, whole: bool = True) -> None:
        """Write everything, whether the run is over or was stopped; ``whole`` is False if it may
        have stopped within a step."""
        if self._writer is None:
            return
        if run.divergence is not None:
            at = f"{run.divergence.where}, at step {run.divergence.step}"
            self._writer.tell("diverged", f"first number that is not finite: {at}")
        elif run.finished:
            self._writer.tell("finished")
        self._writer.close(whole=whole)
        self._writer.join()


class Stop:
    """Whether a signal has asked the run to stop."""

    asked = False


@contextmanager
def stopping() -> Iterator[Stop]:
    """Inside, ctrl-c, SIGTERM and SIGHUP ask the run to stop between two steps, so that the weights
    are those of a whole step. A second signal ends the program as usual. Signals that were ignored
    (nohup) stay ignored."""
    stop = Stop()
    before: dict[int, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        stop.asked = True
        restore()
        if number == getattr(signal, "SIGHUP", None):
            # The terminal is gone, and writing to it would fail.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)

    def restore() -> None:
        while before:
            number, handler = before.popitem()
            signal.signal(number, handler)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()
