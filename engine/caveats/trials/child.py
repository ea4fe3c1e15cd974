"""A race in a process of its own, at the lowest priority, so that the run beside it keeps its
speed.

The process uses one thread of torch. It ends when it is stopped, and with the process that made it.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from caveats.errors import sentence
from caveats.trials.race import Result, Start, race

__all__ = ["RaceProcess"]

LOOK = 0.5  # seconds between two looks whether the parent is still there


class RaceProcess:
    """Races from ``start`` beside this process. `poll` gives the results once they are there.

    The caller calls `stop` when it no longer wants them, and at its end.
    """

    def __init__(self, start: Start, steps: int = 100) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads
        self._answer, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            target=work, args=(start, steps, theirs, os.getpid()), daemon=True
        )
        self._process.start()
        theirs.close()
        self._found: tuple[Result, ...] | None = None
        self.problem = ""  # why there will be no results

    def poll(self, timeout: float = 0.0) -> tuple[Result, ...] | None:
        """The results, best first; None while there are none. `problem` says if none will come."""
        if self._found is None and not self.problem and self._answer.poll(timeout):
            try:
                answer: Any = self._answer.recv()
            except EOFError:
                answer = "the process of the race ended without an answer"
            if isinstance(answer, str):
                self.problem = answer
            else:
                self._found = answer
        return self._found

    def stop(self) -> None:
        """End the process at once, whether or not the race is over."""
        self._process.kill()
        self._process.join()
        self._answer.close()


def work(start: Start, steps: int, answer: Connection, parent: int) -> None:
    import torch

    os.nice(19)
    torch.set_num_threads(1)
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    try:
        answer.send(race(start, steps=steps))
    except Exception as error:  # told to the caller, who goes on without a race
        answer.send(sentence(error))


def end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK)
    os._exit(1)
