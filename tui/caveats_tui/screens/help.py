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
    "Layers are coloured first to last from violet to yellow, the output in white or black. "
    "Curves that share cells take turns in them; 1=2 names two that end together, 1–7 all from the "
    "first to the seventh. The ghost is dim and dotted, and before: says what was otherwise in its "
    "run. ▸ and the word expected mark on the axis what theory expects of each layer at step 0; "
    "across layers it is a dotted line, in a band that holds about 95 % of networks. The row 0 "
    "below a log axis is for exact zeros; × at a chart's edge marks a number that is not finite. "
    "In chart 3 train is the probe set, held out (dim) the rows kept apart; the accuracy belongs "
    "to the axis at the right; guess is the loss of a network that ignores its input, data allow "
    "that of kernel regression on the same rows. The limit of the sharpness is where the "
    "optimizer's steps begin to overshoot: 2/lr for plain descent. "
    "In the neuron map a unit that is alive is filled by how often it fires; where units share a "
    "cell, its height and colour are the share of them in the worst state, and 44/64 at the end "
    "of a row counts them. The decision boundary is strong where the network is sure of a class "
    "and dark (on a light theme: pale) where it is not. "
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
