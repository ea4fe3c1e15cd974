"""What every screen that can be left, and every list in one, must survive: keys, clicks and a leave
that come before it is there, twice, or after it has gone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from textual._styles_cache import StylesCache
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.errors import NoWidget
from textual.events import Click, Event, InputEvent, Key, Mount, MouseEvent
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, OptionList

__all__ = [
    "EVERYWHERE", "LONGEST", "Browsed", "Choices", "Leavable", "Line", "Window", "ending",
    "hand_over",
]  # fmt: skip

Result = TypeVar("Result")
T = TypeVar("T")

LONGEST = 4000  # characters of a line of text: 1,000 widths of three digits

OUTDATED = (InputEvent, Input.Changed, Input.Submitted, OptionList.OptionMessage)


def ending(app: App[Any]) -> bool:
    """Whether the program leaves, so that Textual takes the parts of its screens away."""
    return app._exit or not app.is_running


def hand_over(app: App[Any], screen: Screen[Any], show: Callable[[T], object], seen: T) -> None:
    """Call ``show(seen)`` on the app's thread, unless the screen has gone by then. The thread that
    calls this does not wait (waiting took 378 µs, and for ever while the app was ending)."""

    def act() -> None:
        if screen.is_running and not ending(app):
            with app._context():  # without it Textual does not know to which app a widget belongs
                show(seen)

    if app._loop is not None:
        with suppress(RuntimeError):  # the loop was closed just now
            app._loop.call_soon_threadsafe(act)


class Leavable(Screen[Result]):
    """A screen that is left once. A subclass prepares its parts in `opened`, which is not called
    where the screen was left before they were there; until then only "leave" acts."""

    has_left = False
    _has_opened = False

    def opened(self) -> None:
        """Called once the parts of the screen are there."""

    def on_mount(self, event: Mount) -> None:
        if not self.has_left and self.children and not ending(self.app):
            self._has_opened = True
            self.opened()

    def on_unmount(self) -> None:
        # Textual keeps the lines that 1,024 widgets drew, those of screens that were left too:
        # 800,000 objects after 180 windows, over which the garbage collector took .6 s.
        StylesCache.get_inner_outer.cache_clear()

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Leave with ``result``. Does nothing a second time, or while another screen lies over this
        one: Textual would take that one away instead."""
        if self.has_left or self.app.screen is not self:
            return AwaitComplete()
        self.has_left = True
        return super().dismiss(result)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Textual asks this before each action of a key."""
        if self.has_left or ending(self.app):
            return False
        return self._has_opened or action == "leave"

    async def _on_message(self, message: Message) -> None:
        # What was typed or clicked on a screen that has gone since would look for its parts. At the
        # end of the program Textual takes them away without leaving the screen.
        gone = self.has_left or ending(self.app) or not self.children
        if not (gone and isinstance(message, OUTDATED)):
            await super()._on_message(message)

    def _forward_event(self, event: Event) -> None:
        # What was clicked may have been taken away since it was drawn, and have no parent.
        if isinstance(event, MouseEvent):
            with suppress(NoWidget):
                under, _ = self.get_widget_at(event.x, event.y)
                if under is not self and under.parent is None:
                    return
        super()._forward_event(event)


# Keys of the lab that work on every screen over it.
EVERYWHERE = (
    Binding("ctrl+s", "app.picture", "screenshot", show=False),
    Binding("ctrl+r", "app.record", "record", show=False),
)


class Window(ModalScreen[Result], Leavable[Result]):
    """A small screen over another, which stays visible behind it (the style of the first base)."""

    BINDINGS: ClassVar[list[BindingType]] = [*EVERYWHERE]


EDITS: dict[str, Callable[[Input], None]] = {
    "backspace": Input.action_delete_left,
    "delete": Input.action_delete_right,
    "left": Input.action_cursor_left,
    "right": Input.action_cursor_right,
    "home": Input.action_home,
    "end": Input.action_end,
}


class Line(Input):
    """A line of text of bounded length: each character typed or pasted is checked as a whole."""

    class TooLong(Message):
        """What was typed or pasted would make the line longer than `LONGEST`."""

    def __init__(self, value: str = "", *, placeholder: str = "", select: bool = False) -> None:
        super().__init__(
            value, placeholder=placeholder, max_length=LONGEST, select_on_focus=select, compact=True
        )

    def restricted(self) -> None:
        self.post_message(self.TooLong())

    async def _on_key(self, event: Key) -> None:
        """Edit at once. Textual inserts a letter at once, but a backspace only after the event has
        gone up to the app: of a backspace and a letter in one piece, the letter was deleted."""
        if (edit := EDITS.get(event.key)) is None:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        edit(self)


class Choices(OptionList):
    """A list whose rows may change between what was drawn and what is clicked. Textual's own takes
    the row that was drawn, and looks up the place of rows that have not been laid out yet. With
    ``twice`` a click highlights a row, and a double click takes it."""

    twice = False

    def on_click(self, event: Click) -> None:
        clicked = event.style.meta.get("option")
        if clicked is None:
            return
        if clicked >= self.option_count:
            event.prevent_default()
        elif self.twice and event.chain < 2:
            event.prevent_default()
            if not self.get_option_at_index(clicked).disabled:
                self.highlighted = clicked

    def action_page_up(self) -> None:
        self._page(super().action_page_up, super().action_first)

    def action_page_down(self) -> None:
        self._page(super().action_page_down, super().action_last)

    def _page(self, move: Callable[[], None], end: Callable[[], None]) -> None:
        try:
            move()
        except KeyError:  # the rows have not been laid out yet
            end()


class Browsed(Choices):
    """A list that has the focus itself, without a line to type in: j and k move too, and only a
    double click takes a row."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "down", show=False),
        Binding("k", "cursor_up", "up", show=False),
    ]
    twice = True
