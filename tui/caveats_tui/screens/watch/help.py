"""All keys of the screen of a watched command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from caveats_tui.screens.windows import Window

__all__ = ["WatchHelp"]

SHOWN = {
    "slash": "/", "comma": ",", "full_stop": ".", "greater_than_sign": ">", "question_mark": "?",
    "less_than_sign": "<", "x,enter": "x, enter", "question_mark,f1": "?, F1",
    "l,L": "l, L",
}  # fmt: skip
READ = (
    "In the list of layers: dead is the share of units that nothing passes, ‖dW‖ the length of the "
    "gradient, step what the optimizer changed of the weights, ? what cannot be seen. Arrows and "
    "page keys scroll what has the focus; tab moves it."
)


class WatchHelp(Window[None]):
    DEFAULT_CSS = """
    WatchHelp { align: center middle; }
    WatchHelp > VerticalScroll {
        width: 90%; max-width: 80; height: auto; max-height: 92%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "leave", "leave"),
    ]

    def __init__(self, keys: Sequence[Binding]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "keys"
            box.border_subtitle = "arrows scroll · escape leaves"
            yield Static(self._text(), markup=False)

    def _text(self) -> Text:
        text = Text()
        for key in self._keys:
            text.append(f"{SHOWN.get(key.key, key.key):<9}", style="bold")
            text.append(f"{key.description}\n")
        return text.append(f"\n{READ}", style="dim")

    def opened(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_leave(self) -> None:
        self.dismiss(None)
