"""The ghost: the curves of an earlier run, drawn behind those of the present one."""

from __future__ import annotations

from caveats.config import RunConfig
from caveats_tui.charts.trace import Trace
from caveats_tui.text.settings import what_differs

__all__ = ["Ghost"]


class Ghost:
    """Holds the curves and the setup of one run, None where there are none. What is pinned stays
    until it is removed; else the next run's curves take its place."""

    def __init__(self) -> None:
        self.trace: Trace | None = None
        self.pinned = False
        self._setup: RunConfig | None = None

    def remove(self) -> None:
        self.trace, self._setup, self.pinned = None, None, False

    def leave(self, trace: Trace, setup: RunConfig, *, force: bool = False) -> None:
        """Keep a run's curves, unless it has made no step or another ghost is pinned; ``force``
        keeps them all the same."""
        made = len(trace.snapshot) and trace.snapshot.steps[-1] > 0
        if force or (made and not self.pinned):
            self.trace, self._setup = trace, setup

    def before(self, now: RunConfig) -> tuple[str, ...]:
        """The settings of the ghost that are others ``now``, as words; () without a ghost."""
        if self.trace is None or self._setup is None:
            return ()
        return what_differs(self._setup, now) or ("same setup",)
