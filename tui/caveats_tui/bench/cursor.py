"""The cursor with which one looks back at earlier records of a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from caveats.history import History
from caveats_tui.charts.trace import Trace

__all__ = ["NO_RECORDS", "Cursor", "nearest", "record_at"]

NO_RECORDS = "there are no records yet to look back at"


def record_at(steps: NDArray[np.int64], step: int) -> int:
    """The index of the record at ``step``, or of the one before it if that record was thinned
    out."""
    return max(0, int(np.searchsorted(steps, step, side="right")) - 1)


def nearest(steps: NDArray[np.int64], step: float) -> int:
    """The index of the record nearest to ``step``, which may be infinite; of two equally near ones
    the earlier."""
    return int(np.abs(steps - min(step, float(steps[-1]))).argmin())


class Cursor:
    """A step of one run that trains. Records may come and old ones may be thinned out meanwhile."""

    def __init__(self) -> None:
        self._step: int | None = None
        self._history: History | None = None

    def move(self, trace: Trace | None, records: int) -> str:
        """Move by ``records`` records, as far as there are any; at the newest one the charts follow
        the run again. Returns what to tell the user."""
        if trace is None or not len(trace.snapshot):
            return NO_RECORDS
        last = len(trace.snapshot) - 1
        return self._go(trace, (last if trace.cursor is None else trace.cursor) + records)

    def go_to(self, trace: Trace | None, step: float) -> str:
        """Move to the record nearest to ``step``. Returns what to tell the user."""
        if trace is None or not len(trace.snapshot):
            return NO_RECORDS
        return self._go(trace, nearest(trace.snapshot.steps, step))

    def _go(self, trace: Trace, record: int) -> str:
        steps = trace.snapshot.steps
        last = len(steps) - 1
        to = max(0, min(last, record))
        self._history, self._step = trace.history, None if to == last else int(steps[to])
        if self._step is None:
            return "this is the newest record: , steps back"
        return f"the values are those of step {self._step:,}; > follows the run again"

    def row(self, history: History) -> int | None:
        """The index of the record at the cursor, None where the cursor is in no record of this
        run."""
        if self._step is None or self._history is not history:
            return None
        return record_at(history.snapshot().steps, self._step)
