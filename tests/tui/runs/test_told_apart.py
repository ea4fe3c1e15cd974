"""Runs of a list can be told apart: each says the settings that most of the others have not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from caveats.config import RunConfig
from caveats_tui.cli import cli
from caveats_tui.text.differences import told_apart

START = RunConfig()


def with_(**changes: Any) -> RunConfig:
    return START.changed({key.replace("__", "."): value for key, value in changes.items()})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer__lr": 0.3}, "lr 0.3"),
        ({"network__init": "xavier_normal"}, "xavier_normal"),
        ({"network__init": {"name": "normal", "std": 0.3}}, "normal std 0.3"),
        ({"network__bias": -3.0, "training__seed": 7}, "bias -3 · seed 7"),
        ({"data__file": "far/away/mine.csv", "data__target": "y"}, "mine.csv"),
        # adam's own betas and eps are as always: they tell nothing
        ({"optimizer__name": "adam"}, "adam · lr 0.001"),
        ({"optimizer__name": "adam", "optimizer__eps": 0.1}, "adam · lr 0.001 · eps 0.1"),
    ],
)  # fmt: skip
def test_a_run_says_what_the_others_have_not(changes: dict[str, Any], said: str) -> None:
    assert told_apart([START, with_(**changes), START]) == ["", said, ""]


def test_of_two_runs_each_says_its_own() -> None:
    assert told_apart([with_(optimizer__lr=0.3), START]) == ["lr 0.3", "lr 0.1"]


def test_what_the_fewest_have_comes_first() -> None:
    """Twenty cells of a narrow list must tell two runs of one pair apart."""
    sine = {"data__name": "sine", "optimizer__name": "adam", "optimizer__lr": 0.01}
    pair = [with_(**sine), with_(**sine, data__standardize_target=True)]
    one, other, *_ = told_apart([*pair, *[START] * 4])
    assert one == "sine · adam · lr 0.01"
    assert other == "standardize_target on · sine · adam · lr 0.01"


def test_alone_or_alike_nothing_is_said() -> None:
    assert told_apart([START]) == [""]
    assert told_apart([START, START, None]) == ["", "", ""]


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "optimizer.lr": st.sampled_from([0.01, 0.3]),
                "network.init": st.sampled_from(["zeros", "orthogonal"]),
                "network.widths": st.sampled_from([[8], [8, 8]]),
                "data.name": st.sampled_from(["moons", "circles"]),
                "training.seed": st.integers(0, 2),
            },
        ),
        max_size=8,
    )
)
def test_two_runs_say_the_same_only_if_their_setups_are_the_same(
    changes: list[dict[str, Any]],
) -> None:
    configs = [START.changed(change) for change in changes]
    said = told_apart(configs)
    for one, mine in zip(configs, said, strict=True):
        for other, theirs in zip(configs, said, strict=True):
            assert (mine == theirs) == (one == other)


def test_the_list_and_the_command_say_it(
    tmp_path: Path, folder_of: Callable[..., Path], drive: Callable[..., None]
) -> None:
    for name, lr in (("first", 0.5), ("second", 0.25), ("third", 0.25), ("fourth", 0.25)):
        folder_of(tmp_path / name, {"optimizer.lr": lr})

    called = CliRunner().invoke(cli, ["runs", str(tmp_path)])
    rows = {line.split()[0]: line for line in called.stdout.splitlines()[1:]}
    assert " lr 0.5 " in rows["first"]
    assert not any("lr" in rows[name] for name in ("second", "third", "fourth"))

    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("L")
        await lab.until("4 of 4 runs")
        [row] = [row for row in lab.rows if " first " in row]
        assert row.index("lr 0.5") < row.index("first")
        assert sum("lr 0." in row for row in lab.rows[3:]) == 1

    drive(scenario, size=(80, 24), drawing=False, place=tmp_path)
