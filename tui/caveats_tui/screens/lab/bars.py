"""The lines at the top and the bottom of the lab: header, message, footer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.events import Click
from textual.widget import Widget
from textual.widgets import Static

from caveats_tui.keys import FOOTERS, LAST, LAST_OVER, Hint
from caveats_tui.screens.explanation import MOST_LINES, verdict_lines
from caveats_tui.screens.lab.story import fitted
from caveats_tui.text.plain import plain_marks
from caveats_tui.text.settings import describe
from caveats_tui.text.times import clock

if TYPE_CHECKING:
    from caveats_tui.bench.protocol import Bench
    from caveats_tui.charts.trace import Trace

__all__ = ["Footer", "Header", "message_lines", "notes_text", "severity"]

_STATE_WORDS: dict[str, tuple[str, str]] = {
    "loading": ("◌", "loading torch"),
    "starting": ("◌", "starting"),
    "paused": ("‖", "paused"),
    "running": ("●", "running"),
    "finished": ("■", "finished"),
    "diverged": ("✖", "diverged"),
    "failed": ("✖", "failed"),
    "stopped": ("■", "stopped"),
}


def stage(bench: Bench) -> str:
    """The state of the run; a later one than the first starts without loading torch."""
    status = bench.status
    return "starting" if status.state == "loading" and status.run_number > 1 else status.state


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
        symbol, word = bench.mode or _STATE_WORDS[stage(bench)]
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
        before = [f"{clock(bench.elapsed)} elapsed"] if bench.elapsed >= 1 else []
        why = [f"auto: {status.why_device} ·"] if status.why_device else []
        for more in (before + why, before, why):
            longer = "  ".join((*more, *parts)).replace("·  ", "· ")
            if len(left) + len(longer) + 3 <= width:
                right = longer
                break
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
    """The keys that matter at one place of a screen, as many as fit; a click on one runs it. Not a
    `Static`, since that could be filled only once its width is known, some 40 ms after the first
    paint."""

    DEFAULT_CSS = "Footer { height: 1; background: $panel; color: $text-muted; }"

    def __init__(self, footers: Mapping[str, Sequence[Hint]] = FOOTERS) -> None:
        """``footers`` are the hints of each place, the first place first."""
        super().__init__(id="footer")
        self._footers = footers
        self._place = next(iter(footers))
        self._last = LAST

    def show(self, place: str, *, over: bool = False) -> None:
        """Show the hints of a place, of a screen that may lie ``over`` another."""
        last = LAST_OVER if over else LAST
        if (place, last) != (self._place, self._last):
            self._place, self._last = place, last
            self.refresh()

    def hints(self) -> list[Hint]:
        """The hints that fit, in order; help and quit always stand last."""
        room = self.size.width - sum(map(width_of, self._last))
        fitting = []
        for hint in self._footers[self._place]:
            room -= width_of(hint)
            if room < 0:
                break
            fitting.append(hint)
        return [*fitting, *self._last]

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="crop")
        for hint in self.hints():
            text.append(f" {hint.shown} ", style="bold")
            text.append(f"{hint.label}  ")
        return text

    async def on_click(self, event: Click) -> None:
        end = 0
        for hint in self.hints():
            end += width_of(hint)
            if event.x < end:
                event.stop()
                await self.screen.run_action(hint.action)
                return


def width_of(hint: Hint) -> int:
    return len(hint.shown) + len(hint.label) + 4


HINTS = {
    "loading": "loading torch; everything can be set up meanwhile",
    "starting": "the run is being set up",
    "paused": "space trains, a i o choose, ? shows all keys",
    "finished": "the run is over and nothing is wrong: r begins again",
}


def message_lines(bench: Bench, width: int, plain: bool) -> Text:
    """What the user should know first, in a line, or in two or three where one is too short.

    That is, in this order: a notice about the last key or an alarm, the outcome of a cure, the
    worst verdict, a failure, a hint. Only an alarm is marked as one. The message takes at least the
    lines of the verdict, so that charts do not move with each notice; a notice of one line leaves
    the remedy below it.
    """
    verdicts = bench.verdicts()
    found = Text()
    if verdicts:
        found = verdict_lines(verdicts[0], bench.shown, len(verdicts) - 1, width, plain)
    outcome = bench.cure.outcome if bench.cure else ""
    if bench.notice:
        said = folded(bench.notice, "bold", width)
    elif bench.alarm:
        said = folded(f"! {bench.alarm}", "bold", width)
    elif outcome:
        said = folded(f"{'*' if plain else '■'} {outcome}", "bold", width)
    elif verdicts:
        return found
    elif bench.status.problem:
        said = folded(f"{'X' if plain else '✖'} {bench.status.problem}", "bold", width)
    else:
        said = folded(bench.hint or HINTS.get(stage(bench), ""), "dim", width)
    remedy = found.split("\n", allow_blank=True)[1:]
    if "\n" not in said.plain and remedy:
        return Text("\n").join([said, *remedy])
    return said.append("\n" * (len(remedy) - said.plain.count("\n")))


def folded(text: str, style: str, width: int) -> Text:
    lines = fitted(text, width, MOST_LINES) or [""]
    return Text("\n".join(lines), style=style, no_wrap=True, overflow="crop")


def severity(bench: Bench) -> str:
    """How severe the message line is: the severity of the worst verdict, "critical" for a failure,
    else ""."""
    if bench.notice or (bench.cure is not None and bench.cure.outcome):
        return ""
    verdicts = bench.verdicts()
    return verdicts[0].severity if verdicts else "critical" * bool(bench.status.problem)


def notes_text(bench: Bench, trace: Trace | None) -> str:
    """All messages about this run, newest first: verdicts, then events and notes."""
    said = [f"{v.severity}: {v.title}: {v.what}" for v in bench.verdicts()]
    events = [] if trace is None else trace.snapshot.events
    said += [f"step {event.step:,}: {event.text}" for event in reversed(events)]
    said += reversed(bench.notes)
    return "\n".join(said) or "nothing to note"
