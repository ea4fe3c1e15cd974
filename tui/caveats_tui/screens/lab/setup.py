"""The setup list: one line for each setting, with its value at the right; arrows change the value.

It shows a config and reports what the user wants to change; it changes nothing itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from rich.text import Text
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option as ListItem

from caveats.choice import Choice, Option, Table
from caveats.config import RunConfig
from caveats.config.settings import SETTINGS
from caveats.data.catalogue import DATASETS
from caveats.data.file_options import FILE_OPTIONS, FileOption
from caveats.models.initializers import INITIALIZERS
from caveats.training.optimizers import OPTIMIZERS
from caveats_tui.keys import KEYS
from caveats_tui.screens.windows import Browsed
from caveats_tui.text.settings import shown

__all__ = ["PENDING", "SettingLine", "SetupList", "lines", "nudged"]

PENDING = "* pending, r applies"

# The letter that opens the picker of each setting, from the table of keys.
_LETTERS = {
    key.action.partition("'")[2].partition("'")[0]: key.shown
    for key in KEYS
    if key.action.startswith("pick(")
}


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting as the list shows it: ``option`` for a number or a switch, ``table`` for a
    choice; neither for text (widths, files, device)."""

    key: str
    label: str
    sentence: str
    value: Any
    option: Option | None = None
    table: Table[Choice] | None = None
    pending: bool = False  # the run on the charts had another value


def lines(config: RunConfig) -> Iterator[SettingLine]:
    """Every setting of a config, with the settings of each choice below it."""
    flat = config.flat()
    network = config.network
    own: dict[str, tuple[Option, ...]] = {
        "network.init": () if network.inits else INITIALIZERS[network.init.name].options,
        "optimizer.lr": OPTIMIZERS[config.optimizer.name].options,
    }
    if config.data.name is not None:
        own["data.name"] = DATASETS[config.data.name].options
    elif config.data.target is not None:  # a csv
        own["data.target"] = tuple(FILE_OPTIONS.values())
    for key, setting in SETTINGS.items():
        from_file = config.data.file is not None
        if key in ("data.file", "data.target") and not from_file:
            continue
        if key == "data.name" and from_file:
            continue
        if key == "training.steps" and config.training.epochs:
            continue
        value = flat.get(key)
        if key == "network.init" and not network.inits:
            value = network.init.name
        words = setting.label, setting.sentence
        yield SettingLine(key, *words, value, setting.option, setting.table)
        for option in own.get(key, ()):
            section = key if key == "network.init" else setting.section
            options = {
                "network": network.init.options,
                "optimizer": config.optimizer.options,
                "data": config.data.options,
            }[setting.section]
            yield SettingLine(
                f"{section}.{option.name}",
                f"· {option.name.replace('_', ' ')}",
                option.sentence,
                options.get(option.name, option.default),
                option,
            )


def nudged(line: SettingLine, direction: int) -> Any:
    """The value one step further: the neighbouring choice or word, the other switch position, the
    next of 1, 2, 5 × 10ⁿ (for a whole number the next power of two or, below 8, one more). At the
    end, the same value."""
    value, option = line.value, line.option
    if line.table is not None and isinstance(value, str):
        names = list(line.table)
        return names[(names.index(value) + direction) % len(names)]
    if isinstance(option, FileOption) and not option.names:
        return option.words[(option.words.index(value) + direction) % len(option.words)]
    if option is None or isinstance(value, (str, tuple, list)):
        return value
    if isinstance(option.default, bool):
        return not value
    whole = isinstance(option.default, int)
    moved = _whole(int(value), direction) if whole else _ladder(float(value), direction)
    return moved if _allowed(option, moved) else value


def _allowed(option: Option, value: float) -> bool:
    from caveats.errors import ConfigError

    try:
        option.check(value, "")
    except ConfigError:
        return False
    return True


def _whole(value: int, direction: int) -> int:
    if abs(value + direction) < 8 or abs(value) < 8:
        return value + direction
    power = int(2 ** math.floor(math.log2(abs(value))))
    if direction > 0:
        return power * 2
    return power if power < value else power // 2


def _ladder(value: float, direction: int) -> float:
    if value == 0:
        return 0.01 * direction
    sign, size = math.copysign(1, value), abs(value)
    rungs = sorted(
        float(f"{m}e{e}") for e in range(-9, 6) for m in (1, 2, 5)
    )  # exact decimals, so that 0.1 stays 0.1
    if direction * sign > 0:
        return sign * next((r for r in rungs if r > size * 1.0001), size)
    lower = [r for r in rungs if r < size * 0.9999]
    return sign * lower[-1] if lower and size > 1e-6 else 0.0


class SetupList(Browsed):
    """The setup as a list. The arrows up and down move (OptionList's own). Left, right and enter
    are keys of the lab, which reads `current`; a click posts EditRequested."""

    DEFAULT_CSS = """
    SetupList { border: round $border-blurred; background: $background; padding: 0; height: 1fr;
        border-title-color: $foreground; scrollbar-size-vertical: 1; }
    SetupList:focus { border: round $primary; }
    """

    class EditRequested(Message):
        """The user wants to edit this line."""

        def __init__(self, line: SettingLine) -> None:
            super().__init__()
            self.line = line

    def __init__(self) -> None:
        super().__init__(id="setup", markup=False)
        self.border_title = "setup"
        self.ghost = ""  # what the lower edge says of the ghost
        self._shown: list[SettingLine] = []

    @property
    def current(self) -> SettingLine | None:
        """The highlighted line."""
        if self.highlighted is None or self.highlighted >= len(self._shown):
            return None
        return self._shown[self.highlighted]

    def show(self, config: RunConfig, applied: RunConfig | None = None) -> None:
        """Show a config, and mark where it differs from the ``applied`` one; the same setting stays
        highlighted."""
        at = self.current.key if self.current else None
        new = list(lines(config))
        if applied is not None and applied != config:
            had = {line.key: line.value for line in lines(applied)}
            new = [
                replace(line, pending=line.key not in had or had[line.key] != line.value)
                for line in new
            ]
        if new == self._shown:
            return
        same_keys = [line.key for line in new] == [line.key for line in self._shown]
        self._shown = new
        if same_keys:
            for index, line in enumerate(new):
                self.replace_option_prompt_at_index(index, self._prompt(line))
            return
        self.clear_options()
        self.add_options([ListItem(self._prompt(line)) for line in new])
        keys = [line.key for line in new]
        self.highlighted = keys.index(at) if at in keys else 0

    def _prompt(self, line: SettingLine) -> Text:
        width = max(20, self.scrollable_content_region.width)
        value = "* " * line.pending + shown(line.value)
        most = width - min(len(line.label), 12) - 4
        value = value if len(value) <= most else f"{value[: most - 2]}.."  # else it would wrap
        text = Text(no_wrap=True, overflow="ellipsis")
        letter = _LETTERS.get(line.key, " ")
        text.append(f"{letter} ", style="bold")
        room = max(3, width - len(value) - 3)
        text.append(line.label[:room].ljust(room), style="dim" if line.label[0] == "·" else "")
        text.append(value, style="bold")
        return text

    def on_resize(self) -> None:
        for index, line in enumerate(self._shown):
            self.replace_option_prompt_at_index(index, self._prompt(line))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self.current is not None:
            self.post_message(self.EditRequested(self.current))
