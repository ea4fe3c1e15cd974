"""The verdicts at each record of a run, so that one can look back at what they were then.

They are judged in a thread: a record of 20 layers takes about 1 ms, so a long run's 2,000 records
would block a screen for seconds.
"""

from __future__ import annotations

import threading
from bisect import bisect_right

from caveats.history import History
from caveats.measures import LAYER_MEASURES, SCALARS
from caveats.verdicts import Judge, Verdict

__all__ = ["Timeline"]


class Timeline:
    """The verdicts of one history, record by record. Each record is judged on what was known at
    that time, with the setup that the run had last."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._grown = History(history.layers, facts=history.facts)
        self._judge = Judge()
        self._steps: list[int] = []
        self._verdicts: list[tuple[Verdict, ...]] = []
        self._version: tuple[int, int] | None = None
        self._noted = 0
        self._stopped = False
        self._thread: threading.Thread | None = None

    @property
    def complete(self) -> bool:
        """Whether every record of the history has been judged."""
        return self._version == self._history.version

    def follow(self) -> None:
        """Judge new records in the thread; may be called as often as wanted."""
        busy = self._thread is not None and self._thread.is_alive()
        if not busy and not self.complete and not self._stopped:
            self._thread = threading.Thread(target=self.work, name="judging", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread after the record that it is judging."""
        self._stopped = True

    def at(self, step: int) -> tuple[Verdict, ...]:
        """The verdicts at the last judged record up to ``step``, worst first."""
        place = bisect_right(self._steps, step)
        return self._verdicts[place - 1] if place else ()

    def work(self) -> None:
        """Judge all new records in order, each together with those before it."""
        version, snapshot = self._history.version, self._history.snapshot()
        self._grown.facts = self._history.facts
        newest = self._steps[-1] if self._steps else -1
        for row, at in enumerate(snapshot.steps.tolist()):
            if at <= newest:
                continue
            if self._stopped:
                return
            self._note(at)
            self._grown.append(
                at,
                dict(zip(SCALARS, snapshot.table[row], strict=True)),
                dict(zip(LAYER_MEASURES, snapshot.cube[row], strict=True)),
                snapshot.states[row],
            )
            self._keep(at)
        self._note(None)
        if self._steps:
            self._keep(self._steps[-1])
        self._version = version

    def _note(self, before: int | None) -> None:
        """Copy the events up to a step: they come after the record of the same step."""
        events = self._history.snapshot().events
        while self._noted < len(events) and (before is None or events[self._noted].step < before):
            self._grown.note(events[self._noted])
            self._noted += 1

    def _keep(self, step: int) -> None:
        verdicts = self._judge.look(self._grown)
        if self._steps and self._steps[-1] == step:
            self._verdicts[-1] = verdicts
        else:
            self._verdicts.append(verdicts)  # before the step: every step has its verdicts
            self._steps.append(step)
