"""The lines at the top and the bottom of the lab: header, message, footer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.widget import Widget
from textual.widgets import Static

from caveats_tui.keys import KEYS
from caveats_tui.screens.explanation import verdict_line
from caveats_tui.text.plain import plain_marks
from caveats_tui.text.settings import describe
from caveats_tui.text.times import clock

if TYPE_CHECKING:
    from caveats_tui.bench.protocol import Bench
    from caveats_tui.charts.trace import Trace

__all__ = ["Footer", "Header", "message_line", "notes_text", "severity"]

_STATE_WORDS: dict[str, tuple[str, str]] = {
    "loading": ("◌", "loading torch"),
    "paused": ("‖", "paused"),
    "running": ("●", "running"),
    "finished": ("■", "finished"),
    "diverged": ("✖", "diverged"),
    "failed": ("✖", "failed"),
    "stopped": ("■", "stopped"),
}


class Header(Static):
    """Program, configuration, device, step, speed, state."""

    DEFAULT_CSS = "Header { height: 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__("", id="header", markup=False)
        self._said: Text | None = None

    def show(
        self, bench: Bench, step: int, planned: int, *, plain: bool, recording: bool = False
    ) -> None:
        """``step`` of ``planned`` is the step to show; ``plain`` uses only ASCII; with
        ``recording``, the header says so beside the state."""
        if not self.size.width:  # before the first layout
            return
        status, config = bench.status, bench.shown
        symbol, word = bench.mode or _STATE_WORDS[status.state]
        if bench.mode is None and status.state == "loading" and status.run_number > 1:
            word = "starting"
        if plain:
            symbol = "*"
        left = f"caveats  {describe(config, bench.outputs)}"
        parts = [
            part
            for part in (
                status.device,
                f"step {step:,}/{planned:,}" if status.device else "",
                f"{status.speed:,.0f}/s" if status.speed else "",
                ahead(step, planned, status.speed),
                f"{symbol} {word}",
                f"{'*' if plain else '◉'} rec" if recording else "",
            )
            if part
        ]
        width = self.size.width
        right = "  ".join(parts)
        if bench.elapsed >= 1:
            longer = "  ".join((f"{clock(bench.elapsed)} elapsed", *parts))
            right = longer if len(left) + len(longer) + 3 <= width else right
        room = max(0, width - len(right) - 3)
        if len(left) > room:
            left = left[: max(0, room - 1)] + "…"
        if plain:
            left = plain_marks(left)
        text = Text(f" {left.ljust(room)} {right} ", no_wrap=True, overflow="crop")
        text.stylize("bold", 1, 8)
        if text != self._said:  # Static repaints even if nothing changed
            self._said = text
            self.update(text, layout=False)

    def on_resize(self) -> None:
        self._said = None


def ahead(step: int, steps: int, speed: float) -> str:
    """How far a run that goes on has come, and the time that is left: "42 %  1:10 left"."""
    if speed <= 0 or steps <= 0:
        return ""
    return f"{min(1.0, step / steps):.0%}  {clock(max(0.0, steps - step) / speed)} left".replace(
        "%", " %"
    )


class Footer(Widget):
    """The footer keys of the table, as many as fit. Not a `Static`, since that could be filled only
    once its width is known, some 40 ms after the first paint."""

    DEFAULT_CSS = "Footer { height: 1; background: $panel; color: $text-muted; }"

    def __init__(self) -> None:
        super().__init__(id="footer")

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="crop")
        keys = [key for key in KEYS if key.footer]
        last = [key for key in keys if key.id in ("help", "quit")]
        room = self.size.width - sum(len(k.shown) + len(k.label) + 4 for k in last)
        shown_keys = []
        for key in keys:
            if key in last:
                continue
            room -= len(key.shown) + len(key.label) + 4
            if room >= 0:
                shown_keys.append(key)
        for key in [*shown_keys, *last]:
            text.append(f" {key.shown} ", style="bold")
            text.append(f"{key.label}  ")
        return text


HINTS = {
    "loading": "loading torch; everything can be set up meanwhile",
    "paused": "space trains, a i o choose, ? shows all keys",
    "finished": "the run is over and nothing is wrong with it: r begins again",
}


def message_line(bench: Bench, width: int, plain: bool) -> Text:
    """The one line that is always there: what the user should know first.

    That is, in this order: a notice about the last key or an alarm, the outcome of a cure, the
    worst verdict, a failure, a hint.
    """
    if bench.notice or bench.alarm:
        return one_line(f" ! {bench.notice or bench.alarm}", "bold")
    verdicts = bench.verdicts()
    outcome = bench.cure.outcome if bench.cure else ""
    if outcome:
        return one_line(f" {'*' if plain else '■'} {outcome}", "bold")
    if verdicts:
        return verdict_line(verdicts[0], bench.shown, len(verdicts) - 1, width, plain)
    if bench.status.problem:
        return one_line(f" {'X' if plain else '✖'} {bench.status.problem}", "bold")
    return one_line(f" {bench.hint or HINTS.get(bench.status.state, '')}", "dim")


def severity(bench: Bench) -> str:
    """How severe the message line is: the severity of the worst verdict, "critical" for a failure,
    else ""."""
    if bench.notice or (bench.cure is not None and bench.cure.outcome):
        return ""
    verdicts = bench.verdicts()
    return verdicts[0].severity if verdicts else "critical" * bool(bench.status.problem)


def one_line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def notes_text(bench: Bench, trace: Trace | None) -> str:
    """All messages about this run, newest first: verdicts, then events and notes."""
    said = [f"{v.severity}: {v.title}: {v.what}" for v in bench.verdicts()]
    events = [] if trace is None else trace.snapshot.events
    said += [f"step {event.step:,}: {event.text}" for event in reversed(events)]
    said += reversed(bench.notes)
    return "\n".join(said) or "nothing to note"
