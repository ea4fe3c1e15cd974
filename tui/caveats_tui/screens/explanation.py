"""The window that explains a verdict, and the line that names it.

Words and numbers come from the verdict and its caveat, the chart from the run's records.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from caveats.config import RunConfig
from caveats.documents import short
from caveats.verdicts import CAVEATS, Verdict
from caveats_tui.charts.lab_charts import Figure, counted, layerwise, loss
from caveats_tui.charts.spec import Look
from caveats_tui.charts.trace import Trace
from caveats_tui.charts.widget import RowsView
from caveats_tui.screens.blocks import heading, indented
from caveats_tui.screens.windows import Window
from caveats_tui.text.settings import changes_shown

if TYPE_CHECKING:
    from caveats_tui.charts.process import ChartProcess

__all__ = ["EVIDENCE", "MOST_LINES", "SYMBOLS", "Case", "Explain", "verdict_lines"]

MOST_LINES = 3  # of the message: one for what was found, two for the remedy

SYMBOLS = {"critical": "✖", "warning": "▲", "note": "·"}
PLAIN_SYMBOLS = {"critical": "X", "warning": "!", "note": "-"}

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


def verdict_lines(verdict: Verdict, config: RunConfig, more: int, width: int, plain: bool) -> Text:
    """✖ dying ReLU +1  layer 3: 61 of 64 units dead …   f: lr 0.3 → 0.003.

    ``more`` other verdicts are counted behind the title. Where one line is too short, the remedy
    has the lines below, and all of it is shown. What was found is cut at the end of the first line.
    """
    symbol = (PLAIN_SYMBOLS if plain else SYMBOLS)[verdict.severity]
    change = verdict.next[0].change if verdict.next else {}
    fix = f"f: {changes_shown(change, config)}" if change else ""
    others = f" +{more}" if more else ""
    text = Text(f" {symbol} {verdict.title}{others}  ", style="bold" * (verdict.severity != "note"))
    text.append(verdict.what, style="not bold")
    apart = "  " * bool(fix)
    if len(text) + len(apart + fix) < width:
        return text.append(apart + fix, style="bold")
    text.truncate(max(0, width - 1), overflow="ellipsis")
    room = max(1, width - 4)  # a terminal may have one column
    below = textwrap.wrap(fix, room, break_on_hyphens=False)[: MOST_LINES - 1]
    return text.append("".join(f"\n   {line}" for line in below), style="bold")


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


@dataclass(frozen=True, slots=True)
class Case:
    """A verdict with the records and the setup of its run; ``whose`` says which run that is, if not
    the present one."""

    verdict: Verdict
    trace: Trace
    config: RunConfig
    whose: str = ""


class Explain(Window[None]):
    """One case in full: what to try, a chart, why, definition, this run's numbers, limits,
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

    def __init__(self, cases: tuple[Case, ...], charts: ChartProcess, look: Look) -> None:
        super().__init__()
        self._cases, self._charts, self._look, self._at = cases, charts, look, 0

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(id="upper", markup=False)
            yield RowsView("drawing", id="chart-explain")
            yield Static(id="lower", markup=False)

    def opened(self) -> None:
        self.query_one(VerticalScroll).focus()
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        case = self._cases[self._at]
        verdict = case.verdict
        caveat = CAVEATS[verdict.caveat]
        box = self.query_one(VerticalScroll)
        whose = f" · {case.whose}" if case.whose else ""
        box.border_title = Content(f"{verdict.title}: {verdict.severity}{whose}")
        many = (
            f"{self._at + 1} of {len(self._cases)}: n next, p before · " if self._cases[1:] else ""
        )
        box.border_subtitle = Content(f"{many}escape leaves")
        upper: list[RenderableType] = [
            heading("what"),
            indented(verdict.what),
            indented(since(verdict, case.trace)),
            heading("what to try, the likeliest first"),
        ]
        for remedy in verdict.next:
            # A script has no settings that could be changed: there the advice stands alone.
            change = f"{changes_shown(remedy.change, case.config)}: " if remedy.change else ""
            upper.append(indented(change + remedy.reason))
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
        self._charts.submit("chart-explain", figure.make(case.trace, None, look, None))

    def action_turn(self, direction: int) -> None:
        self._at = (self._at + direction) % len(self._cases)
        self._show()

    def action_leave(self) -> None:
        self.dismiss(None)
