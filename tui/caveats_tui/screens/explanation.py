"""The windows about verdicts: one explains a verdict, one lists its remedies.

Words and numbers come from the verdict and its caveat, the chart from the run's records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option as ListItem

from caveats.config import RunConfig
from caveats.documents import short
from caveats.verdicts import CAVEATS, Remedy, Verdict
from caveats_tui.bench.race import Offer
from caveats_tui.charts.figures import Figure, counted, layerwise, loss
from caveats_tui.charts.spec import Look
from caveats_tui.charts.trace import Trace
from caveats_tui.charts.widget import RowsView
from caveats_tui.screens.blocks import heading, indented
from caveats_tui.screens.windows import Choices, Window
from caveats_tui.text.settings import changes_shown

if TYPE_CHECKING:
    from caveats_tui.charts.process import ChartProcess

__all__ = ["EVIDENCE", "SYMBOLS", "Explain", "RemedyList", "verdict_line"]

SYMBOLS = {"critical": "✖", "warning": "▲", "note": "·"}
PLAIN_SYMBOLS = {"critical": "X", "warning": "!", "note": "-"}

AGAIN = 0.25  # seconds between two looks at the race

_LOSS = Figure("loss", loss, log=True)

# The chart over the steps that shows each caveat best.
EVIDENCE: dict[str, Figure] = {
    "dying_relu": Figure("dead units by layer", counted("dead")),
    "vanishing_gradient": Figure("delta by layer", layerwise("delta_rms"), log=True),
    "exploding_gradient": Figure("delta by layer", layerwise("delta_rms"), log=True),
    "saturation": Figure("saturated units by layer", counted("saturated")),
    "symmetry": Figure("distinct units by layer", counted("distinct")),
    "not_zero_centred": Figure("mean fraction of layer inputs", layerwise("mean_fraction")),
    "dormant": Figure("dormant units by layer", counted("dormant")),
    "step_too_small": Figure("update/weight by layer", layerwise("update_ratio"), log=True),
    "step_too_large": Figure("update/weight by layer", layerwise("update_ratio"), log=True),
}


def verdict_line(verdict: Verdict, config: RunConfig, more: int, width: int, plain: bool) -> Text:
    """✖ dying ReLU  layer 3: 61 of 64 units dead …   f: lr 0.3 → 0.003 (+1).

    The title is always whole. What was found is cut where the line is short, and the remedy where
    it would not leave it a third of the line.
    """
    symbol = (PLAIN_SYMBOLS if plain else SYMBOLS)[verdict.severity]
    change = verdict.next[0].change if verdict.next else {}
    fix = f"  f: {changes_shown(change, config)}" if change else ""
    others = f" (+{more})" if more else ""
    text = Text(f" {symbol} {verdict.title}  ", style="bold" * (verdict.severity != "note"))
    most = width - len(others) - 1 - max(len(text), min(width // 3, len(text) + len(verdict.what)))
    if len(fix) > most:
        fix = fix[: max(0, most - 1)] + ("~" if plain else "…")
    text.append(verdict.what, style="not bold")
    text.truncate(max(0, width - len(fix) - len(others) - 1), overflow="ellipsis")
    text.append(fix, style="bold")
    text.append(others, style="dim")
    return text


def numbers(verdict: Verdict) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value:,}" if isinstance(value, int)
        else f"{name.replace('_', ' ')} {short(value)}"
        for name, value in verdict.evidence.items()
    )  # fmt: skip


def since(verdict: Verdict, trace: Trace) -> str:
    """From which step on the verdict holds, and of which step its numbers are."""
    newest = int(trace.seen.steps[-1])
    if verdict.step == newest:
        return f"found at step {newest:,}"
    return f"found first at step {verdict.step:,}; the numbers are those of step {newest:,}"


class Explain(Window[None]):
    """One verdict in full: what to try, a chart, why, definition, this run's numbers, limits,
    source."""

    DEFAULT_CSS = """
    Explain { align: center middle; }
    Explain > VerticalScroll {
        width: 94%; max-width: 110; height: 94%;
        border: round $warning; background: $surface; padding: 0 1;
    }
    Explain VerticalScroll { scrollbar-gutter: stable; scrollbar-size-vertical: 1; }
    Explain Static { height: auto; }
    Explain RowsView { height: 12; margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "leave"),
        Binding("n", "turn(1)", "next verdict"),
        Binding("p", "turn(-1)", "verdict before"),
    ]

    def __init__(
        self, verdicts: tuple[Verdict, ...], trace: Trace, config: RunConfig,
        charts: ChartProcess, look: Look,
    ) -> None:  # fmt: skip
        super().__init__()
        self._verdicts, self._trace, self._config = verdicts, trace, config
        self._charts, self._look, self._at = charts, look, 0

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(id="upper", markup=False)
            yield RowsView("drawing", id="chart-explain")
            yield Static(id="lower", markup=False)

    def opened(self) -> None:
        self.query_one(VerticalScroll).focus()
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        verdict = self._verdicts[self._at]
        caveat = CAVEATS[verdict.caveat]
        box = self.query_one(VerticalScroll)
        box.border_title = Content(f"{verdict.title}: {verdict.severity}")
        many = (
            f"{self._at + 1} of {len(self._verdicts)}: n next, p before · "
            if self._verdicts[1:]
            else ""
        )
        box.border_subtitle = Content(f"{many}escape leaves")
        upper: list[RenderableType] = [
            heading("what"),
            indented(verdict.what),
            indented(since(verdict, self._trace)),
            heading("what to try, the likeliest first"),
        ]
        for remedy in verdict.next:
            change = changes_shown(remedy.change, self._config) if remedy.change else "no setting"
            upper.append(indented(f"{change}: {remedy.reason}"))
        if not verdict.next:
            upper.append(indented("nothing in the setup would help more than waiting"))
        lower: list[RenderableType] = [
            heading("why"),
            indented(verdict.why),
            heading("definition"),
            indented(caveat.definition),
            heading("formula, and this run's numbers"),
            indented(caveat.formula),
            indented(numbers(verdict)),
            heading("limits"),
            indented(caveat.limits),
            heading("source"),
            indented(caveat.source),
        ]
        self.query_one("#upper", Static).update(Group(*upper))
        self.query_one("#lower", Static).update(Group(*lower))
        view = self.query_one(RowsView)
        figure = EVIDENCE.get(verdict.caveat, _LOSS)
        view.wait("drawing")
        size = view.content_size
        look = Look(size.width, size.height, self._look.dark, figure.log, self._look.charset)
        self._charts.submit("chart-explain", figure.make(self._trace, None, look, None))

    def action_turn(self, direction: int) -> None:
        self._at = (self._at + direction) % len(self._verdicts)
        self._show()

    def action_leave(self) -> None:
        self.dismiss(None)


