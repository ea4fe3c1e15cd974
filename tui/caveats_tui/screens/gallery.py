"""The gallery: the named experiments, grouped by caveat, with what each will show and what cures
it; where there is room, with the two charts that matter, as it is and with the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key, Resize
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option as ListItem

from caveats.experiments import Experiment, experiments
from caveats_tui.charts.palette import rgb
from caveats_tui.charts.spec import Charset, Look
from caveats_tui.charts.widget import RowsView
from caveats_tui.screens.blocks import heading, indented
from caveats_tui.screens.dialogs import sought, typed_ahead
from caveats_tui.screens.pictures import AS_IT_IS, CURED, Picture, colour, pictures, spark_lines
from caveats_tui.screens.windows import Browsed, Line, Window
from caveats_tui.text.settings import changes_shown, describe

if TYPE_CHECKING:
    from caveats_tui.charts.process import ChartProcess

__all__ = ["Gallery", "fitting"]

ROOMY = 96, 32  # columns and rows of the terminal: from here on there is room for the charts
NARROW = 76  # columns below which the longer of the two hints is cut
HINTS = (
    "to observe, not to cure · ↑ ↓ move · enter loads · escape leaves",
    "to observe · enter loads · escape leaves",
)


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
        width: 96%; max-width: 180; height: 94%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Gallery Input { height: 1; background: $panel; }
    Gallery Horizontal { margin-top: 1; }
    Gallery OptionList, Gallery OptionList:focus { border: none; width: 29; height: 1fr; padding: 0;
        scrollbar-size-vertical: 1; }
    Gallery #page { width: 1fr; margin: 0; }
    Gallery VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    Gallery #pair { height: 1fr; display: none; }
    Gallery RowsView { border: round $border-blurred; border-title-color: $foreground; }
    Gallery.-roomy VerticalScroll { height: auto; max-height: 60%; }
    Gallery.-roomy #pair { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave"),
        Binding("down", "move(1)", "down", priority=True),
        Binding("up", "move(-1)", "up", priority=True),
    ]

    def __init__(self, charts: ChartProcess, charset: Charset) -> None:
        super().__init__()
        self._charts, self._charset, self._plain = charts, charset, charset == "ascii"
        self._shown: list[Experiment | None] = []  # None stands for a group's heading
        self._typed = ""  # what the list was filtered by

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "experiments"
            box.border_subtitle = Content(self._hint(self.app.size.width))
            yield Line(placeholder="type to filter")
            with Horizontal():
                yield Browsed(markup=False)
                with Vertical(id="page"):
                    with VerticalScroll(can_focus=False):
                        yield Static("", id="story", markup=False)
                    with Vertical(id="pair"):
                        for number in (0, 1):
                            yield RowsView("drawing", id=f"chart-gallery-{number}")

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
            mark = " " if experiment.cure else "o" if self._plain else "○"
            items.append(ListItem(f"{mark} {experiment.name}"))
        view = self.query_one(Browsed)
        view.clear_options()
        view.add_options(items or [ListItem("no experiment fits", disabled=True)])
        first = next((i for i, e in enumerate(self._shown) if e is not None), None)
        view.highlighted = first
        self._tell()

    @property
    def _current(self) -> Experiment | None:
        at = self.query_one(Browsed).highlighted
        return None if at is None or at >= len(self._shown) else self._shown[at]

    @on(OptionList.OptionHighlighted)
    def _tell(self) -> None:
        experiment = self._current
        story = self.query_one("#story", Static)
        roomy = self.has_class("-roomy")
        story.update("" if experiment is None else told(experiment, self._plain, sparks=not roomy))
        if roomy:
            self.call_after_refresh(self._draw)

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width >= ROOMY[0] and event.size.height >= ROOMY[1], "-roomy")
        if self.query("#story") and not self.has_left:  # else it is not there yet, or no more
            self.query_one(Vertical).border_subtitle = Content(self._hint(event.size.width))
            self._tell()

    def _hint(self, columns: int) -> str:
        return f"{'o' if self._plain else '○'} {HINTS[columns < NARROW]}"

    def _draw(self) -> None:
        """Ask for the charts of the highlighted experiment."""
        views = list(self.query(RowsView))
        if self.has_left or not views or (experiment := self._current) is None:
            return
        dark = self.app.current_theme.dark
        for view, picture in zip(views, pictures(experiment.name), strict=True):
            size = view.content_size
            view.border_title = Content.assemble(heads(picture, dark))
            if size.width and size.height:
                look = Look(size.width, size.height, dark, charset=self._charset)
                self._charts.submit(view.id or "", picture.chart(look))

    def action_move(self, direction: int) -> None:
        view = self.query_one(Browsed)
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


def heads(picture: Picture, dark: bool) -> Content:
    """The title of a chart, and which curve is which."""
    parts: list[Content | tuple[str, str]] = [Content(f"{picture.title}: ")]
    for kind, words in ((AS_IT_IS, "as it is"), (CURED, "with the cure")):
        if kind in picture.curves:
            red, green, blue = rgb(colour(kind, dark))
            label = picture.ends(kind)
            parts.append((f" {words}{label}  ", f"bold #{red:02x}{green:02x}{blue:02x}"))
    return Content.assemble(*parts)


def told(experiment: Experiment, plain: bool, *, sparks: bool) -> Group:
    """The text about an experiment, with its small pictures where there are no charts."""
    cure = changes_shown(experiment.cure, experiment.config)
    parts: list[RenderableType] = [
        Text(experiment.name, style="bold"),
        heading("what will happen"),
        indented(experiment.sentence),
        *(spark_lines(experiment.name, plain) if sparks else ()),
        heading("setup"),
        indented(describe(experiment.config, None)),
        heading("cure (f)"),
        indented(cure or "none: this one is to be observed"),
        heading("lesson"),
        indented(experiment.lesson),
    ]
    return Group(*parts)
