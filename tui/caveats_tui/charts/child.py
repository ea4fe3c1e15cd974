"""The drawing process: reads charts from stdin and writes rows to stdout.

Run as ``python -m caveats_tui.charts.child PARENT_PID``. It ends by itself when the app ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

from caveats_tui.charts.pipe import receive, send
from caveats_tui.charts.spec import Drawn

__all__ = ["serve"]


def serve(source: int, sink: int, parent: int) -> None:
    """Draw until ``source`` closes or process ``parent`` is gone. A request is ``(key, chart)``.
    The answer is a `Drawn` (with seconds of CPU), or a sentence if the chart could not be drawn."""
    from caveats_tui.charts.draw import across, draw

    while True:
        try:
            key, chart = receive(source, patience=5)
        except TimeoutError:
            # after the app was killed, a process that it forked may still hold the pipe open
            if os.getppid() != parent:
                return
            continue
        begun = time.process_time()
        try:
            rows, axis = draw(chart), across(chart)
        except Exception as error:
            send(sink, f"{type(error).__name__}: {error}")
        else:
            send(sink, Drawn(key, rows, time.process_time() - begun, axis))


def main() -> None:
    # What is sent to the whole group of processes is meant for the app, which ends this process.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(5)  # so that training gets the cores first
    sink = os.dup(1)
    os.dup2(2, 1)  # plotext prints notes, which must not get between the answers
    with contextlib.suppress(EOFError, OSError):
        serve(0, sink, int(sys.argv[1]))


if __name__ == "__main__":
    main()
