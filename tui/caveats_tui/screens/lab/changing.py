"""How the user changes the setup: picks from a table, steps a value up or down, or types one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from caveats.choice import Choice, Table
from caveats.config import parse_assignment
from caveats.config.settings import SETTINGS
from caveats.data.file_options import FileOption
from caveats_tui.screens.dialogs import Edit, Picker
from caveats_tui.screens.lab import own_files
from caveats_tui.screens.lab.setup import SettingLine, SetupList, nudged
from caveats_tui.text.settings import shown

if TYPE_CHECKING:
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["assign", "edit", "edit_current", "nudge", "on_number", "pick", "type_digit"]

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

    also = "; file is one of your own" if key == "data.name" else ""
    lab.app.push_screen(Picker(table, value if isinstance(value, str) else None, also), took)


def nudge(lab: LabScreen, direction: int) -> None:
    """Move the highlighted setting one step up or down; on a chart, the time cursor."""
    setup = lab.query_one(SetupList)
    line = setup.current
    if not setup.has_focus:
        return lab.action_look_back(direction)
    if line is None or not lab.bench.may_change():
        return lab.frame()
    if (value := nudged(line, direction)) != line.value:
        return change(lab, {line.key: value})
    name = line.label.removeprefix("· ")
    if line.option is None or isinstance(line.value, (str, tuple, list)):
        lab.notice(f"{name} is not changed by steps: enter types it")
    else:
        lab.notice(f"{name} {shown(line.value)} is as far as it goes")


def on_number(lab: LabScreen) -> bool:
    """Whether a row of the setup list that holds a number has the focus."""
    setup = lab.query_one(SetupList)
    line = setup.current
    if not setup.has_focus or line is None or line.option is None:
        return False
    return isinstance(line.value, (int, float)) and not isinstance(line.value, bool)


def type_digit(lab: LabScreen, digit: int) -> None:
    """Begin to type a new number into the highlighted row."""
    line = lab.query_one(SetupList).current
    if line is None or not on_number(lab):
        return lab.notice("digits are for rows of the setup list that hold a number")
    edit(lab, line, str(digit))


def edit_current(lab: LabScreen) -> None:
    line = lab.query_one(SetupList).current
    if line is not None:
        edit(lab, line)


def edit(lab: LabScreen, line: SettingLine, begun: str = "") -> None:
    """Edit a setting: open its picker, or a line to type in, which begins with what was ``begun``;
    a switch is turned at once."""
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
    own = isinstance(line.option, FileOption)
    if isinstance(line.value, (tuple, list)) and line.key != "network.widths" and not own:
        value = f"[{value}]"
    title = line.label.removeprefix("· ")
    lab.app.push_screen(Edit(title, line.sentence, begun or value, check, select=not begun), took)


def typed(line: SettingLine, text: str) -> dict[str, Any]:
    """What was typed for a setting; names of columns as a list, or between commas."""
    named = isinstance(line.option, FileOption) and line.option.names
    if named and not text.lstrip().startswith("["):
        names = [name.strip() for name in text.split(",") if name.strip()]
        return {line.key: [] if names == ["none"] else names[0] if len(names) == 1 else names}
    return dict([parse_assignment(f"{line.key}={text}")])


def assign(lab: LabScreen, line: SettingLine, text: str) -> None:
    """Set a setting to what was typed; where that is not valid, a notice says why."""
    if not lab.bench.may_change():
        return lab.frame()
    change(lab, typed(line, text))


def change(lab: LabScreen, changes: Mapping[str, Any]) -> None:
    lab.do(lambda: lab.bench.apply(changes))
