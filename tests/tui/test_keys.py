"""One table of keys: key bindings, footer, help, palette and README agree with it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from textual.binding import Binding

from caveats.config import RunConfig
from caveats.config.settings import SETTINGS
from caveats_tui.app import CaveatsApp
from caveats_tui.bench.training import Training
from caveats_tui.charts.process import ChartProcess
from caveats_tui.keys import (
    FOOTERS,
    KEY_GROUPS,
    KEYS,
    LAST,
    LAST_OVER,
    PLACES,
    Hint,
    Key,
    bindings,
    markdown,
    table,
)
from caveats_tui.options import LabOptions
from caveats_tui.screens.help import help_text, lab_keys
from caveats_tui.screens.lab.command_palette import commands
from caveats_tui.screens.lab.screen import LabScreen
from caveats_tui.screens.lab.tools import Tools

README = Path(__file__).parents[2] / "README.md"


def by_id() -> list[Any]:
    return [pytest.param(key, id=key.id) for key in KEYS]


@pytest.mark.parametrize("key", by_id())
def test_every_keys_action_exists_on_the_screen(key: Key) -> None:
    name = key.action.partition("(")[0]
    assert callable(getattr(LabScreen, f"action_{name}", None))


@pytest.mark.parametrize("key", by_id())
def test_a_picker_of_the_table_is_that_of_a_choice(key: Key) -> None:
    if key.action.startswith("pick("):
        setting = SETTINGS[key.action[len("pick('") : -len("')")]]
        assert setting.table is not None
        assert setting.label == key.label


def test_no_key_and_no_id_stands_twice() -> None:
    keys = [one for key in KEYS for one in key.keys.split(",")]
    assert len(keys) == len(set(keys))
    assert len(KEYS) == len({key.id for key in KEYS})


def test_every_key_of_the_table_is_bound_and_no_other() -> None:
    """Only the table binds keys; what Textual adds of its own (tab, ctrl-c) is not the lab's."""
    own = [binding for binding in LabScreen.BINDINGS if isinstance(binding, Binding)]
    assert len(own) == len(LabScreen.BINDINGS)
    bound = {binding.key: binding for binding in own}
    assert set(bound) == {one for key in KEYS for one in key.keys.split(",")}
    for key in KEYS:
        for one in key.keys.split(","):
            assert bound[one].tooltip == key.sentence
            assert bound[one].action.partition("(")[0] == key.action.partition("(")[0]


def test_the_four_chart_keys_each_have_their_chart() -> None:
    actions = {b.key: b.action for b in bindings()}
    assert [actions[str(n)] for n in (1, 2, 3, 4)] == [f"chart({n})" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("key", by_id())
def test_a_sentence_is_a_sentence(key: Key) -> None:
    assert re.fullmatch(r"[A-Z].*[.)]", key.sentence)
    assert key.group in KEY_GROUPS
    assert 0 < len(key.label) <= 14


def test_the_groups_hold_every_key_once_in_the_tables_order() -> None:
    told = [key for _, keys in table() for key in keys]
    assert sorted(told, key=KEYS.index) == list(KEYS)
    assert [group for group, _ in table()] == list(KEY_GROUPS)


def test_the_help_says_every_key_with_its_sentence() -> None:
    console = Console(file=io.StringIO(), width=400)
    console.print(help_text(lab_keys()))
    assert isinstance(console.file, io.StringIO)
    rows = [" ".join(row.split()) for row in console.file.getvalue().splitlines()]
    for key in KEYS:
        assert f"{key.shown} {key.sentence}" in rows


def test_the_palette_offers_every_command_of_the_table_under_its_sentence() -> None:
    lab = LabScreen(Training(RunConfig()), Tools(ChartProcess()), LabOptions(RunConfig()))
    offered = {command.title: command.sentence for command in commands(lab)}
    assert offered == {f"{k.label} ({k.shown})": k.sentence for k in KEYS if k.palette}


def test_what_the_palette_leaves_out_needs_a_place_to_act_on() -> None:
    left_out = {key.id for key in KEYS if not key.palette}
    assert left_out == {
        "back_out", "chart", "digit", "focus_next", "next", "palette", "previous",
    }  # fmt: skip


@pytest.mark.parametrize(
    "hint",
    [*LAST, *LAST_OVER, *(hint for hints in FOOTERS.values() for hint in hints)],
    ids=lambda h: h.label,
)
def test_what_a_footer_says_can_be_clicked_and_is_explained(hint: Hint) -> None:
    name = hint.action.partition("(")[0]
    assert callable(getattr(LabScreen, f"action_{name}", None))
    sentences = {key.shown: key.sentence for key in KEYS}
    assert hint.sentence == " ".join(sentences[shown] for shown in hint.shown.split())


def test_every_place_of_the_lab_has_a_footer_and_a_name() -> None:
    assert set(FOOTERS) == set(PLACES)


def test_the_readme_holds_the_table() -> None:
    found = re.search(r"<!-- keys -->\n(.*?)\n<!-- /keys -->", README.read_text("utf-8"), re.DOTALL)
    assert found is not None
    assert found[1].strip() == markdown()


def test_the_readmes_table_has_a_row_a_key() -> None:
    rows = markdown().splitlines()[2:]
    assert len(rows) == len(KEYS)
    for key, row in zip([k for _, keys in table() for k in keys], rows, strict=True):
        assert row.startswith(f"| `{key.shown}` | {key.sentence}")


def test_the_app_itself_binds_nothing_that_the_lab_does_not_know() -> None:
    """Textual's own ctrl-q and ctrl-c would end a run without asking."""
    keys = {one for key in KEYS for one in key.keys.split(",")}
    for binding in CaveatsApp._merge_bindings().key_to_bindings:
        assert binding in keys | {"ctrl+c"}
