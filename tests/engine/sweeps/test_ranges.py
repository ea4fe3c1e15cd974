"""RANGE means what the help says, and everything else is one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.sweeps.plan import Plan, cell_id
from caveats.sweeps.ranges import parse_axis, with_changes

BASE = RunConfig()


def test_values_are_spaced_as_numpy_spaces_them() -> None:
    log = parse_axis("optimizer.lr=1e-4..1@33log", BASE)
    assert log.log
    np.testing.assert_allclose(log.values, np.geomspace(1e-4, 1, 33), rtol=1e-5)
    even = parse_axis("network.bias=-1..3@9", BASE)
    np.testing.assert_allclose(even.values, np.linspace(-1, 3, 9))
    assert parse_axis("network.depth=1..4", BASE).values == (1, 2, 3, 4)
    assert parse_axis("training.batch_size=1..100@5log", BASE).values == (1, 3, 10, 32, 100)


def test_lists_hold_names_widths_and_numbers() -> None:
    assert parse_axis("network.activation=relu, tanh", BASE).values == ("relu", "tanh")
    assert parse_axis("network.widths=64x2,8-4", BASE).values == ([64, 64], [8, 4])
    assert parse_axis("optimizer.lr=.1,1", BASE).values == (0.1, 1)


def test_depth_and_width_set_all_hidden_layers() -> None:
    assert with_changes(BASE, {"network.depth": 5}, "").network.widths == (64,) * 5
    assert with_changes(BASE, {"network.width": 7}, "").network.widths == (7, 7, 7)
    both = with_changes(BASE, {"network.width": 7, "network.depth": 2}, "")
    assert both.network.widths == (7, 7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("optimizer.lr", "optimizer.lr should be KEY=RANGE, such as 1e-4..1@32log"),
        ("optimizer.lr=", "optimizer.lr= is empty: give a range"),
        ("optimizer.lr=1..0.1@5", "optimizer.lr=1..0.1@5 is reversed: write "
         "optimizer.lr=0.1..1@5"),
        ("optimizer.lr=0.1..1", "does not say how many values: write 0.1..1@9"),
        ("optimizer.lrr=1..8", "optimizer.lrr is no setting: did you mean 'lr'?"),
        ("network.depht=1..8", "network.depht is no setting: did you mean 'network.depth'?"),
        ("depth=1..8", "depth is no setting: did you mean 'network.depth'?"),
        ("optimizer.lr=0.1..1@0", "is empty: @0 asks for no value"),
        ("optimizer.lr=0.1..1@1000000000", "asks for 1,000,000,000 values: at most 1,000,000"),
        ("network.width=1..1000000000", "asks for 1,000,000,000 values: at most 1,000,000"),
        ("network.bias=0..1@5log", "starts at 0: values spaced by ratios are above 0"),
        ("optimizer.lr=0.1..x@5", "is no range: write LOW..HIGH@N"),
        ("optimizer.lr=1e999..2e999@3", "has an end that is not finite"),
        ("network.activation=relu,,tanh", "has an empty value between two commas"),
        ("network.activation=relu,relu", "names relu twice"),
        ("network.activation=relu,tahn", "network.activation = 'tahn' is no activation: did you "
         "mean 'tanh'?"),
        ("optimizer.lrr=1,2", "optimizer.lrr is no setting: did you mean 'lr'?"),
        ("lr=1,2", "lr is no setting: did you mean 'optimizer.lr'?"),
        ("optimizer.lr=-1..1@3", "optimizer.lr = -1.0 is out of range: above 0"),
        ("network.depth=9" + "9" * 40, "has more than 1,000 layers, which is the most"),
        ("network.depth=0..2", "network.depth = 0 should be a whole number from 1"),
        ("network.depth=a,b", "network.depth = 'a' should be a whole number from 1"),
    ],
)  # fmt: skip
def test_bad_axes_are_one_sentence(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_axis(text, BASE)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_too_many_cells_and_doubled_keys_are_refused() -> None:
    long = parse_axis("optimizer.lr=0.1..1@1001", BASE)
    wide = parse_axis("network.bias=0..1@1000", BASE)
    with pytest.raises(ConfigError, match=r"1,001 × 1,000 = 1,001,000 cells are too many"):
        Plan.of(BASE, [long, wide])
    with pytest.raises(ConfigError, match=r"optimizer\.lr is on two axes"):
        Plan.of(BASE, [long, long])
    with pytest.raises(ConfigError, match=r"--seeds 0 should be 1 or more"):
        Plan.of(BASE, [wide], 0)


def test_tasks_hold_every_cell_once_and_one_shape_each() -> None:
    axes = [
        parse_axis(text, BASE)
        for text in ("optimizer.lr=0.1..1@9", "network.depth=1..3", "network.activation=relu,elu")
    ]
    plan = Plan.of(BASE, axes, seeds=4)
    assert plan.shape == (9, 3, 2, 4)
    indices = [cell.index for task in plan.tasks for cell in task]
    assert sorted(indices) == list(range(9 * 3 * 2 * 4))
    for task in plan.tasks:
        assert len({cell.values["network.depth"] for cell in task}) == 1


def test_an_id_depends_on_every_setting_and_on_nothing_else() -> None:
    same = RunConfig.from_toml(BASE.to_toml())
    assert cell_id(same) == cell_id(BASE)
    assert cell_id(BASE.changed({"training.seed": 1})) != cell_id(BASE)
