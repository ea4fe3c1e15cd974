"""The gallery: the named experiments, grouped by caveat, with what each will show and what cures
it."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Key
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option as ListItem

from caveats.experiments import Experiment, experiments
from caveats_tui.screens.blocks import heading, indented
from caveats_tui.screens.dialogs import sought, typed_ahead
from caveats_tui.screens.pictures import spark_lines
from caveats_tui.screens.windows import Choices, Line, Window
from caveats_tui.text.settings import changes_shown, describe

__all__ = ["Gallery", "fitting"]


def fitting(typed: str) -> list[Experiment]:
    """The experiments whose name, group or sentence contains every typed word."""
    words = sought(typed).replace("_", " ").split()
    return [
        experiment
        for experiment in experiments().values()
        if all(
            word
            in f"{experiment.name} {experiment.group} {experiment.sentence}".lower().replace(
                "_", " "
            )
            for word in words
        )
    ]


class Gallery(Window[Experiment | None]):
    """Type to filter, enter loads the experiment into the lab."""

    DEFAULT_CSS = """
    Gallery { align: center middle; }
    Gallery > Vertical {
        width: 96%; max-width: 130; height: 94%; max-height: 44;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Gallery Input { height: 1; background: $panel; }
    Gallery Horizontal { margin-top: 1; }
    Gallery OptionList { border: none; width: 34; height: 1fr; padding: 0; }
    Gallery VerticalScroll { width: 1fr; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave"),
        Binding("down", "move(1)", "down", priority=True),
        Binding("up", "move(-1)", "up", priority=True),
    ]

    def __init__(self, *, plain: bool) -> None:
        super().__init__()
        self._plain = plain
        self._shown: list[Experiment | None] = []  # None stands for a group's heading
        self._typed = ""  # what the list was filtered by

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "experiments"
            box.border_subtitle = "type to filter · ↑ ↓ move · enter loads · escape leaves"
            yield Line(placeholder="type to filter")
            with Horizontal():
                yield Choices(markup=False)
                with VerticalScroll(can_focus=False):
                    yield Static("", id="story", markup=False)

    def opened(self) -> None:
        self._fill("")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._fill(event.value)

    async def on_key(self, event: Key) -> None:
        await typed_ahead(self, event)

    def _fill(self, typed: str) -> None:
        self._typed = typed
        self._shown = []
        items: list[ListItem] = []
        group = ""
        for experiment in fitting(typed):
            if experiment.group != group:
                group = experiment.group
                self._shown.append(None)
                items.append(ListItem(Text(group, style="bold"), disabled=True))
            self._shown.append(experiment)
            items.append(ListItem(f"  {experiment.name}"))
        view = self.query_one(Choices)
        view.clear_options()
        view.add_options(items or [ListItem("no experiment fits", disabled=True)])
        first = next((i for i, e in enumerate(self._shown) if e is not None), None)
        view.highlighted = first
        self._tell()

    @property
    def _current(self) -> Experiment | None:
        at = self.query_one(Choices).highlighted
        return None if at is None or at >= len(self._shown) else self._shown[at]

    @on(OptionList.OptionHighlighted)
    def _tell(self) -> None:
        experiment = self._current
        story = self.query_one("#story", Static)
        story.update("" if experiment is None else told(experiment, self._plain))

    def action_move(self, direction: int) -> None:
        view = self.query_one(Choices)
        at = view.highlighted
        while at is not None and 0 <= at + direction < len(self._shown):
            at += direction
            if self._shown[at] is not None:
                view.highlighted = at
                return

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def _take(self, event: Input.Submitted | OptionList.OptionSelected) -> None:
        if isinstance(event, Input.Submitted) and event.value != self._typed:
            self._fill(event.value)  # enter was typed so fast that the filter has not run yet
        if self._current is not None:
            self.dismiss(self._current)

    def action_leave(self) -> None:
        self.dismiss(None)


def told(experiment: Experiment, plain: bool) -> Group:
    """The text about an experiment, and its small picture."""
    cure = changes_shown(experiment.cure, experiment.config)
    parts: list[RenderableType] = [
        Text(experiment.name, style="bold"),
        heading("what will happen"),
        indented(experiment.sentence),
        *spark_lines(experiment.name, plain),
        heading("setup"),
        indented(describe(experiment.config, None)),
        heading("cure (f)"),
        indented(cure or "none: this one is to be observed"),
        heading("lesson"),
        indented(experiment.lesson),
    ]
    return Group(*parts)
