"""How the user changes the setup: picks from a table, steps a value up or down, or types one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from caveats.choice import Choice, Table
from caveats.config import parse_assignment
from caveats.config.settings import SETTINGS
from caveats_tui.screens.dialogs import Edit, Picker
from caveats_tui.screens.lab import own_files
from caveats_tui.screens.lab.setup import SettingLine, SetupList, nudged
from caveats_tui.text.settings import shown

if TYPE_CHECKING:
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["assign", "edit", "nudge", "pick"]

OWN_FILE = Choice(
    "a file of your own (csv, npz)…",
    lambda: own_files.choose,
    "A table whose columns have names, or the arrays x and y.",
    "your data",
)


def pick(lab: LabScreen, key: str) -> None:
    """Open the picker of a setting whose values are in a table; that of the data offers a file of
    one's own too."""
    if not lab.bench.may_change():
        return lab.frame()
    table = SETTINGS[key].table
    assert table is not None
    value = lab.bench.config.flat().get(key)
    value = value["name"] if isinstance(value, dict) else value
    if key == "data.name":
        table = Table(table.kind, OWN_FILE, *table.values())
        value = value or OWN_FILE.name

    def took(name: str | None) -> None:
        if name == OWN_FILE.name:
            own_files.choose(lab, lambda: pick(lab, key))
        elif name is not None:
            change(lab, {key: name})

    hint = " · file: your own" if key == "data.name" else ""
    lab.app.push_screen(Picker(table, value if isinstance(value, str) else None, hint), took)


def nudge(lab: LabScreen, direction: int) -> None:
    """Move the highlighted setting one step up or down."""
    setup = lab.query_one(SetupList)
    line = setup.current
    if not setup.has_focus or line is None:
        return
    if (value := nudged(line, direction)) != line.value:
        change(lab, {line.key: value})


def edit(lab: LabScreen, line: SettingLine) -> None:
    """Edit a setting: open its picker, or a line to type in; a switch is turned at once."""
    if not lab.bench.may_change():
        return lab.frame()
    if line.table is not None:
        return pick(lab, line.key)
    if line.key == "data.file":
        return own_files.choose(lab, lab.frame)
    if isinstance(line.value, bool):
        return change(lab, {line.key: not line.value})

    def check(text: str) -> None:
        lab.bench.config.changed(typed(line, text), "setup")

    def took(text: str | None) -> None:
        if text is not None:
            assign(lab, line, text)

    value = shown(line.value)
    if isinstance(line.value, (tuple, list)) and line.key != "network.widths":
        value = f"[{value}]"
    title = line.label.removeprefix("· ")
    lab.app.push_screen(Edit(title, line.sentence, value, check), took)


def typed(line: SettingLine, text: str) -> dict[str, Any]:
    return dict([parse_assignment(f"{line.key}={text}")])


def assign(lab: LabScreen, line: SettingLine, text: str) -> None:
    """Set a setting to what was typed; where that is not valid, a notice says why."""
    if not lab.bench.may_change():
        return lab.frame()
    change(lab, typed(line, text))


def change(lab: LabScreen, changes: Mapping[str, Any]) -> None:
    lab.do(lambda: lab.bench.apply(changes))
