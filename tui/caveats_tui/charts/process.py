"""Runs the drawing process beside the app: sends charts, receives rows, and starts a new process if
one dies.

plotext takes about 10 ms for a chart and can abort its whole process, so it does not run in the
app. Nothing here blocks the caller: a thread writes, waits (without the GIL) and reads.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable

from caveats_tui.charts.pipe import receive, send
from caveats_tui.charts.spec import Chart, Drawn

__all__ = ["ChartProcess"]

_STRIKES = 3  # after so many failures in a row a chart is not tried again
_SLOW = 10.0  # seconds: drawing takes some 10 ms, so a drawing that takes this long hangs
_STARTING = 120.0  # for the first chart of a process, which imports plotext: 0.3 s, or 15 on a
# machine where ten other programs compute


def _nothing(*_: object) -> None:
    """The default callback: does nothing."""


class ChartProcess:
    """Draws charts in a process of its own.

    ``on_ready()`` is called once all requested charts are drawn, and then not again before the next
    `poll`. ``on_trouble(key, sentence)`` is called once for each chart that fails, and again only
    after that chart has succeeded. Both are called on this object's thread, so pass them on with
    ``loop.call_soon_threadsafe``.
    """

    def __init__(
        self,
        on_ready: Callable[[], None] = _nothing,
        on_trouble: Callable[[str, str], None] = _nothing,
    ) -> None:
        self._on_ready = on_ready
        self._on_trouble = on_trouble
        self._wake = threading.Condition()
        self._waiting: dict[str, Chart] = {}
        self._drawing = False
        self._drawn: dict[str, Drawn] = {}
        self._told = False
        self._strikes: Counter[str] = Counter()
        self._stopping = False
        self._child: subprocess.Popen[bytes] | None = None
        self._ready: subprocess.Popen[bytes] | None = None  # the child, once it has answered
        self._thread = threading.Thread(target=self._serve, name="charts", daemon=True)

    @property
    def pid(self) -> int | None:
        """The drawing process, None while there is none."""
        child = self._child
        return None if child is None else child.pid

    @property
    def idle(self) -> bool:
        """Whether all requested charts have been drawn and fetched."""
        with self._wake:
            return not (self._waiting or self._drawing or self._drawn)

    def start(self) -> None:
        """Start the process and return at once; it takes some 0.3 s to be ready."""
        self._child = self._spawn()
        self._thread.start()

    def submit(self, key: str, chart: Chart) -> None:
        """Request a chart. If several wait under one key, only the newest is drawn. The arrays must
        not change afterwards, because another thread reads them."""
        with self._wake:
            if self._strikes[key] < _STRIKES:
                self._waiting[key] = chart
                self._wake.notify()

    def poll(self) -> tuple[Drawn, ...]:
        """The charts drawn since the last call, the newest for each key."""
        with self._wake:
            drawn = tuple(self._drawn.values())
            self._drawn.clear()
            self._told = False
        return drawn

    def stop(self) -> None:
        """End the process and the thread, so that no process is left. May be called twice."""
        with self._wake:
            self._stopping = True
            self._waiting.clear()
            child = self._child
            if child is not None:
                child.kill()
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()
        if self._child is not None:
            self._bury(self._child)
            self._child = None

    def _spawn(self) -> subprocess.Popen[bytes]:
        # Not multiprocessing: its spawn imports the program's main module again, and leaves a
        # resource tracker. In a session of its own, the process gets no ctrl-c or ctrl-z.
        one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "caveats_tui.charts.child", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | one,
            start_new_session=True,
            bufsize=0,
        )

    def _bury(self, child: subprocess.Popen[bytes]) -> None:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()

    def _serve(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                key = next(iter(self._waiting))
                chart = self._waiting.pop(key)
                self._drawing = True
            answer = self._attempt(key, chart)
            if not self._stopping:
                self._settle(key, answer)

    def _attempt(self, key: str, chart: Chart) -> Drawn | str:
        """The drawn chart, or a sentence saying why it could not be drawn."""
        try:
            child = self._living()
        except OSError as error:
            return f"no drawing process could be started: {error.strerror}"
        try:
            return self._ask(child, key, chart)
        except (EOFError, OSError) as error:
            self._bury(child)
            self._child = None
            if isinstance(error, TimeoutError):
                return f"drawing took more than {_SLOW:g} s, so its process was ended"
            return (
                f"the drawing process died (exit {child.returncode}); the next chart has a new one"
            )

    def _living(self) -> subprocess.Popen[bytes]:
        with self._wake:
            if self._stopping:
                raise OSError(0, "stopping")
            if self._child is None:
                self._child = self._spawn()
            return self._child

    def _ask(self, child: subprocess.Popen[bytes], key: str, chart: Chart) -> Drawn | str:
        assert child.stdin is not None
        assert child.stdout is not None
        patience = _SLOW if child is self._ready else _STARTING
        send(child.stdin.fileno(), (key, chart), patience)
        answer: Drawn | str = receive(child.stdout.fileno(), patience)
        self._ready = child
        return answer

    def _settle(self, key: str, answer: Drawn | str) -> None:
        with self._wake:
            self._drawing = False
            again = key in self._drawn
            if isinstance(answer, Drawn):
                self._strikes[key] = 0
                self._drawn[key] = answer
            else:
                self._strikes[key] += 1
            # The app is told at the end of a batch, so that four charts cost one repaint and not
            # four; or when a chart is drawn again before that, so that a steady stream of requests
            # shows too.
            tell = bool(self._drawn) and not self._told and (again or not self._waiting)
            self._told = self._told or tell
        if isinstance(answer, str) and self._strikes[key] == 1:
            self._on_trouble(key, answer)
        if tell:
            self._on_ready()
