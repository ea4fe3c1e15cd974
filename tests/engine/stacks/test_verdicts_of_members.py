"""The judge says of a member what it says of its single run, for every kind of caveat."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from caveats.config import RunConfig
from caveats.experiments import experiments
from caveats.run import Run
from caveats.stacks import train
from caveats.verdicts import judge

# Experiments that show most caveats in a few hundred steps of small networks. Not beyond_chaos and
# past_the_cliff, where rounding doubles with every step: there a single run differs from machine to
# machine too.
NAMES = (
    "against_the_rails", "born_dead", "born_with_bias", "doubling",
    "everything_moves_together", "mass_extinction", "nothing_happens", "raw_pixels",
    "sigmoid_staircase", "sixteen_clones", "stuck_on_the_saddle", "target_offset",
)  # fmt: skip


CHAOTIC = "against_the_rails"  # rounding grows a hundredfold in ten steps: the same after a while


def configs(steps: int, seeds: tuple[int, ...], names: Sequence[str] = NAMES) -> list[RunConfig]:
    return [
        experiments()[name].config.changed(
            {"training.device": "cpu", "training.steps": steps, "training.seed": seed}
        )
        for name in names
        for seed in seeds
    ]


def finished(run: Run) -> Run:
    while not run.finished:
        run.advance()
    return run


def flagged(wanted: list[RunConfig]) -> set[str]:
    """The caveats found, which are the same for members and single runs."""
    found: set[str] = set()
    for trained in train(wanted, size=64):
        alone = judge(finished(Run(wanted[trained.index])).history)
        said = [(v.caveat, v.severity, v.layers) for v in judge(trained.history)]
        assert said == [(v.caveat, v.severity, v.layers) for v in alone], wanted[trained.index]
        found.update(v.caveat for v in alone)
    return found


def test_the_verdicts_of_members_are_those_of_their_single_runs() -> None:
    assert len(flagged(configs(30, (0,)))) >= 6


@pytest.mark.slow
def test_the_verdicts_of_members_are_those_of_their_single_runs_over_more_steps() -> None:
    calm = [name for name in NAMES if name != CHAOTIC]
    assert len(flagged(configs(150, (0, 1), calm))) >= 8
