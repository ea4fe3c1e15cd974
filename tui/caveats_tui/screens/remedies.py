"""The window that lists the remedies of a verdict, and shows their race as curves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option as ListItem

from caveats.config import RunConfig
from caveats.verdicts import Remedy
from caveats_tui.bench.race import Offer
from caveats_tui.charts.race import WINS, lane_colour, race_chart
from caveats_tui.charts.spec import Look
from caveats_tui.charts.widget import RowsView
from caveats_tui.screens.windows import Browsed, Window
from caveats_tui.text.settings import changes_shown

if TYPE_CHECKING:
    from caveats_tui.charts.process import ChartProcess

__all__ = ["RemedyList"]

AGAIN = 0.25  # seconds between two looks at the race
CHART = "chart-race"
BESIDE, LOW = 100, 20  # columns from which the chart stands beside the list, rows for a tall one


class RemedyList(Window[Remedy | None]):
    """The remedies of a verdict, with what a race finds of each while the list is open; returns the
    chosen one. ``offer`` is asked again and again. The number before a remedy is that of its
    curve."""

    DEFAULT_CSS = """
    RemedyList { align: center middle; }
    RemedyList > Vertical {
        width: 90%; max-width: 90; height: auto; max-height: 90%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    RemedyList Static { height: auto; color: $text-muted; }
    RemedyList Container { height: auto; layout: vertical; }
    RemedyList OptionList { height: auto; max-height: 20; padding: 0; scrollbar-gutter: stable; }
    RemedyList OptionList, RemedyList OptionList:focus { border: none; }
    RemedyList RowsView { display: none; height: 9; }
    RemedyList.races RowsView { display: block; }
    RemedyList.races > Vertical { width: 96%; max-width: 140; max-height: 100%; }
    RemedyList.races OptionList { max-height: 9; }
    RemedyList.races.low RowsView { height: 5; }
    RemedyList.races.low OptionList { max-height: 4; }
    RemedyList.races.wide Container { layout: horizontal; }
    RemedyList.races.wide OptionList { width: 1fr; max-height: 24; }
    RemedyList.races.wide RowsView { width: 1fr; height: 20; margin-left: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave")]

    def __init__(
        self,
        title: str,
        config: RunConfig,
        offer: Callable[[], Offer],
        charts: ChartProcess,
        look: Look,
    ) -> None:
        super().__init__()
        self._title, self._config, self._ask = title, config, offer
        self._charts, self._look = charts, look
        self._offer = offer()
        self._drawn: object = None  # what the chart was asked to show

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(f"what could cure {self._title}")
            box.border_subtitle = "enter tries one · escape leaves"
            yield Static(self._offer.race, markup=False)
            with Container():
                yield Browsed(*self._rows(), markup=False)
                yield RowsView("the race begins", id=CHART)

    def opened(self) -> None:
        self.query_one(Static).display = bool(self._offer.race)
        self._arrange()
        self.set_interval(AGAIN, self.look)
        self.call_after_refresh(self._draw)

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        self.set_class(self._offer.draws, "races")
        self.set_class(self.size.width >= BESIDE, "wide")
        self.set_class(self.size.height < LOW, "low")

    def look(self) -> None:
        """Show what the race has found since; the highlighted remedy stays highlighted."""
        if self.has_left:
            return
        if (offer := self._ask()) != self._offer:
            choices = self.query_one(Browsed)
            at = choices.highlighted
            current = None if at is None else self._offer.remedies[at][0]
            self._offer = offer
            about = self.query_one(Static)
            about.update(offer.race)
            about.display = bool(offer.race)
            self._arrange()
            choices.set_options(self._rows())
            order = [remedy for remedy, _ in offer.remedies]
            choices.highlighted = order.index(current) if current in order else 0
        self._draw()

    def _draw(self) -> None:
        """Ask for the chart, where it has changed, in its curves or in its size."""
        course, size = self._offer.course, self.query_one(RowsView).content_size
        wanted = course, size
        if course is None or not size.width or not size.height or wanted == self._drawn:
            return
        self._drawn = wanted
        look = Look(size.width, size.height, self._look.dark, True, self._look.charset)
        self._charts.submit(CHART, race_chart(course, look))

    def _rows(self) -> list[ListItem]:
        return [
            ListItem(
                Group(
                    self._head(number, remedy),
                    *([Padding(Text(race), (0, 0, 0, 4))] if race else []),
                    Padding(Text(remedy.reason), (0, 0, 0, 4)),
                )
            )
            for number, (remedy, race) in enumerate(self._offer.remedies, 1)
        ]

    def _head(self, number: int, remedy: Remedy) -> Text | Table:
        change = Text(changes_shown(remedy.change, self._config), style="bold")
        if not self._offer.draws:
            return change
        wins = number == self._offer.winner
        colour = lane_colour(number, wins, dark=self._look.dark)
        label = f"{number}{WINS if wins else ''}".ljust(4)
        head = Table.grid()
        head.add_column(width=len(label))
        head.add_column()
        head.add_row(Text(label, f"bold color({colour})"), change)
        return head

    @on(OptionList.OptionSelected)
    def _took(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._offer.remedies[event.option_index][0])

    def action_leave(self) -> None:
        self.dismiss(None)
