"""The line of a demo that says what is going on and which key was pressed. It knows no script."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual.app import App
from textual.css.query import NoMatches
from textual.widgets import Static

__all__ = ["Caption", "show_caption"]

_SHOWN = {
    "question_mark": "?", "left_square_bracket": "[", "right_square_bracket": "]", "up": "↑",
    "down": "↓", "left": "←", "right": "→", "full_stop": ".", "underscore": "_",
}  # fmt: skip


class Caption(Static):
    """Two lines below everything else on a screen."""

    DEFAULT_CSS = """
    Caption {
        dock: bottom; height: 2; width: 100%; padding: 0 1;
        background: $primary; color: $background;
    }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._said = Text()

    def say(self, sentence: str, key: str) -> None:
        text = Text(sentence)
        if key:
            text = Text.assemble((f" {_SHOWN.get(key, key)} ", "bold reverse"), "  ", text)
        if text != self._said:  # Static repaints even where nothing changed
            self._said = text
            self.update(text)


async def show_caption(app: App[Any], sentence: str, key: str = "") -> None:
    """Show it on the present screen, whichever that is; an empty one goes away."""
    try:
        caption = app.screen.query_one(Caption)
    except NoMatches:
        if not sentence:
            return
        caption = Caption()
        await app.screen.mount(caption)
    if sentence:
        caption.say(sentence, key)
    else:
        await caption.remove()
