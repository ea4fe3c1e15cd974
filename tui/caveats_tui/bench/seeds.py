"""The present setup with other seeds, trained beside the run: how much of a curve is chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from caveats.history import History

if TYPE_CHECKING:
    from caveats.run import Run
    from caveats.stacks.over_seeds import OverSeeds
    from caveats.trials import Start

__all__ = ["SeedTraining", "Seeds", "SeedsMaker", "seeds_process"]

CHANGED = (
    "the band of seeds is gone: the setup was changed while the run trained; r begins again with it"
)


class SeedTraining(Protocol):
    """What `caveats.trials.child.Child` offers of the training of seeds."""

    found: tuple[OverSeeds, ...]
    problem: str

    @property
    def over(self) -> bool: ...

    def stop(self) -> None: ...


SeedsMaker = Callable[["Start", int, int | None], SeedTraining]


def seeds_process(start: Start, seeds: int, every: int | None) -> SeedTraining:
    """The training of several seeds in a process of its own."""
    from caveats.trials.child import seeds_child

    return seeds_child(start, seeds, every)


class Seeds:
    """Trains the setup of each run with ``count`` seeds, from its first step on, with a record
    every ``every`` steps; 1 stands for the run alone. Nothing is trained without ``make``."""

    def __init__(self, make: SeedsMaker | None, count: int, every: int | None) -> None:
        self._make, self.count, self._every = make, count, every
        self._process: SeedTraining | None = None
        self._of: History | None = None  # the run that the seeds belong to
        self._found: OverSeeds | None = None  # what is known of its seeds so far
        self.problem = ""  # why there is no band, "" if there is one or will be

    @property
    def beginning(self) -> bool:
        """Whether seeds are trained of which nothing is known yet."""
        return self._process is not None and self._found is None

    def leave(self) -> None:
        """End the process and forget what it has found; the next `heed` may begin again."""
        self._end()
        self._of, self._found, self.problem = None, None, ""

    def found(self, history: History) -> OverSeeds | None:
        """What is known of the seeds of the run with this ``history``, None for any other: the next
        run may begin between two calls of `heed`, and its network may have other layers."""
        return self._found if self._of is history else None

    def _end(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    def ask(self, count: int) -> str:
        """Train ``count`` seeds from now on; returns what that means, in a sentence."""
        if self._make is None:
            return "no other seeds train in a demo: caveats-tui opens a lab in which they do"
        self.leave()
        self.count = count
        if count < 2:
            return "no other seeds train beside the run"
        return (
            f"{count} seeds train beside each run: their mean is dotted, and the range from the "
            "lowest to the highest is shaded"
        )

    def heed(self, run: Run | None) -> None:
        """Call once a frame: begin once a run has made a step, take in what is new, and end with
        the run."""
        if self._of is not None and (run is None or run.history is not self._of):
            self.leave()
        if self._make is None or run is None or self.count < 2 or not run.step:
            return
        if any(event.kind == "change" for event in run.history.snapshot().events):
            self._end()
            self._of, self._found, self.problem = run.history, None, CHANGED
        elif self._of is None:
            self._begin(self._make, run)
        elif self._process is not None:
            self._take(self._process)

    def _begin(self, make: SeedsMaker, run: Run) -> None:
        from caveats.stacks.over_seeds import why_not_trained
        from caveats.trials import Start

        config = run.config.changed({"training.device": "cpu"})
        self._of = run.history
        why = why_not_trained(config, run.dataset, self.count)
        if why:
            self.problem = f"no band of seeds: {why}"
        else:
            self._process = make(Start(config, run.dataset), self.count, self._every)

    def _take(self, process: SeedTraining) -> None:
        over = process.over
        for found in process.found:
            self._found = found
        if over:
            if process.problem:  # a band that ends in mid-run would pass for the whole of it
                self._found, self.problem = None, f"no band of seeds: {process.problem}"
            self._end()
