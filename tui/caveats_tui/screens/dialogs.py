"""The small windows over the lab: pick from a table, type a value, answer a question. Each returns
the user's choice, None if they left it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from rich.console import Group
from rich.padding import Padding
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option as ListItem

from caveats.choice import Choice, Table
from caveats.errors import ConfigError
from caveats_tui.screens.windows import LONGEST, Choices, Line, Window

__all__ = ["Ask", "Edit", "Filtered", "Picker", "Row", "matches", "sought", "typed_ahead"]

Result = TypeVar("Result")

MOST = 300  # rows of a list: adding 1,000 takes a tenth of a second


def sought(typed: str) -> str:
    """The text to search for, without the "/" that starts the filter in the list of kept runs."""
    return typed.strip().removeprefix("/").strip().lower()


def matches(typed: str, choice: Choice) -> int | None:
    """How well a choice matches the typed text, lower is better; None if it does not match.

    0: its name begins with the text; 1: its name contains it; 2: its name has the letters in order;
    3: its sentence contains it.
    """
    phrase = sought(typed)
    word = phrase.replace(" ", "_")
    if choice.name.startswith(word):
        return 0
    if word in choice.name:
        return 1
    letters = iter(choice.name)
    if all(letter in letters for letter in word):
        return 2
    return 3 if phrase in choice.sentence.lower() else None


async def typed_ahead(screen: Window[Any], event: Key) -> None:
    """Give a key that came while the window was opening to its line of text: over a slow line
    several keys arrive at once."""
    line = screen.query_one(Input)
    if line.has_focus or (screen.focused is not None and event.key == "enter"):
        return  # the list takes its own enter
    if event.is_printable and event.character:
        line.insert_text_at_cursor(event.character)
        event.stop()
    elif event.key == "enter":
        await line.action_submit()
        event.stop()


class Row(ListItem):
    """A row of a filtered list, and what it stands for."""

    def __init__(self, value: Any, prompt: Group | Text) -> None:
        super().__init__(prompt)
        self.value = value


class Filtered(Window[Result]):
    """A list with a filter: type to filter, move with the arrows, enter takes. A subclass says what
    is ``offered`` for the typed text, and what is said where that is nothing."""

    DEFAULT_CSS = """
    Filtered { align: center middle; }
    Filtered > Vertical {
        width: 90%; max-width: 100; height: 90%; max-height: 40;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Filtered Input { border: none; height: 1; padding: 0; background: $panel; }
    Filtered OptionList { height: 1fr; padding: 0; margin-top: 1; }
    Filtered OptionList, Filtered OptionList:focus { border: none; }
    Filtered Static { height: 1; color: $text-muted; }
    Filtered #said { height: auto; color: $error; display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave"),
        Binding("down", "move(1)", "down", priority=True),
        Binding("up", "move(-1)", "up", priority=True),
        Binding("pagedown", "move(5)", "down", priority=True),
        Binding("pageup", "move(-5)", "up", priority=True),
    ]
    placeholder = "type to filter"
    hint = "↑ ↓ move · enter takes · escape leaves"
    nothing = "nothing fits; ctrl+u clears the filter"

    def __init__(self, title: str) -> None:
        super().__init__()
        self._heading = title
        self._rows: list[Row] = []
        self._typed = ""  # what the list was filtered by

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._heading)
            yield Line(placeholder=self.placeholder)
            yield Choices(id="choices", markup=False)
            yield Static("", id="said", markup=False)
            yield Static(self.hint, markup=False)

    def opened(self) -> None:
        self._fill("")
        self.query_one(Input).focus()

    def offered(self, typed: str) -> list[Row]:
        """The rows for the typed text, in order."""
        raise NotImplementedError

    def begin(self, typed: str, rows: list[Row]) -> int:
        """The row that is highlighted first."""
        return 0

    def take(self, value: Any) -> None:
        """Called with the value of the row that was taken."""
        self.dismiss(value)

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._fill(event.value)

    async def on_key(self, event: Key) -> None:
        await typed_ahead(self, event)

    def _fill(self, typed: str) -> None:
        self._typed = typed
        rows = self.offered(typed)
        self._rows = rows[:MOST]
        shown: list[ListItem] = [*self._rows]
        if len(rows) > MOST:
            left = f"and {len(rows) - MOST:,} more: type a part of the name"
            shown.append(ListItem(left, disabled=True))
        choices = self.query_one(Choices)
        choices.clear_options()
        choices.add_options(shown or [ListItem(self.nothing, disabled=True)])
        if self._rows:
            choices.highlighted = self.begin(typed, self._rows)

    def action_move(self, lines: int) -> None:
        choices = self.query_one(Choices)
        if self._rows:
            at = (choices.highlighted or 0) + lines
            choices.highlighted = max(0, min(len(self._rows) - 1, at))

    def action_leave(self) -> None:
        self.dismiss(None)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value != self._typed:  # enter was typed so fast that the filter has not run yet
            self._fill(event.value)
        at = self.query_one(Choices).highlighted
        self.enter(self._rows[at] if self._rows and at is not None else None)

    def enter(self, row: Row | None) -> None:
        """Called when enter is typed, with the highlighted row."""
        if row is not None:
            self.take(row.value)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        if isinstance(event.option, Row):
            self.take(event.option.value)


