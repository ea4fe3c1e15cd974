"""A race, a trial of a run's steps, or a run's setup with other seeds, in a process of its own, at
the lowest priority, so that the run beside it keeps its speed.

The process uses one thread of torch. It ends when it is stopped, and with the process that made it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from caveats.errors import sentence
from caveats.facts import Trial
from caveats.stacks.over_seeds import OverSeeds, over_seeds
from caveats.trials.race import STEPS, Result, Start, race
from caveats.trials.steps import tried_steps
from caveats.verdicts import Remedy

__all__ = ["Child", "race_child", "seeds_child", "steps_child"]

Found = TypeVar("Found")

ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def race_child(
    start: Start, tried: Sequence[Remedy] | None = None, steps: int = STEPS
) -> Child[Result]:
    """Races ``tried`` from ``start`` (`caveats.trials.race`) beside this process, and returns at
    once; ``found`` grows after each look."""
    return Child("race", start, tried, steps)


def steps_child(start: Start) -> Child[Trial]:
    """Makes the trial of the steps of a run in the state of ``start`` (`caveats.trials.steps`)
    beside this process; ``found`` has it at the end, or nothing."""
    return Child("steps", start)


def seeds_child(start: Start, seeds: int, every: int | None) -> Child[OverSeeds]:
    """Trains the setup of ``start`` with ``seeds`` seeds from step 0 beside this process
    (`caveats.stacks.over_seeds`); ``found`` has what is known so far."""
    return Child("seeds", start, seeds, every)


class Child(Generic[Found]):
    """A process that works on a task.

    ``found`` is what it has found so far; ``over`` says that this is all, or that nothing will
    come: then ``problem`` says why. The caller calls `stop` when it no longer wants it, and at its
    end.
    """

    def __init__(self, *task: Any) -> None:
        self.found: tuple[Found, ...] = ()
        self.problem = ""
        self._ended = threading.Event()
        # Not multiprocessing: its spawn imports the program's main module again, and fails where
        # a terminal program has replaced stderr. In a session of its own it gets no ctrl-c.
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "caveats.trials.child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=os.environ | ONE, start_new_session=True,
        )  # fmt: skip
        # The data may be larger than a pipe holds: then writing waits until the child reads.
        self._thread = threading.Thread(target=self._talk, args=task, daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        return self._ended.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the race is over; False if that took too long."""
        return self._ended.wait(timeout)

    def stop(self) -> None:
        """End the process at once, whether or not the race is over."""
        self._child.kill()
        self._child.wait()
        self._thread.join()

    def _talk(self, *task: Any) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with self._child.stdin as question, self._child.stdout as answers:
            try:
                pickle.dump(task, question)
                question.flush()
                while not self.over:
                    kind, answer = pickle.load(answers)
                    if kind == "problem":
                        self.problem = answer
                    else:
                        self.found = answer
                    if kind != "so far":
                        self._ended.set()
            except (EOFError, OSError, pickle.UnpicklingError):
                self.problem = "its process ended without an answer"
        self._ended.set()


def work() -> None:
    """Do the task that stands on stdin; write pairs of kind and answer to stdout."""
    import torch

    os.nice(19)
    torch.set_num_threads(1)
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # whatever else is printed is no answer

        def tell(kind: str, answer: object) -> None:
            pickle.dump((kind, answer), answers)
            answers.flush()

        kind, *task = pickle.load(sys.stdin.buffer)
        threading.Thread(target=end_with_parent, daemon=True).start()
        try:
            if kind == "race":
                start, tried, steps = task
                results: Any = race(start, tried, steps, tell=lambda found: tell("so far", found))
            elif kind == "seeds":
                start, seeds, every = task
                found = over_seeds(
                    start.config, start.dataset, seeds, every, lambda now: tell("so far", (now,))
                )
                results = (found,)
            else:
                results = (tried_steps(*task),)
        except Exception as error:  # told to the caller, who goes on without a race
            tell("problem", sentence(error))
        else:
            tell("results", results)


def end_with_parent() -> None:
    """The parent keeps its end of the pipe open until it ends."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    work()
