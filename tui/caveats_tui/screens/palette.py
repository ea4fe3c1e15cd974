"""The window of all commands: type to filter, enter runs one.

Not Textual's own, which several quick keys can open twice, or ask for rows that have gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.console import Group
from rich.padding import Padding
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Key
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option as ListItem

from caveats_tui.screens.dialogs import sought, typed_ahead
from caveats_tui.screens.windows import Choices, Line, Window

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


class Palette(Window[Command | None]):
    """Returns the command that was taken; ``offered`` gives the commands for what was typed."""

    DEFAULT_CSS = """
    Palette { align: center middle; }
    Palette > Vertical {
        width: 90%; max-width: 90; height: 90%; max-height: 30;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Palette Input { border: none; height: 1; padding: 0; background: $panel; }
    Palette Choices { border: none; height: 1fr; padding: 0; margin-top: 1; }
    Palette Static { height: 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave"),
        Binding("down", "move(1)", "down", priority=True),
        Binding("up", "move(-1)", "up", priority=True),
        Binding("pagedown", "move(5)", "down", priority=True),
        Binding("pageup", "move(-5)", "up", priority=True),
    ]

    def __init__(self, offered: Callable[[str], list[Command]]) -> None:
        super().__init__()
        self._offered = offered
        self._shown: list[Command] = []
        self._typed = ""  # what the list was filtered by

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "commands"
            yield Line(placeholder="type to filter, or a setting and its value")
            yield Choices(markup=False)
            yield Static("↑ ↓ move · enter runs · escape leaves", markup=False)

    def opened(self) -> None:
        self._fill("")
        self.query_one(Input).focus()

    async def on_key(self, event: Key) -> None:
        await typed_ahead(self, event)

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def _fill(self, typed: str) -> None:
        self._typed = typed
        self._shown = self._offered(typed)
        view = self.query_one(Choices)
        view.clear_options()
        view.add_options(
            [
                ListItem(
                    Group(Text(c.title, style="bold"), Padding(Text(c.sentence), (0, 0, 0, 2)))
                )
                for c in self._shown
            ]
            or [ListItem("no command fits; ctrl+u clears the filter", disabled=True)]
        )
        view.highlighted = 0 if self._shown else None

    def action_move(self, lines: int) -> None:
        if self._shown:
            view = self.query_one(Choices)
            view.highlighted = max(0, min(len(self._shown) - 1, (view.highlighted or 0) + lines))

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def _take(self, event: Input.Submitted | OptionList.OptionSelected) -> None:
        if isinstance(event, Input.Submitted) and event.value != self._typed:
            self._fill(event.value)  # enter was typed so fast that the filter has not run yet
        at = self.query_one(Choices).highlighted
        if at is not None and at < len(self._shown):
            self.dismiss(self._shown[at])

    def action_leave(self) -> None:
        self.dismiss(None)
