"""Writes the lines of the lab that are text: header, setup list, message, story, theory, notes,
help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.content import Content
from textual.widgets import Static

from caveats_tui.charts.trace import Trace
from caveats_tui.keys import FOOTERS, LAST, LAST_OVER, PLACES
from caveats_tui.screens.blocks import put
from caveats_tui.screens.help import Help, lab_keys, numbers_and_marks
from caveats_tui.screens.lab.bars import Footer, Header, message_lines, notes_text, severity
from caveats_tui.screens.lab.setup import PENDING, SetupList
from caveats_tui.screens.lab.story import ROWS_A_LINE, fitted

if TYPE_CHECKING:
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["say", "show_help"]


def say(lab: LabScreen, trace: Trace | None) -> None:
    """Bring every line of text up to date; what is unchanged is not painted again."""
    bench, plain = lab.bench, lab.options.plain
    say_progress(lab, trace)
    setup = lab.query_one(SetupList)
    setup.show(bench.config, bench.shown)
    subtitle = f"ghost: {', '.join(bench.before)}" if bench.ghost else ""
    if bench.seeds.beginning:
        subtitle = f"{bench.seeds.count} seeds begin"
    if bench.config != bench.shown:
        subtitle = PENDING
    if setup.ghost != subtitle:
        setup.ghost = subtitle
        setup.border_subtitle = Content(subtitle)  # text, and no markup
    put(lab, "#message", message_lines(bench, lab.size.width, plain))
    worst = severity(bench)
    for name in ("critical", "warning"):
        lab.query_one("#message").set_class(worst == name, f"-{name}")
    say_story(lab)
    put(lab, "#theory", bench.forecast.sentence if bench.forecast else "")
    put(lab, "#notes", notes_text(bench, trace))
    lab.query_one(Footer).show(lab.place, over=lab.under is not None)


def say_progress(lab: LabScreen, trace: Trace | None) -> None:
    bench = lab.bench
    step = 0
    if trace is not None and len(trace.snapshot):
        step = int((trace.seen if bench.watching else trace.snapshot).steps[-1])
    if bench.running and not (bench.watching or lab.held()):
        step = max(step, bench.status.step)  # go on counting between two records
    recording = lab.recorder is not None and lab.recorder.recording
    training = bench.shown.training
    # Only the run knows how many steps a number of epochs makes.
    planned = trace.steps if trace is not None and training.epochs else training.steps
    plain = lab.options.plain
    lab.query_one(Header).show(bench, step, planned, plain=plain, recording=recording)


def say_story(lab: LabScreen) -> None:
    """What the experiment shows; once the run is over, its lesson, as far as there is room."""
    bench = lab.bench
    over = bench.status.state in ("finished", "diverged", "stopped")
    told = lab.story.told(bench.shown, over)
    lines = fitted(told, lab.size.width, max(1, lab.size.height // ROWS_A_LINE)) if told else []
    put(lab, "#story", Text("\n".join(lines), no_wrap=True, overflow="crop"))
    lab.query_one("#story", Static).display = bool(lines)


def show_help(lab: LabScreen) -> None:
    """Open the help, which begins with the keys of the place where the user is."""
    hints = (*FOOTERS[lab.place], *(LAST if lab.under is None else LAST_OVER))
    rows = [(hint.shown, hint.sentence, hint.label) for hint in hints]
    lab.app.push_screen(Help((PLACES[lab.place], rows), *lab_keys(), *numbers_and_marks()))
