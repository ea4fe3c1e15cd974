"""The window of all commands: type to filter, enter runs one.

Not Textual's own, which several quick keys can open twice, or ask for rows that have gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from caveats_tui.screens.dialogs import Filtered, Row, sought

__all__ = ["Command", "Palette", "fitting"]


@dataclass(frozen=True, slots=True)
class Command:
    """What a line of the palette says and does."""

    title: str
    sentence: str
    run: Callable[[], object]


def fitting(typed: str, commands: Sequence[Command]) -> list[Command]:
    """The commands whose title or sentence holds every typed word; those whose title begins with
    the text come first, then those whose title holds all words."""
    phrase = sought(typed)
    words = phrase.split()

    def rank(command: Command) -> int | None:
        title = command.title.lower()
        if title.startswith(phrase):
            return 0
        if all(word in title for word in words):
            return 1
        whole = f"{title} {command.sentence.lower()}"
        return 2 if all(word in whole for word in words) else None

    ranked = [(rank(command), place) for place, command in enumerate(commands)]
    return [commands[place] for found, place in sorted(r for r in ranked if r[0] is not None)]


class Palette(Filtered[Command | None]):
    """Returns the command that was taken; ``commands`` gives those for what was typed."""

    DEFAULT_CSS = """
    Palette > Vertical { max-width: 90; max-height: 30; }
    """
    placeholder = "type to filter, or a setting and its value"
    hint = "↑ ↓ move · enter runs · escape leaves"
    nothing = "no command fits; ctrl+u clears the filter"

    def __init__(self, commands: Callable[[str], list[Command]]) -> None:
        super().__init__("commands")
        self._commands = commands

    def offered(self, typed: str) -> list[Row]:
        return [Row(command, told(command)) for command in self._commands(typed)]


def told(command: Command) -> Group:
    return Group(Text(command.title, style="bold"), Padding(Text(command.sentence), (0, 0, 0, 2)))
