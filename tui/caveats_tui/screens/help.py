"""The help window, made from the tables of keys and of measures: first the keys that matter where
it was opened. "/" searches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.padding import Padding
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, Static

from caveats.measures import LAYER_MEASURES, SCALARS
from caveats_tui.keys import table, told
from caveats_tui.screens.blocks import TwoColumns, heading
from caveats_tui.screens.windows import Line, Window

__all__ = ["Help", "Part", "help_text", "lab_keys", "numbers_and_marks"]

# A heading, and rows of a name, its sentence, and a word by which a search finds it too.
Part = tuple[str, Sequence[tuple[str, str, str]]]

COLOURS = (
    ("layers", "Coloured first to last from violet to yellow, the output in white or black. Curves "
     "that share cells take turns in them; 1=2 names two that end together, 1–7 all from the first "
     "to the seventh.", ""),
    ("ghost", "An earlier run, dim and dotted; before: says what was otherwise in it. If its loss "
     "has another unit, as with a scaled target, it stands as many times above a guess as it did.",
     ""),
    ("expected", "▸ marks on the axis what theory expects of each layer at step 0; across layers "
     "it is a dotted line, in a band that holds about 95 % of networks.", "theory"),
    ("chart 3", "train is the probe set, held out (dim) the rows kept apart. The accuracy belongs "
     "to the axis at the right; guess is the loss of a network that ignores its input, data allow "
     "that of kernel regression on the same rows.", "loss validation"),
    ("0 and ×", "The row 0 below a log axis is for exact zeros; × at a chart's edge marks a number "
     "that is not finite.", ""),
    ("sharpness", "Its limit is where the optimizer's steps begin to overshoot: 2/lr for plain "
     "descent.", ""),
    ("noise scale", "The rows at which a batch's gradient is as much noise as signal, read on the "
     "probe set while this view is open. The gradient of a batch far below it is mostly noise; far "
     "above it a larger batch hardly helps.", "batch size"),
    ("neuron map", "A unit that is alive is filled by how often it fires. Where units share a "
     "cell, its height and colour are the share of them in the worst state; 44/64 at the end of a "
     "row counts them.", "dead"),
    ("boundary", "Strong where the network is sure of a class, dark (on a light theme: pale) where "
     "it is not.", "confidence"),
    ("maps", "Layers × steps, from dark blue (few dead units, small gradients) to yellow; where a "
     "cell stands for several values it shows the worst: the most dead, the smallest gradient.",
     "heat map"),
)  # fmt: skip


def lab_keys() -> list[Part]:
    return [(f"all keys of the lab: {group}", told(keys)) for group, keys in table()]


def numbers_and_marks() -> list[Part]:
    """What help says wherever there are charts."""
    measures = (*SCALARS.values(), *LAYER_MEASURES.values())
    return [
        ("what is measured", [(m.name, m.meaning, "") for m in measures]),
        ("what colours and marks mean", COLOURS),
    ]


def help_text(parts: Sequence[Part], typed: str = "") -> Group:
    """The rows of ``parts`` that hold every ``typed`` word, below their headings."""
    words = typed.lower().split()
    shown: list[RenderableType] = []
    for title, rows in parts:
        fitting = [row for row in rows if all(word in " ".join(row).lower() for word in words)]
        if fitting:
            shown += [heading(title), TwoColumns([(name, said) for name, said, _ in fitting])]
    return Group(*shown or [Padding("no line of help holds this", (1, 0, 0, 0))])


class Help(Window[None]):
    """Shows ``parts``; the keys of the place where help was asked for come first."""

    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > Vertical {
        width: 90%; max-width: 100; height: 92%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Help Input { height: 1; background: $panel; }
    Help VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    Help Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "leave"),
        Binding("q,question_mark,f1", "leave", "leave"),
        Binding("slash", "search", "search"),
        Binding("j", "scroll(1)", "down"),
        Binding("k", "scroll(-1)", "up"),
    ]

    AUTO_FOCUS = "VerticalScroll"  # else what is typed at once would go into the line above it

    def __init__(self, *parts: Part) -> None:
        super().__init__()
        self._parts = parts

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "help"
            box.border_subtitle = "/ searches · arrows scroll · escape leaves"
            yield Line(placeholder="/ and a few letters show only the lines that hold them")
            with VerticalScroll():
                yield Static(help_text(self._parts), markup=False)

    def opened(self) -> None:
        self.query_one(VerticalScroll).focus()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self.query_one(Static).update(help_text(self._parts, event.value))
        self.query_one(VerticalScroll).scroll_home(animate=False)

    @on(Input.Submitted)
    def _searched(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_search(self) -> None:
        self.query_one(Input).focus()

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_back(self) -> None:
        """Escape ends the search first."""
        line = self.query_one(Input)
        if line.has_focus or line.value:
            line.value = ""
            self.query_one(VerticalScroll).focus()
        else:
            self.dismiss(None)

    def action_leave(self) -> None:
        self.dismiss(None)
