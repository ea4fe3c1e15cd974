"""An outcome says what the judge says who has followed the run from its first record."""

from __future__ import annotations

from typing import Any

import pytest

from caveats.config import RunConfig
from caveats.stacks import Stack
from caveats.sweeps.outcomes import Outcome, outcome_of
from caveats.verdicts import judge

BASE = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 100},
        "network": {"widths": [8, 8]},
        "optimizer": {"lr": 0.1},
        "training": {"batch_size": 20, "steps": 150, "device": "cpu"},
    }
)
KINDS: dict[str, dict[str, Any]] = {
    "sound": {},
    "crawls": {"optimizer.lr": 1e-5},
    "too large": {"optimizer.lr": 30.0},
    "diverges": {"optimizer.lr": 1e20, "training.loss": "mse"},
    "vanishes": {"network.widths": [8] * 14, "network.activation": "sigmoid"},
    "dead": {"network.bias": -50.0},
    "copies": {"network.init": "constant"},
    "no length": {"training.steps": 30},
}


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_holds_at_the_end_is_told_worst_first(kind: str) -> None:
    stack = Stack([BASE.changed(KINDS[kind])])
    while not stack.finished:
        stack.advance()
    (history,), (divergence,) = stack.histories, stack.divergences
    verdicts = [v for v in judge(history) if v.severity != "note"]
    found = outcome_of(history, divergence)
    assert found.caveats == tuple(v.caveat for v in verdicts)
    assert found.failed == float(bool(verdicts))
    assert bool(verdicts) == (kind not in ("sound", "no length"))
    if verdicts:
        worst = verdicts[0]
        assert (found.caveat, found.severity, found.what) == (
            worst.caveat, worst.severity, worst.what,
        )  # fmt: skip


def test_a_run_that_was_cut_short_is_judged_by_all_its_records() -> None:
    """Before its end a verdict holds for two records after it was last found."""
    stack = Stack([BASE.changed({"optimizer.lr": 30.0, "training.steps": 400})])
    for _ in range(60):
        stack.advance()
    (history,) = stack.histories
    told = [v for v in judge(history) if v.severity != "note"]
    assert outcome_of(history, None).caveats == tuple(v.caveat for v in told)


@pytest.mark.parametrize(
    "wrong",
    [{"caveats": [1]}, {"loss": "x"}, {"caveat": 3}, {"steps": "many"}, {"what": None}],
)
def test_a_document_with_values_of_another_kind_is_no_outcome(wrong: dict[str, Any]) -> None:
    told = Outcome(loss=0.5, steps=3, caveats=("ravine",)).document()
    assert Outcome.of(told).caveats == ("ravine",)
    with pytest.raises(TypeError):
        Outcome.of(told | wrong)
