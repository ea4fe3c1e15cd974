"""The race of a failed run's remedies, while no run trains: what it has found so far, in words.

It runs in a process of its own (`caveats.trials.child`), from step 0 with the run's seed and data,
as the run begins with which a remedy is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from caveats.config import RunConfig
from caveats.remedies.candidates import candidates
from caveats.verdicts import Remedy, Verdict
from caveats_tui.charts.race import CONTROL, Course, Lane
from caveats_tui.text.settings import changes_shown

if TYPE_CHECKING:
    from caveats.run import Run
    from caveats.trials import Result, Start

__all__ = [
    "Offer", "Race", "RaceMaker", "Racing", "is_small", "offered", "race_process", "raceable",
    "started",
]  # fmt: skip

MOST_WEIGHTS = 2_000_000  # of one network: two dozen of them, with gradients, take 1 GB


class Racing(Protocol):
    """What `caveats.trials.child.Child` offers of a race."""

    found: tuple[Result, ...]
    problem: str

    @property
    def over(self) -> bool: ...

    def stop(self) -> None: ...


RaceMaker = Callable[["Start", Sequence[Remedy], int], Racing]


def race_process(start: Start, tried: Sequence[Remedy], steps: int) -> Racing:
    """A race in a process of its own."""
    from caveats.trials.child import race_child

    return race_child(start, tried, steps)


@dataclass(frozen=True, slots=True)
class Offer:
    """The remedies of a verdict in the order in which to try them, each with what the race found of
    it, "" for nothing. ``race`` is a sentence about the race, "" where there is none; ``course``
    holds its curves, None before the first, and ``winner`` the number of the winner among the
    remedies, from 1 on, 0 while there is none. ``draws`` says whether there are curves, or some may
    still come."""

    remedies: tuple[tuple[Remedy, str], ...]
    race: str = ""
    course: Course | None = None
    winner: int = 0
    draws: bool = False


def raceable(run: Run, verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict whose remedies should race: the worst one with a remedy that is no note."""
    from caveats.trials import UNTOLD

    verdict = next((v for v in verdicts if v.severity != "note" and v.next), None)
    if verdict is None or verdict.caveat in UNTOLD or not any(r.change for r in verdict.next):
        return None
    return verdict if is_small(run) else None


def is_small(run: Run) -> bool:
    """Whether memory holds the candidates of a race or trial of this run."""
    weights = sum(parameter.numel() for parameter in run.trainer.network.parameters())
    return weights <= MOST_WEIGHTS


def started(make: RaceMaker, run: Run, setup: RunConfig, verdict: Verdict) -> Race:
    """Start the race for a ``verdict`` on ``run``, which the bench has set up by ``setup``."""
    from caveats.trials import STEPS, Start

    config = run.config.changed({"training.device": "cpu"})
    tried = candidates(config, verdict.next)
    longest = max((config.changed(remedy.change).training.steps for remedy in tried), default=STEPS)
    process = make(Start(config, run.dataset), tried, STEPS)
    return Race(setup, verdict.caveat, process, min(STEPS, longest))


def offered(verdict: Verdict, setup: RunConfig, race: Race | None = None) -> Offer:
    """The remedies of a ``verdict`` on a run of ``setup``, after ``race`` if it is about it."""
    if race is None or not race.is_about(setup, verdict):
        return Offer(tuple((remedy, "") for remedy in verdict.next))
    return race.offer(verdict)