class Picker(Filtered[str | None]):
    """A table of choices; returns the name of one."""

    def __init__(self, table: Table[Choice], current: str | None, also: str = "") -> None:
        """``also`` says in the empty line what else than a filter may be typed."""
        super().__init__(f"choose: {table.kind}")
        self.placeholder += also
        self.nothing = f"no {table.kind} fits; ctrl+u clears the filter"
        self._table = table
        self._current = current

    def offered(self, typed: str) -> list[Row]:
        ranked = sorted(
            (rank, order, choice)
            for order, choice in enumerate(self._table.values())
            if (rank := matches(typed, choice)) is not None
        ) if typed.strip() else [(0, i, c) for i, c in enumerate(self._table.values())]  # fmt: skip
        return [Row(choice.name, self._prompt(choice)) for _, _, choice in ranked]

    def begin(self, typed: str, rows: list[Row]) -> int:
        names = [row.value for row in rows]
        here = self._current in names and not typed.strip()
        return names.index(self._current) if here else 0

    def _prompt(self, choice: Choice) -> Group:
        head = Text("● " if choice.name == self._current else "  ", no_wrap=True)
        head.append(choice.name, style="bold")
        head.append(f"   {choice.source}", style="dim italic")
        return Group(head, Padding(Text(choice.sentence), (0, 0, 0, 4)))


class Edit(Window[str | None]):
    """One line of text. ``check`` raises ConfigError if the text is not valid; the error is shown
    at once."""

    DEFAULT_CSS = """
    Edit { align: center middle; }
    Edit > Vertical {
        width: 60; max-width: 95%; height: auto;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Edit Input { border: none; height: 1; padding: 0; background: $panel; margin: 1 0; }
    Edit #problem { color: $error; height: auto; }
    Edit #sentence { color: $text-muted; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave")]

    def __init__(
        self,
        title: str,
        sentence: str,
        value: str,
        check: Callable[[str], object],
        *,
        select: bool = True,
    ) -> None:
        """``select`` says whether the first key replaces ``value``."""
        super().__init__()
        self._title, self._sentence, self._value, self._check = title, sentence, value, check
        self._select = select

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(self._sentence, id="sentence", markup=False)
            yield Line(self._value, select=self._select)
            yield Static("enter takes · escape leaves", id="problem-hint", markup=False)
            yield Static("", id="problem", markup=False)

    def opened(self) -> None:
        self.query_one(Input).focus()

    async def on_key(self, event: Key) -> None:
        await typed_ahead(self, event)

    def _problem(self, text: str) -> str:
        try:
            self._check(text)
        except ConfigError as error:
            return str(error)
        return ""

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self.query_one("#problem", Static).update(self._problem(event.value))

    @on(Line.TooLong)
    def _too_long(self) -> None:
        problem = f"a line has at most {LONGEST:,} characters: this was not taken"
        self.query_one("#problem", Static).update(problem)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if not self._problem(event.value):
            self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)


class Ask(Window[str | None]):
    """A question with a few answers, each with its own key; escape returns None."""

    DEFAULT_CSS = """
    Ask { align: center middle; }
    Ask > Vertical {
        width: 50; max-width: 95%; height: auto;
        border: round $warning; background: $surface; padding: 1 2;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave")]

    def __init__(self, question: str, answers: dict[str, str]) -> None:
        """``answers`` maps each key to the words of its answer."""
        super().__init__()
        self._question, self._answers = question, answers

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._question + "\n", markup=False)
            for key, words in self._answers.items():
                yield Static(Text.assemble((key, "bold"), f"  {words}"))
            yield Static(Text.assemble(("escape", "bold"), "  go on as before"))

    def on_key(self, event: Key) -> None:
        if event.key in self._answers:
            self.dismiss(event.key)

    def action_leave(self) -> None:
        self.dismiss(None)
