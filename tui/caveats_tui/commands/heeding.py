"""Hears ctrl-c within a second, also while one long operation keeps Python from handling it, and
shows on the line of progress that time passes.

Python calls its handlers only between two operations, and one step of a large network is one
operation that may take a minute. So a thread reads what the signals write into a pipe.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from caveats_tui.commands.progress import ProgressLine

__all__ = ["Heed", "heeding"]

GRACE = 0.6  # seconds that Python has to handle ctrl-c by itself
BEAT = 1.0  # seconds between two signs of life on the line of progress
INTERRUPTED = 130


class Heed:
    """What a ctrl-c that Python does not handle does: while ``patient``, the first is answered by
    that sentence and only the second ends the program; otherwise the first ends it."""

    patient = ""


@contextmanager
def heeding(progress: ProgressLine) -> Iterator[Heed]:
    """Hear ctrl-c inside the block, which the main thread runs."""
    heed = Heed()
    if threading.current_thread() is not threading.main_thread():
        yield heed
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    over = threading.Event()
    thread = threading.Thread(
        target=listen, args=(reading, heed, progress, over), name="heeding", daemon=True
    )
    thread.start()
    try:
        yield heed
    finally:
        signal.set_wakeup_fd(before)
        over.set()
        os.close(writing)
        thread.join()
        os.close(reading)


def listen(reading: int, heed: Heed, progress: ProgressLine, over: threading.Event) -> None:
    answered = False
    while not over.is_set():
        if not select.select([reading], [], [], BEAT)[0]:
            progress.beat()
            continue
        signals = os.read(reading, 64)
        if signal.SIGINT not in signals or over.wait(GRACE):
            continue
        progress.clear()
        if not heed.patient or answered:
            print("Interrupted", file=sys.stderr, flush=True)
            os._exit(INTERRUPTED)
        answered = True
        print(heed.patient, file=sys.stderr, flush=True)