class Race:
    """The race of ``steps`` steps for the verdict ``caveat`` on a run of ``setup``. `stop` ends it;
    what it has found by then stays."""

    def __init__(self, setup: RunConfig, caveat: str, process: Racing, steps: int) -> None:
        self.setup, self.caveat, self.steps = setup, caveat, steps
        self._process = process
        self._ended = False  # the process is gone
        self.stopped = False  # before it was over

    @property
    def over(self) -> bool:
        """Whether all that will come has come."""
        return self._process.over and not self.stopped

    def heed(self) -> None:
        """Let the process go once it has answered."""
        if self._process.over:
            self._end()

    def stop(self) -> None:
        """End the process, whether or not the race is over."""
        if not self._ended:
            self.stopped = not self._process.over
            self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._process.stop()

    @property
    def winner(self) -> Remedy | None:
        """The smallest change that wins, None while the race goes on or if none does."""
        from caveats.trials import winner

        found = self._process.found
        best = winner(found) if found and self.over else None
        return None if best is None else best.remedy

    def is_about(self, setup: RunConfig, verdict: Verdict) -> bool:
        return verdict.caveat == self.caveat and setup == self.setup

    def advised(self, verdict: Verdict) -> Verdict:
        """``verdict`` with its remedies in the order of the race, the winner first, if the race is
        over and has a winner; the cure of an experiment stays before it."""
        from caveats.trials import ordered

        found = self._process.found if self.over else ()
        return replace(verdict, next=ordered(self.setup, verdict.next, found))

    def offer(self, verdict: Verdict) -> Offer:
        remedies = self.advised(verdict).next
        listed = tuple((remedy, self._said(remedy)) for remedy in remedies)
        best = self.winner
        place = 0 if best is None else self._number(best, remedies) or 0
        course = self._course(remedies)
        draws = course is not None or not (self._process.over or self.stopped)
        return Offer(listed, self._about(), course, place, draws)

    def _course(self, remedies: Sequence[Remedy]) -> Course | None:
        found = self._process.found
        control = next((r for r in found if not r.change), None)
        if control is None:
            return None
        best = self.winner
        lanes = tuple(
            Lane(
                self._number(result.remedy, remedies) if result.change else CONTROL,
                result.steps,
                tuple(loss * control.constant / result.constant for loss in result.losses),
                best is not None and result.remedy == best,
            )
            for result in found
        )
        return Course(lanes, self.steps, control.constant)

    def _number(self, remedy: Remedy, remedies: Sequence[Remedy]) -> int | None:
        """The place of ``remedy`` among ``remedies``, from 1 on; None if it is not there."""
        places = (n for n, own in enumerate(remedies, 1) if self._same(own, remedy))
        return next(places, None)

    def choice(self, verdict: Verdict, remedy: Remedy) -> str:
        """Why ``remedy`` is tried, in a few words."""
        best = self.winner
        if best is not None and self._same(best, remedy):
            return "the winner of the race"
        if verdict.next[:1] != (remedy,):
            return self._said(remedy)
        if remedy.certain:
            return remedy.reason
        state = "has no winner" if self.over else "is not over"
        return f"the rules' first: the race {state}"

    def _about(self) -> str:
        process = self._process
        if process.problem and not self.stopped:
            return f"no race: {process.problem}"
        control = next((told(r) for r in process.found if not r.change), "")
        unchanged = f"; without a change (0): {control}" if control else ""
        if self.stopped:
            return f"the race was stopped, since something else began{unchanged}"
        if not process.over:
            return f"the remedies race from step 0 with the same seed{unchanged}"
        best = self.winner
        end = f"{changes_shown(best.change, self.setup)} wins" if best else "no change wins clearly"
        return f"the race is over: {end}{unchanged}"

    def _said(self, remedy: Remedy) -> str:
        """race: learnt 40 % in 60 steps."""
        found = self._process.found
        result = next((r for r in found if self._same(r.remedy, remedy)), None)
        if result is None:
            return "does not race" if found else ""
        best = self.winner
        mark = ": the smallest change that wins" if best and self._same(best, remedy) else ""
        return f"race: {told(result)}{mark}"

    def _same(self, a: Remedy, b: Remedy) -> bool:
        """Whether both make the same run of this setup."""
        from caveats.trials import changed_by

        return changed_by(self.setup, a) == changed_by(self.setup, b)


def told(result: Result) -> str:
    steps = f"in {result.steps[-1]:,} steps"
    if result.learnt == float("-inf"):
        return f"diverged {steps}"
    return f"learnt {min(1.0, max(0.0, result.learnt)):.0%} {steps}".replace("%", " %")
