"""What the network of a watched run computes, from its checkpoint, in a thread so that the screen
does not wait.

The newest question replaces older ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from caveats.errors import ConfigError
from caveats.runs.reader import Reader
from caveats_tui.bench.protocol import Question

if TYPE_CHECKING:
    from torch import nn

    from caveats.data import Dataset

__all__ = ["Insight"]


class Insight:
    """``dataset`` is the run's own data once `sample` has drawn them, None before that or if they
    cannot be had; ``step`` is the step of the checkpoint that was asked last."""

    def __init__(self, reader: Reader) -> None:
        self.dataset: Dataset | None = None
        self.step: int | None = None
        self._reader = reader
        self._network: nn.Module | None = None
        self._read: tuple[int, int, int] | None = None  # identifies that checkpoint
        self._wanted: tuple[Question, Callable[[Any], None], Callable[[str], None]] | None = None
        self._thread: threading.Thread | None = None

    def sample(self) -> tuple[Any, Any, int]:
        """The rows of the probe set, their targets, and the number of outputs that these need.
        Imports torch, so call it from a thread.

        Raises:
            ConfigError: one sentence, where the run's data cannot be had.
        """
        from caveats.run import probe_rows
        from caveats.runs.looking import data_of

        data = data_of(self._reader.manifest)
        self.dataset = data
        rows = probe_rows(data.rows)
        return data.x[rows], data.y[rows], self._reader.manifest.units[-1]

    def ask(
        self, question: Question, then: Callable[[Any], None], refuse: Callable[[str], None]
    ) -> None:
        """Have the newest checkpoint answer ``question``. Either ``then`` gets the answer, or
        ``refuse`` a sentence saying why there is none; both are called on this object's own
        thread."""
        self._wanted = question, then, refuse
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="looking", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Start no further question."""
        self._wanted = None

    def _work(self) -> None:
        while (wanted := self._wanted) is not None:
            question, then, refuse = wanted
            try:
                answer = question(*self._newest())
            except ConfigError as error:
                refuse(str(error))
            else:
                then(answer)
            if self._wanted is wanted:
                self._wanted = None

    def _newest(self) -> tuple[nn.Module, Dataset]:
        from caveats.runs.checkpoint import CHECKPOINT
        from caveats.runs.looking import network_of

        assert self.dataset is not None
        folder = self._reader.folder
        try:
            found = (folder / CHECKPOINT).lstat()
        except OSError:
            seen = None
        else:
            seen = found.st_ino, found.st_size, found.st_mtime_ns
        if self._network is None or seen is None or seen != self._read:
            self.step, self._network = network_of(folder, self.dataset)
            self._read = seen
        return self._network, self.dataset
