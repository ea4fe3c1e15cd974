"""The lines of the worst verdict: they fit, and say what was found and all of the cure."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveats.config import RunConfig
from caveats.status import Status
from caveats.verdicts import CAVEATS, Remedy, Verdict
from caveats_tui.screens.explanation import MOST_LINES, numbers, verdict_lines
from caveats_tui.screens.lab.bars import message_lines
from caveats_tui.text.settings import changes_shown

LONG = {
    "network.init": "he_normal", "network.normalization": "layer", "network.residual": True,
    "optimizer.name": "adam", "optimizer.lr": 0.02,
}  # fmt: skip


def verdict(name: str, what: str, change: dict[str, object]) -> Verdict:
    remedies = (Remedy(MappingProxyType(change), "because"),) if change else ()
    return Verdict(
        name, CAVEATS[name].title, "critical", 0, (), what, MappingProxyType({}), "", remedies
    )


@given(
    name=st.sampled_from(list(CAVEATS)),
    change=st.sampled_from([{}, {"optimizer.lr": 0.003}, LONG]),
    width=st.integers(60, 200),
    what=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=120),
    more=st.integers(0, 10),
)
def test_title_and_cure_are_whole_and_the_lines_fit(
    name: str, change: dict[str, object], width: int, what: str, more: int
) -> None:
    found = verdict(name, what, change)
    said = verdict_lines(found, RunConfig(), more, width, plain=False).plain
    lines = said.splitlines()
    others = f" +{more}" if more else ""
    assert lines[0].startswith(f" ✖ {CAVEATS[name].title}{others} ")
    assert len(lines) <= MOST_LINES
    assert all(len(line) <= width for line in lines)
    assert ("f: " in said) == bool(change)
    if change:
        cure = f"f: {changes_shown(change, RunConfig())}"
        assert cure in " ".join(said.split())


@given(width=st.integers(0, 59), more=st.integers(0, 10))
def test_a_terminal_of_any_width_gets_lines_also_where_the_lab_only_says_it_is_too_small(
    width: int, more: int
) -> None:
    found = verdict("dying_relu", "61 of 64 units dead", LONG)
    said = verdict_lines(found, RunConfig(), more, width, plain=False).plain
    assert len(said.splitlines()) <= MOST_LINES


def test_evidence_is_told_in_words_and_in_numbers_of_three_digits() -> None:
    found = replace(
        verdict("overfitting", "", {}),
        evidence={"best_step": 1234, "target_mean": 301_687.3, "share_given_back": 0.25},
    )
    assert numbers(found) == "best step 1,234, target mean 302,000, share given back 0.25"


@pytest.mark.parametrize(
    ("notice", "alarm", "said"),
    [
        ("nothing to undo", "", " nothing to undo"),  # an answer to a key is no alarm
        ("", "the disk is full", " ! the disk is full"),
    ],
)
def test_what_answers_a_key_bears_no_alarm_and_leaves_the_cure_on_the_screen(
    notice: str, alarm: str, said: str
) -> None:
    found = verdict("dying_relu", "61 of 64 units dead", LONG)
    bench: Any = SimpleNamespace(
        verdicts=lambda: [found], shown=RunConfig(), cure=None, notice=notice, alarm=alarm
    )
    cure = verdict_lines(found, RunConfig(), 0, 80, plain=False).plain.splitlines()[1:]
    assert message_lines(bench, 80, plain=False).plain.splitlines() == [said, *cure]
    assert len(cure) == 2


@pytest.mark.parametrize(("number", "loads"), [(1, True), (2, False)])
def test_torch_is_loaded_once_and_a_later_run_does_not_say_so(number: int, loads: bool) -> None:
    bench: Any = SimpleNamespace(
        verdicts=lambda: (), cure=None, notice="", alarm="", hint="",
        status=Status("loading", run_number=number),
    )  # fmt: skip
    assert ("torch" in message_lines(bench, 80, plain=False).plain) is loads
