"""The cursor with which one looks back at earlier records of a run that still trains."""

from __future__ import annotations

import numpy as np

from caveats.history import History
from caveats_tui.charts.trace import Trace

__all__ = ["Cursor"]


class Cursor:
    """A step of one run. Records may come and old ones may be thinned out meanwhile."""

    def __init__(self) -> None:
        self._step: int | None = None
        self._history: History | None = None

    def move(self, trace: Trace | None, records: int) -> str:
        """Move by ``records`` records, as far as there are any; at the newest one the charts follow
        the run again. Returns what to tell the user."""
        if trace is None or not len(trace.snapshot):
            return "there are no records yet to look back at"
        steps = trace.snapshot.steps
        last = len(steps) - 1
        to = max(0, min(last, (last if trace.cursor is None else trace.cursor) + records))
        self._history, self._step = trace.history, None if to == last else int(steps[to])
        if self._step is None:
            return "this is the newest record: , steps back"
        return f"the values are those of step {self._step:,}; > follows the run again"

    def row(self, history: History) -> int | None:
        """The index of the record at the cursor, or of the one before it if that was thinned out;
        None where the cursor is in no record of this run."""
        if self._step is None or self._history is not history:
            return None
        steps = history.snapshot().steps
        return max(0, int(np.searchsorted(steps, self._step, side="right")) - 1)
