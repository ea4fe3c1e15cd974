"""When the next frame may be drawn, judged by the cost of earlier frames."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["BUSY_FPS", "Cost", "Pace", "interval"]


class Cost(NamedTuple):
    """Seconds a frame costs: on the app's main thread, in the drawing process, and until the
    terminal has taken its bytes."""

    app: float = 0.0
    child: float = 0.0
    write: float = 0.0


# The share of each cost that frames may take. While the app draws, training waits up to 5 ms for
# the GIL at every torch call: 10 % of drawing cost 30 % of the training speed, 3 % cost nothing
# that could be measured. A slow line blocks the app's writer, so frames get a tenth of its time,
# and keys the rest.
_BUSY = Cost(app=0.03, child=0.10, write=0.10)
_IDLE = Cost(app=0.25, child=0.50, write=0.25)
BUSY_FPS = 2.0
_SLOWEST = 5.0  # seconds: a screen that changes less often looks frozen
_EASE = 0.3  # how fast the estimate falls to a lower cost; it rises to a higher cost at once


def interval(cost: Cost, *, busy: bool, fps: float, busy_fps: float = BUSY_FPS) -> float:
    """Seconds between frames of this cost: at most ``fps`` frames a second, and at most
    ``busy_fps`` while training is ``busy``."""
    shares = _BUSY if busy else _IDLE
    fastest = 1.0 / (min(fps, busy_fps) if busy else fps)
    needed = max(spent / share for spent, share in zip(cost, shares, strict=True))
    return max(fastest, min(needed, _SLOWEST))


class Pace:
    """Ask ``wait`` before a frame, call ``begin`` when it starts, and ``spend`` for each cost when
    it is known."""

    def __init__(
        self,
        fps: float = 10.0,
        busy_fps: float = BUSY_FPS,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ValueError unless ``fps`` is positive."""
        if not fps > 0:
            raise ValueError(f"{fps} frames a second")
        self._fps, self._busy_fps = fps, busy_fps
        self._clock = clock
        self._begun: float | None = None
        self._known = Cost()
        self._running = Cost()

    def spend(self, *, app: float = 0.0, child: float = 0.0, write: float = 0.0) -> None:
        """Add to what the present frame has cost."""
        self._running = Cost(*map(sum, zip(self._running, (app, child, write), strict=True)))

    def wait(self, *, busy: bool) -> float:
        """Seconds until the next frame may begin; 0 when it may now."""
        if self._begun is None:
            return 0.0
        pause = interval(self._estimate(), busy=busy, fps=self._fps, busy_fps=self._busy_fps)
        return max(0.0, self._begun + pause - self._clock())

    def begin(self) -> None:
        """A frame begins now."""
        self._known = self._estimate()
        self._running = Cost()
        self._begun = self._clock()

    def _estimate(self) -> Cost:
        return Cost(
            *(
                new if new >= old else old + _EASE * (new - old)
                for old, new in zip(self._known, self._running, strict=True)
            )
        )
