"""Keeps the runs of a session, one after another: each in a folder of its own from its first step.

It decides when a folder is made and closed; `caveats.runs.writer` writes it. If something fails,
``problem`` says so, and the runs go on.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from caveats.errors import ConfigError
from caveats.runs.shelf import new_folder, prune
from caveats.status import State

if TYPE_CHECKING:
    from caveats.run import Run
    from caveats.runs.writer import Writer

__all__ = ["Keeper"]


class Keeper:
    """Keeps runs in ``place``. Only the training thread may call its methods; any thread may read
    ``folder`` (of the present run, None before its first step) and ``problem``.

    A run that made no step is not kept.
    """

    def __init__(self, place: Path, kind: str = "lab") -> None:
        self.place = place
        self.kind = kind
        self.folder: Path | None = None
        self._writer: Writer | None = None
        self._failed = ""
        self._closing: list[Writer] = []
        self._pruned = False

    @property
    def problem(self) -> str:
        return self._failed or (self._writer.problem if self._writer is not None else "")

    def adopt(self, writer: Writer) -> None:
        """Continue to keep a run that was resumed."""
        self.leave()
        self._writer, self.folder = writer, writer.folder

    def advanced(self, run: Run) -> None:
        """Call after each step."""
        if self._writer is not None:
            self._writer.between_steps()
        elif not self._failed:
            self._begin(run)

    def tell(self, state: State, problem: str = "") -> None:
        """Call whenever the state of the run may have changed. The end of the session does not
        change a run that was over before; `leave` handles it."""
        if self._writer is not None and state not in ("loading", "stopped"):
            self._writer.tell(state, problem)

    def leave(self) -> None:
        """Close the present run's folder without waiting, because another run begins."""
        if self._writer is not None:
            self._writer.close()
            self._closing = [w for w in self._closing if not w.join(0)] + [self._writer]
        self._writer, self.folder, self._failed = None, None, ""

    def close(self, timeout: float = 30.0) -> None:
        """Close the present run's folder and wait until everything is on disk."""
        self.leave()
        for writer in self._closing:
            writer.join(timeout)

    def _begin(self, run: Run) -> None:
        from caveats.runs.writer import Writer

        try:
            folder = new_folder(self.place, run.config)
            self._writer = Writer(run, folder, kind=self.kind)
            self.folder = folder
        except ConfigError as error:
            self._failed = f"{error}: the run goes on, but is not kept"
        if not self._pruned:
            self._pruned = True
            threading.Thread(target=prune, args=(self.place,), daemon=True).start()
