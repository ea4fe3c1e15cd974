"""A run as charts need it. It holds what it is given and computes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats.history import History, Snapshot

if TYPE_CHECKING:
    from caveats.theory import Prediction

__all__ = ["Trace"]


@dataclass(frozen=True, slots=True)
class Trace:
    """A run as charts need it: its records, the names of its layers, how long it will be, what
    theory predicts for it at step 0 where that is known, the record at which the person looks back,
    None for the newest, and the history that all of it is of, which tells one run from the next."""

    snapshot: Snapshot
    layers: tuple[str, ...]
    steps: int
    prediction: Prediction | None = None
    cursor: int | None = None
    history: History | None = None

    @property
    def seen(self) -> Snapshot:
        """The records up to the cursor."""
        if self.cursor is None:
            return self.snapshot
        whole, end = self.snapshot, self.cursor + 1
        return Snapshot(
            whole.steps[:end], whole.table[:end], whole.cube[:end], whole.states[:end], whole.events
        )
