"""The help window, made from the tables of keys and of measures."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group, RenderableType
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from caveats.measures import LAYER_MEASURES, SCALARS
from caveats_tui.keys import table
from caveats_tui.screens.blocks import heading, indented, two_columns
from caveats_tui.screens.windows import Window

__all__ = ["Help", "help_text"]


COLOURS = (
    "Layers are coloured first to last from violet to yellow, the output in white or black; the "
    "ghost is dim. In chart 3 the accuracy belongs to the axis at the right; guess is the loss of "
    "a network that ignores its input, data allow that of kernel regression on the same rows. "
    "× at a chart's edge marks a number that is not finite, ▾ one that is 0 on a log axis. "
    "A map of layers × steps goes from dark blue (few dead units, small gradients) to yellow; "
    "where a cell stands for several values it shows the worst: the most dead, the smallest "
    "gradient."
)


def help_text() -> Group:
    """The keys by group, and what each measure means."""
    parts: list[RenderableType] = []
    for group, keys in table():
        parts += [heading(group), two_columns([(k.shown, k.sentence) for k in keys])]
    measures = (*SCALARS.values(), *LAYER_MEASURES.values())
    parts += [
        heading("what is measured"),
        two_columns([(m.name, m.meaning) for m in measures]),
        heading("what colours and marks mean"),
        indented(COLOURS),
    ]
    return Group(*parts)


class Help(Window[None]):
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

    def opened(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_leave(self) -> None:
        self.dismiss(None)
