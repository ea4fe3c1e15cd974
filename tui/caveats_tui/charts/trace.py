"""A run in the form that charts need. It stores values and computes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats.history import History, Snapshot

if TYPE_CHECKING:
    from caveats.stacks.over_seeds import OverSeeds
    from caveats.theory import Prediction

__all__ = ["Trace"]


@dataclass(frozen=True, slots=True)
class Trace:
    """A run in the form that charts need: its records, the names of its layers, its planned
    ``steps``, and the prediction for step 0 if there is one. ``cursor`` is the record that the user
    looks back at, None for the newest. ``history`` is where the records come from; it tells one run
    from the next. ``seeds`` is what is known of the same setup with other seeds."""

    snapshot: Snapshot
    layers: tuple[str, ...]
    steps: int
    prediction: Prediction | None = None
    cursor: int | None = None
    history: History | None = None
    seeds: OverSeeds | None = None

    @property
    def seen(self) -> Snapshot:
        """The records up to the cursor."""
        if self.cursor is None:
            return self.snapshot
        whole, end = self.snapshot, self.cursor + 1
        return Snapshot(
            whole.steps[:end], whole.table[:end], whole.cube[:end], whole.states[:end], whole.events
        )
