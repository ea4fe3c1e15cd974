"""What verdicts and remedies say is true of the numbers and of the changes that they name."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import caveats.verdicts
from caveats.config import RunConfig
from caveats.documents import counted
from caveats.remedies import changes
from caveats.remedies.customary import common_activation
from caveats.remedies.ranking import larger_step
from caveats.verdicts import Remedy
from caveats.verdicts.ravine import end
from caveats.verdicts.verdict import Finding

FINDING = Finding("warning", "", "", (), MappingProxyType({}))
SOURCES = sorted(Path(caveats.verdicts.__file__).parent.glob("*.py"))


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 units"), (1, "1 unit"), (2, "2 units"), (1200, "1,200 units")]
)
def test_a_number_of_things(number: int, said: str) -> None:
    assert counted(number, "unit") == said


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_no_rule_counts_units_or_layers_in_a_plural_of_its_own(path: Path) -> None:
    """Else one says "1 more layers"."""
    assert not re.search(r"\} (more )?(unit|layer)s?\b", path.read_text("utf-8"))


@given(loss=st.floats(1e-3, 1e3), projected=st.floats(-1e3, 1e3), reachable=st.floats(0, 1e3))
def test_where_a_falling_loss_ends_is_not_above_where_it_is(
    loss: float, projected: float, reachable: float
) -> None:
    """Also as the sentence rounds both."""
    ends = end(loss, projected, reachable)
    assert float(f"{ends:.3g}") <= float(f"{loss:.3g}")
    assert ends >= min(loss, reachable)


@given(lr=st.floats(1e-6, 1.0), depth=st.integers(1, 12), loss=st.sampled_from(["mse", "auto"]))
def test_steps_are_as_many_times_as_long_as_is_said(lr: float, depth: int, loss: str) -> None:
    config = RunConfig().changed(
        {"optimizer.lr": lr, "network.widths": [64] * depth, "training.loss": loss}
    )
    remedy = larger_step(config, FINDING)
    if remedy is not None:
        said = float(remedy.reason.split()[1])
        # both numbers are rounded to two digits
        assert remedy.change["optimizer.lr"] / lr == pytest.approx(said, rel=0.11)


ACTIVATIONS = ("relu", "sigmoid", "tanh", "hard_sigmoid", "leaky_relu")
CONFIGS = [
    RunConfig().changed(
        {
            "network.activation": name,
            "network.widths": [width] * depth,
            "network.init": init,
            "optimizer.name": optimizer,
            "optimizer.lr": 0.3,
            "network.bias": bias,
            "data.standardize": False,
        }
    )
    for name in ACTIVATIONS
    for width, depth in ((32, 2), (3, 12))
    for init in ("zeros", "torch_default", "he_normal")
    for optimizer, bias in (("sgd", 0.0), ("adam", -3.0))
]
SINGLES = (
    changes.usual_lr, changes.adam, changes.momentum, changes.matched_init, changes.steeper,
    changes.centred, changes.bearable, changes.scaffold, changes.clean_start, changes.overhaul,
    changes.normalization,
)  # fmt: skip


@pytest.mark.parametrize("config", CONFIGS[::3])
def test_a_reason_is_given_only_for_a_change_that_is_made(config: RunConfig) -> None:
    found = [remedy for single in SINGLES if (remedy := single(config)) is not None]
    for one, other in combinations(found, 2):
        whole = changes.combined(config, one, other)
        assert whole is not None
        assert whole.reason
        said = {part.reason for part in whole.parts if part.reason in whole.reason}
        for part in whole.parts:
            key, value = next(iter(part.change.items()))
            if whole.change[key] != value and part.reason in said:
                alike = [p for p in whole.parts if p.reason == part.reason and p is not part]
                assert alike, (part, whole)
        under = re.search(r"layer to layer under (\w+)", whole.reason)
        if under:
            assert under[1] == common_activation(config.changed(whole.change))


def test_every_setting_that_is_changed_has_a_reason() -> None:
    first = Remedy({"optimizer.lr": 0.1}, "a")
    second = Remedy({"optimizer.name": "adam", "optimizer.lr": 0.001}, "b")
    third = Remedy({"optimizer.lr": 0.01}, "c")
    whole = changes.combined(RunConfig(), first, second, third)
    assert whole == Remedy({"optimizer.lr": 0.01, "optimizer.name": "adam"}, "b; c")
    again = changes.combined(RunConfig(), whole, Remedy({"optimizer.name": "rmsprop"}, "d"))
    assert again is not None
    assert again.reason == "c; d"
