"""The race of a failed run's remedies in the lab: when it runs, what is shown, what `f` tries."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from caveats.config import RunConfig
from caveats.experiments import find
from caveats.trials import CONTROL, Result, Start, race
from caveats.verdicts import Remedy, Verdict
from caveats_tui.app import opened_bench
from caveats_tui.bench.race import Race, race_process, raceable
from caveats_tui.bench.training import Training
from caveats_tui.charts.spec import Look
from caveats_tui.options import LabOptions
from caveats_tui.screens.remedies import RemedyList
from caveats_tui.text.settings import changes_shown

Configured = Callable[..., RunConfig]

SLOW = {"data.name": "moons", "network.widths": [8], "optimizer.lr": 1e-5, "training.steps": 60}


class Held:
    """A race that has found what the test says, and remembers what it was asked."""

    def __init__(self, start: Start, tried: Sequence[Remedy], steps: int) -> None:
        self.start, self.tried, self.steps = start, tried, steps
        self.found: tuple[Result, ...] = ()
        self.problem, self.over, self.stopped = "", False, False

    def stop(self) -> None:
        self.stopped = True

    def finds(self, *learnt: tuple[Any, float], over: bool = True) -> None:
        results = [(CONTROL, 0.02), *learnt]
        self.found = tuple(Result(r, (0, 15), (1.0, 1 - x), x) for r, x in results)
        self.over = over


class Table:
    """A bench that trains, and the races that it has started."""

    def __init__(self, config: RunConfig) -> None:
        self.races: list[Held] = []
        self.bench = Training(config, 10, racing=self._make)
        self.bench.begin()
        self.look()

    def _make(self, start: Start, tried: Sequence[Remedy], steps: int) -> Held:
        self.races.append(Held(start, tried, steps))
        return self.races[-1]

    def look(self) -> None:
        """As the lab does once a frame, after every command so far."""
        assert self.bench.session is not None
        assert self.bench.session.settled()
        self.bench.heed()
        self.bench.verdicts()

    def train(self) -> None:
        """Train to the end."""
        self.bench.play_or_pause()
        while not self.bench.over:
            assert self.bench.session is not None
            assert self.bench.session.settled()

    @property
    def race(self) -> Held:
        (only,) = self.races
        return only

    @property
    def verdict(self) -> Verdict:
        return next(v for v in self.bench.verdicts() if v.severity != "note" and v.next)


@pytest.fixture
def table(configured: Configured) -> Iterator[Callable[..., Table]]:
    made: list[Table] = []

    def make(**changes: Any) -> Table:
        made.append(Table(configured({**SLOW, **changes})))
        return made[-1]

    yield make
    for one in made:
        one.bench.end()


@pytest.fixture
def failed(table: Callable[..., Table]) -> Table:
    """A run that has ended with a verdict above a note, and whose remedies race."""
    one = table()
    one.train()
    assert one.races == []
    one.look()
    assert not one.race.stopped
    return one


def other(remedies: Sequence[Remedy], verdict: Verdict) -> Remedy:
    """A single change that races, and that the rules do not propose."""
    return next(r for r in remedies if len(r.change) == 1 and r not in verdict.next)


def test_a_run_that_failed_races_its_remedies_from_step_0(failed: Table) -> None:
    asked = failed.race
    run = failed.bench.session.run  # type: ignore[union-attr]
    assert asked.start.state is None
    assert asked.start.dataset is run.dataset  # type: ignore[union-attr]
    assert asked.start.config == failed.bench.config.changed({"training.device": "cpu"})
    assert asked.steps == 200  # the run has 60, and one ten times as long races too
    assert all(remedy in asked.tried for remedy in failed.verdict.next)
    failed.look()
    assert len(failed.races) == 1


def test_a_run_that_trains_or_has_no_verdict_has_no_race(table: Callable[..., Table]) -> None:
    one = table(**{"optimizer.lr": 0.5, "training.steps": 10**6})
    one.look()
    assert one.bench.verdicts() == ()
    one.bench.play_or_pause()
    one.look()
    assert one.bench.running
    assert one.races == []


@pytest.mark.parametrize(
    "leave",
    [
        lambda b: b.restart(),
        lambda b: b.apply({"network.widths": [4]}),
        lambda b: b.load(find("mass_extinction")),
        lambda b: b.leave_race(),
        lambda b: b.fix(b.curable(), b.curable().next[0]),
        lambda b: b.end(),
    ],
    ids=["restart", "apply", "load", "leave_race", "fix", "end"],
)
def test_a_race_ends_when_something_else_begins(
    failed: Table, leave: Callable[[Training], object]
) -> None:
    before = failed.race
    leave(failed.bench)
    if failed.bench.session._thread.is_alive():  # type: ignore[union-attr]
        failed.look()
    assert before.stopped


def test_a_paused_run_that_goes_on_ends_the_race_and_the_next_pause_begins_it_again(
    table: Callable[..., Table],
) -> None:
    one = table(**{"network.init": "zeros", "network.activation": "tanh", "training.steps": 10**6})
    one.look()  # symmetry is there at step 0
    assert one.verdict.caveat == "symmetry"
    one.bench.play_or_pause()
    one.look()
    assert one.race.stopped
    one.bench.play_or_pause()
    one.look()
    assert not one.races[-1].stopped
    assert one.races[-1].start == one.races[0].start


def test_the_winner_is_tried_by_f_even_if_the_rules_did_not_propose_it(failed: Table) -> None:
    verdict = failed.verdict
    best = other(failed.race.tried, verdict)
    rules = verdict.next
    failed.race.finds((rules[0], 0.15), (best, 0.61))
    failed.look()
    assert failed.race.stopped  # its process has gone
    assert failed.verdict.next == (best, rules[0], *rules[1:])
    failed.bench.fix(failed.verdict, failed.verdict.next[0])
    assert failed.bench.notice.endswith("(the winner of the race)")
    assert failed.bench.config.flat().items() >= dict(best.change).items()


def test_before_its_end_or_without_a_winner_f_tries_the_rules_first(failed: Table) -> None:
    verdict = failed.verdict
    failed.race.finds((verdict.next[-1], 0.9), over=False)
    assert failed.verdict.next == verdict.next
    failed.race.finds((verdict.next[-1], 0.09))  # less than a tenth
    assert failed.verdict.next == verdict.next
    failed.bench.fix(failed.verdict, verdict.next[0])
    assert failed.bench.notice.endswith("(the rules' first: the race has no winner)")


def test_without_races_f_says_no_more_than_before(configured: Configured) -> None:
    bench = Training(configured(SLOW), 10)
    assert not bench.races
    bench.begin()
    assert bench.session is not None
    assert bench.session.settled()
    bench.play_or_pause()
    while not bench.over:
        assert bench.session.settled()
    bench.heed()
    verdict = bench.curable()
    assert verdict is not None
    assert {said for _, said in bench.offer(verdict).remedies} == {""}
    bench.fix(verdict, verdict.next[0])
    assert bench.notice == ""
    bench.end()


def test_the_list_says_what_the_race_has_found(failed: Table) -> None:
    verdict, bench = failed.verdict, failed.bench
    first, second = verdict.next[:2]
    assert bench.offer(verdict).race == "the remedies race from step 0 with the same seed"
    failed.race.finds((second, 0.404), over=False)
    offer = bench.offer(verdict)
    assert offer.remedies[:2] == (
        (first, "does not race"),
        (second, "race: learnt 40 % in 15 steps"),
    )
    assert offer.race.endswith("; without a change (0): learnt 2 % in 15 steps")
    failed.race.finds((first, -math.inf), (second, 0.404))
    offer = bench.offer(verdict)
    assert offer.remedies[0] == (
        second, "race: learnt 40 % in 15 steps: the smallest change that wins",
    )  # fmt: skip
    assert (first, "race: diverged in 15 steps") in offer.remedies
    wins = changes_shown(second.change, bench.config)
    unchanged = "without a change (0): learnt 2 % in 15 steps"
    assert offer.race == f"the race is over: {wins} wins; {unchanged}"
    failed.race.problem = "no memory"
    assert bench.offer(verdict).race == "no race: no memory"


def test_an_experiments_own_cure_stays_first(failed: Table) -> None:
    verdict = failed.verdict
    cure = replace(verdict.next[1], certain=True)
    shown = replace(verdict, next=(cure, verdict.next[0]))
    failed.race.finds((verdict.next[0], 0.9))
    raced = Race(failed.bench.config, verdict.caveat, failed.race, 60)
    assert raced.advised(shown).next == shown.next
    assert raced.choice(shown, cure) == cure.reason


def test_notes_overfitting_and_large_networks_do_not_race(
    failed: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: Any = failed.bench.session.run  # type: ignore[union-attr]
    verdict = failed.verdict
    assert raceable(run, [verdict]) == verdict
    assert raceable(run, [replace(verdict, severity="note")]) is None
    assert raceable(run, [replace(verdict, caveat="overfitting")]) is None
    assert raceable(run, [replace(verdict, next=(Remedy({}, "advice"),))]) is None
    monkeypatch.setattr("caveats_tui.bench.race.MOST_WEIGHTS", 2 * 8 + 8 + 8 * 2 + 2 - 1)
    assert raceable(run, [verdict]) is None


def listed(one: Table, lab: Any) -> RemedyList:
    """The window of the remedies, over an open lab."""
    verdict, bench = one.verdict, one.bench
    charts, look = lab.app.charts, Look(0, 0)
    return RemedyList(verdict.title, bench.config, lambda: bench.offer(verdict), charts, look)


def test_the_open_list_follows_the_race_and_keeps_the_highlighted_remedy(
    failed: Table, drive: Any
) -> None:
    verdict = failed.verdict

    async def scenario(lab: Any) -> None:
        chosen: list[Remedy | None] = []
        lab.app.push_screen(listed(failed, lab), chosen.append)
        await lab.until("the remedies race from step 0")
        await lab.press("down")
        failed.race.finds((verdict.next[2], 0.5), over=False)
        await lab.until("race: learnt 50 % in 15 steps")
        best = other(failed.race.tried, verdict)
        failed.race.finds((best, 0.9), (verdict.next[2], 0.5))
        await lab.until("wins; without a change")
        await lab.press("enter")
        assert chosen == [verdict.next[1]]

    drive(scenario, size=(80, 24), drawing=False)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_in_the_lab_keys_show_the_race_and_try_its_winner(
    drive: Any, configured: Configured, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    races: list[Held] = []

    def make(start: Start, tried: Sequence[Remedy], steps: int) -> Held:
        races.append(Held(start, tried, steps))
        return races[-1]

    monkeypatch.setattr("caveats_tui.app.race_process", make)

    async def scenario(lab: Any) -> None:
        await lab.until(lambda: races)
        verdict = lab.bench.curable()
        await lab.press("L")  # another screen covers the lab
        await lab.until(lambda: races[0].stopped)
        await lab.press("escape")
        await lab.until(lambda: races[1:])
        assert not races[1].stopped
        await lab.press("F")
        await lab.until("the remedies race from step 0")
        best = other(races[1].tried, verdict)
        races[1].finds((best, 0.6))
        await lab.until("race: learnt 60 % in 15 steps: the smallest")
        await lab.press("escape", "f")
        assert lab.bench.cure.change == changes_shown(best.change, lab.bench.cure.failed)
        assert "(the winner of the race)" in lab.bench.notice
        await lab.until("trying to cure")

    config = configured(SLOW, **{"network.init": "zeros", "network.activation": "tanh"})
    drive(scenario, config, size=size, drawing=False, races=True)


def test_remedies_race_only_if_the_lab_is_asked_to(configured: Configured) -> None:
    options = LabOptions(configured(SLOW))
    assert not opened_bench(options).races
    assert opened_bench(replace(options, races=True)).races


@pytest.mark.slow  # it starts processes, which import torch
def test_a_real_race_gives_what_the_engine_gives_and_leaves_no_process(
    configured: Configured,
) -> None:
    made: list[Any] = []

    def make(start: Start, tried: Sequence[Remedy], steps: int) -> Any:
        made.append(race_process(start, tried, steps))
        made[-1].task = start, tried, steps
        return made[-1]

    bench = Training(configured(SLOW), 10, racing=make)
    bench.begin()
    assert bench.session is not None
    assert bench.session.settled()
    bench.play_or_pause()
    while not bench.over:
        assert bench.session.settled()
    bench.heed()
    assert made[0].wait(600)
    bench.heed()
    start, tried, steps = made[0].task
    assert made[0].found == race(start, tried, steps)
    assert made[0]._child.returncode is not None

    bench.apply({"network.widths": [8, 8], "training.steps": 10**5})
    assert bench.session.settled()
    bench.apply({"network.init": "zeros", "network.activation": "tanh"})
    assert bench.session.settled()
    bench.heed()
    bench.verdicts()
    bench.heed()
    assert len(made) == 2
    assert made[1]._child.poll() is None
    bench.end()
    assert made[1]._child.returncode is not None
