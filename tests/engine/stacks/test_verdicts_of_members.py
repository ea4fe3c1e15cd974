"""The judge says of a member what it says of its single run, for every kind of caveat."""

from __future__ import annotations

from caveats.config import RunConfig
from caveats.curing import train as train_alone
from caveats.experiments import experiments
from caveats.stacks import train
from caveats.verdicts import judge

# Experiments that show most caveats in a few hundred steps of small networks.
NAMES = (
    "against_the_rails", "beyond_chaos", "born_dead", "born_with_bias", "doubling",
    "everything_moves_together", "mass_extinction", "nothing_happens", "past_the_cliff",
    "raw_pixels", "sigmoid_staircase", "sixteen_clones", "stuck_on_the_saddle", "target_offset",
)  # fmt: skip


def configs() -> list[RunConfig]:
    found = []
    for name in NAMES:
        config = experiments()[name].config
        steps = min(config.training.steps, 150)
        short = {"training.device": "cpu", "training.steps": steps}
        found += [config.changed(short), config.changed({**short, "training.seed": 1})]
    return found


def test_the_verdicts_of_members_are_those_of_their_single_runs() -> None:
    flagged: set[str] = set()
    wanted = configs()
    for trained in train(wanted, size=64):
        alone = judge(train_alone(wanted[trained.index]).history)
        said = [(v.caveat, v.severity, v.layers) for v in judge(trained.history)]
        assert said == [(v.caveat, v.severity, v.layers) for v in alone], wanted[trained.index]
        flagged.update(v.caveat for v in alone)
    assert len(flagged) >= 8
