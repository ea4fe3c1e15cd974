"""What a recording shows on top of the program: a demo's caption, and the key that was pressed."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual.app import App
from textual.containers import Container
from textual.css.query import NoMatches
from textual.timer import Timer
from textual.widgets import Static

__all__ = ["Caption", "show_caption", "show_key"]

STAYS = 1.5  # seconds that a pressed key is shown in the corner

_SHOWN = {
    "question_mark": "?", "left_square_bracket": "[", "right_square_bracket": "]", "up": "↑",
    "down": "↓", "left": "←", "right": "→", "full_stop": ".", "underscore": "_",
}  # fmt: skip


class Caption(Static):
    """Two lines below everything else on a screen."""

    DEFAULT_CSS = """
    Caption {
        dock: bottom; height: 2 !important; width: 100%; padding: 0 1;
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
    """Show the caption on the screen that is on top; an empty one removes it."""
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


class PressedKey(Container):
    """The key that was pressed last, in the lower right corner of a screen for a moment."""

    # On Textual's own layer for notices, which every screen has above all others.
    DEFAULT_CSS = """
    PressedKey {
        layer: _toastrack; dock: bottom; height: 1; align-horizontal: right; visibility: hidden;
    }
    PressedKey Static {
        width: auto; padding: 0 1; visibility: visible; text-style: bold;
        background: $primary; color: $background;
    }
    """

    def __init__(self, key: str) -> None:
        super().__init__(Static(Text(_SHOWN.get(key, key)), markup=False))
        self._timer: Timer | None = None

    def on_mount(self) -> None:
        self._timer = self.set_timer(STAYS, self.remove)

    def say(self, key: str) -> None:
        self.query_one(Static).update(Text(_SHOWN.get(key, key)))
        if self._timer is not None:
            self._timer.stop()
            self.on_mount()


async def show_key(app: App[Any], key: str) -> None:
    """Show the key on the screen that is on top."""
    try:
        app.screen.query_one(PressedKey).say(key)
    except NoMatches:
        await app.screen.mount(PressedKey(key))
