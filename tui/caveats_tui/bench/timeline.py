"""What was judged at each record of a run, so that verdicts can be read as they were then.

It knows a history and the judge. It judges in a thread, about 1 ms a record of 20 layers, since a
long run's 2,000 records would hold up a screen for seconds.
"""

from __future__ import annotations

import threading
from bisect import bisect_right

from caveats.history import History
from caveats.measures import LAYER_MEASURES, SCALARS
from caveats.verdicts import Judge, Verdict

__all__ = ["Timeline"]


class Timeline:
    """The verdicts of one history, record by record. Each is judged on what was known at its
    record, by the setup that the run had last.
    """

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
        """Whether everything that the history holds has been judged."""
        return self._version == self._history.version

    def follow(self) -> None:
        """Judge what is new, in the thread; call it as often as wanted."""
        busy = self._thread is not None and self._thread.is_alive()
        if not busy and not self.complete and not self._stopped:
            self._thread = threading.Thread(target=self.work, name="judging", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread after the record that it is at."""
        self._stopped = True

    def at(self, step: int) -> tuple[Verdict, ...]:
        """What held at the last judged record up to ``step``, worst first."""
        place = bisect_right(self._steps, step)
        return self._verdicts[place - 1] if place else ()

    def work(self) -> None:
        """Judge every record that is new, one after another, each with those before it."""
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
        """Take over the events up to a step: they come after the record that they stand at."""
        events = self._history.snapshot().events
        while self._noted < len(events) and (before is None or events[self._noted].step < before):
            self._grown.note(events[self._noted])
            self._noted += 1

    def _keep(self, step: int) -> None:
        verdicts = self._judge.look(self._grown)
        if self._steps and self._steps[-1] == step:
            self._verdicts[-1] = verdicts
        else:
            self._verdicts.append(verdicts)  # first, so that a step that is found has its verdicts
            self._steps.append(step)