class RemedyList(Window[Remedy | None]):
    """The remedies of a verdict, with what a race finds of each while the list is open; returns the
    chosen one. ``offer`` is asked again and again."""

    DEFAULT_CSS = """
    RemedyList { align: center middle; }
    RemedyList > Vertical {
        width: 90%; max-width: 90; height: auto; max-height: 90%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    RemedyList Static { height: auto; color: $text-muted; }
    RemedyList OptionList { border: none; height: auto; max-height: 20; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave")]

    def __init__(self, title: str, config: RunConfig, offer: Callable[[], Offer]) -> None:
        super().__init__()
        self._title, self._config, self._ask = title, config, offer
        self._offer = offer()

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(f"what could cure {self._title}")
            box.border_subtitle = "enter tries one · escape leaves"
            yield Static(self._offer.race, markup=False)
            yield Choices(*self._rows(), markup=False)

    def opened(self) -> None:
        self.query_one(Static).display = bool(self._offer.race)
        self.set_interval(AGAIN, self.look)

    def look(self) -> None:
        """Show what the race has found since; the highlighted remedy stays highlighted."""
        if (offer := self._ask()) == self._offer or self.has_left:
            return
        choices = self.query_one(Choices)
        at = choices.highlighted
        current = None if at is None else self._offer.remedies[at][0]
        self._offer = offer
        about = self.query_one(Static)
        about.update(offer.race)
        about.display = bool(offer.race)
        choices.set_options(self._rows())
        order = [remedy for remedy, _ in offer.remedies]
        choices.highlighted = order.index(current) if current in order else 0

    def _rows(self) -> list[ListItem]:
        return [
            ListItem(
                Group(
                    Text(changes_shown(remedy.change, self._config), style="bold"),
                    *([Padding(Text(race), (0, 0, 0, 4))] if race else []),
                    Padding(Text(remedy.reason), (0, 0, 0, 4)),
                )
            )
            for remedy, race in self._offer.remedies
        ]

    @on(OptionList.OptionSelected)
    def _took(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._offer.remedies[event.option_index][0])

    def action_leave(self) -> None:
        self.dismiss(None)
