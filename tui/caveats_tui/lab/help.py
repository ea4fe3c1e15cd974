"""The help window, made from the table of keys, the measures and the states; it holds no facts."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from caveats.measures import LAYER_MEASURES, SCALARS
from caveats_tui.keys import table

__all__ = ["Help", "help_text"]


def help_text() -> Text:
    """Keys by group, then what each number means."""
    text = Text()
    for group, keys in table():
        text.append(f"{group}\n", style="bold underline")
        for key in keys:
            text.append(f"  {key.shown:<8}", style="bold")
            text.append(f"{key.sentence}\n")
        text.append("\n")
    text.append("what is measured\n", style="bold underline")
    for measure in (*SCALARS.values(), *LAYER_MEASURES.values()):
        text.append(f"  {measure.name:<17}", style="bold")
        text.append(f"{measure.meaning}\n")
    text.append(
        "\nLayers are coloured first to last from violet to yellow; the ghost is dim. "
        "× at a chart's edge marks a number that is not finite, ▾ one that is 0 on a log axis.\n"
    )
    return text


class Help(ModalScreen[None]):
    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > VerticalScroll {
        width: 90%; max-width: 100; height: 92%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "leave", "leave"),
    ]

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "help"
            box.border_subtitle = "arrows scroll · escape leaves"
            yield Static(help_text(), markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_leave(self) -> None:
        self.dismiss(None)
