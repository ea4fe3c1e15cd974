"""The screen of a watched command: charts and verdicts on top, its layers beside them, its own
output below. It follows the folder of the run, and changes nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import Resize
from textual.widgets import Input, Static

from caveats.errors import ConfigError
from caveats.runs.manifest import Manifest
from caveats.runs.reader import Reader
from caveats.status import LIVE
from caveats.watching.folder import parts
from caveats_tui.bench.child import Child, missing
from caveats_tui.bench.following import Following
from caveats_tui.charts.spec import Look
from caveats_tui.charts.widget import RowsView
from caveats_tui.keys import bindings, told
from caveats_tui.options import LabOptions
from caveats_tui.screens.blocks import put
from caveats_tui.screens.dialogs import Ask
from caveats_tui.screens.explanation import Case, Explain
from caveats_tui.screens.help import Help, numbers_and_marks
from caveats_tui.screens.lab import taping
from caveats_tui.screens.lab.bars import Footer, message_lines, notes_text, severity
from caveats_tui.screens.lab.clipboard import copy
from caveats_tui.screens.lab.drawing import NO_RECORD, Drawing
from caveats_tui.screens.lab.panel import Panel
from caveats_tui.screens.lab.tools import Tools
from caveats_tui.screens.watch.header import header_line
from caveats_tui.screens.watch.kept import show_list
from caveats_tui.screens.watch.keys import FOOTER, READ, WATCH_KEYS
from caveats_tui.screens.watch.layers import chosen, held, layer_lines, narrowed
from caveats_tui.screens.watch.output import Output
from caveats_tui.screens.windows import Leavable
from caveats_tui.terminal.facts import WIDE, too_small
from caveats_tui.terminal.keeper import OUTPUT

if TYPE_CHECKING:
    from caveats_tui.bench.protocol import Bench
    from caveats_tui.recording.recorder import Recorder

__all__ = ["WatchScreen"]

TICK = 0.5
ENDING = 1.0  # seconds that a process may take to end after its training
SOON = 0.05
TYPE = "a line for the command; enter sends it, escape does not"
LAYERS, LINES = "layers that hold; escape ends", "lines that hold; escape ends"
MOST = 10_000  # layers of a chart
WORST = 2  # layers in each row of a map, if the worst are wanted


class WatchScreen(Leavable[None]):
    """Follows the run in ``folder``; ``child`` is None for a command that another terminal
    started, or that is over. A screen that is ``over`` another leaves to it."""

    DEFAULT_CSS = """
    WatchScreen #header { height: 1; background: $panel; }
    WatchScreen #body { height: 1fr; }
    WatchScreen #left { width: 40; border: round $border-blurred; padding: 0 1;
        scrollbar-size-vertical: 1; }
    WatchScreen #left:focus { border: round $primary; }
    WatchScreen #charts { width: 1fr; layout: grid; grid-size: 2 2; }
    WatchScreen #message { height: auto; min-height: 1; max-height: 3; background: $surface; }
    WatchScreen #message.-critical { color: $error; }
    WatchScreen #message.-warning { color: $warning; }
    WatchScreen #output { height: 8; border-top: solid $border-blurred; }
    WatchScreen #output:focus { border-top: solid $primary; }
    WatchScreen #search { display: none; height: 1; border: none; }
    WatchScreen #too-small { display: none; height: 1fr; content-align: center middle;
        text-align: center; }
    WatchScreen.-single #charts { grid-size: 1 1; }
    WatchScreen.-single Panel { display: none; }
    WatchScreen.-single Panel.-current { display: block; }
    WatchScreen.-small #output { height: 6; }
    WatchScreen.-narrow #left { display: none; }
    WatchScreen.-tree #left { display: block; width: 1fr; }
    WatchScreen.-tree #charts { display: none; }
    WatchScreen.-output #body { display: none; }
    WatchScreen.-output #output { height: 1fr; }
    WatchScreen.-search #search { display: block; }
    WatchScreen.-zoomed #left, WatchScreen.-zoomed #output { display: none; }
    WatchScreen.-tiny > * { display: none; }
    WatchScreen.-tiny #too-small { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(WATCH_KEYS)]

    def __init__(
        self,
        folder: Path,
        tools: Tools,
        options: LabOptions,
        child: Child | None = None,
        *,
        over: bool = False,
    ) -> None:
        super().__init__()
        self.folder, self.tools, self.options, self.child = folder, tools, options, child
        self.over = over
        self.bench: Bench | None = None
        self.paused = self.worst = self.noting = False
        self.said = ""  # about the last key
        self._part = 0
        self._sought = ""
        self._reader: Reader | None = None
        self._output = Output(folder / OUTPUT)
        self._drawing = Drawing(tools.charts, options.charset)
        self._current = 1
        self._ending = 0.0  # when a command that should end by itself counts as going on
        self._small = False  # whether there is room for only one chart

    @property
    def recorder(self) -> Recorder | None:
        return self.tools.recorder

    def compose(self) -> ComposeResult:
        yield Static("", id="header", markup=False)
        with Horizontal(id="body"):
            with VerticalScroll(id="left"):
                yield Static("", id="layers", markup=False)
            with Horizontal(id="charts"):
                for number in (1, 2, 3, 4):
                    yield Panel(number)
        yield Static("", id="message", markup=False)
        with VerticalScroll(id="output"):
            yield Static("", id="text", markup=False)
        yield Input(placeholder=LAYERS, id="search", compact=True)
        yield Footer({"watch": FOOTER})
        yield Static("", id="too-small", markup=False)

    def opened(self) -> None:
        self.set_interval(TICK, self.frame)
        self.call_after_refresh(self.frame)
        self.query_one("#chart-1", Panel).focus()

    def on_unmount(self) -> None:
        if self.bench is not None:
            self.bench.end()

    def on_resize(self, event: Resize) -> None:
        width, height = event.size
        sentence = too_small(width, height)
        self.set_class(sentence is not None, "-tiny")
        self.query_one("#too-small", Static).update(sentence or "")
        self.set_class(width < WIDE[0], "-narrow")
        self._small = width < WIDE[0] or height < WIDE[1] + 8
        self.set_class(height < WIDE[1] + 8, "-small")
        self._arrange()

    def _arrange(self) -> None:
        self.set_class(self._small or self.has_class("-zoomed"), "-single")
        for panel in self.query(Panel):
            panel.set_class(panel.number == self._current, "-current")
        self.call_after_refresh(self.frame)

    # Frames

    def frame(self) -> None:
        """Show the present state; while drawing is paused, only the header."""
        if not self.children:  # Textual calls what waits at the end of the app too
            return
        self._begin()
        self._head()
        if self.paused:
            return
        bench = self.bench
        if self._output.look() or self.noting or not self._output.kept:
            self._show_output()
        if bench is None:
            over = self.child is not None and self.child.over() is not None
            for panel in self.query(Panel) if over else ():
                panel.wait(NO_RECORD)
            put(self, "#message", f" {self.said or missing(self.child)}")
            return
        bench.heed()
        bench.notice = self.said or bench.notice
        trace = bench.trace()
        panels = [p for p in self.query(Panel) if p.display and p.size.width]
        if trace is not None:
            trace = held(trace)
            which = chosen(trace, self._sought, self.worst)
            left = self.query_one("#left")
            if left.display:
                width = left.scrollable_content_region.width
                put(self, "#layers", layer_lines(trace, which, not self.worst, width))
            rows = min((p.content_size.height for p in panels), default=0)
            trace = narrowed(trace, which, max(8, WORST * (rows - 2)) if self.worst else MOST)
        self._drawing.frame(panels, bench, trace, self.app.current_theme.dark)
        put(self, "#message", message_lines(bench, self.size.width, self.options.plain))
        worst = severity(bench)
        for name in ("critical", "warning"):
            self.query_one("#message").set_class(worst == name, f"-{name}")

    def _begin(self) -> None:
        """Follow the chosen part, when it is there."""
        if self.bench is not None:
            return
        found = parts(self.folder)
        if not found:
            return
        try:
            self._reader = Reader(found[self._part % len(found)])
        except ConfigError:
            return  # being written: at the next look
        self.bench = Following(self._reader)
        self.bench.begin()

    def _head(self) -> None:
        code = None if self.child is None else self.child.over()
        budget = None if self.child is None else self.child.budget
        line = header_line(self.bench, self._reader, code, self.paused, self.size.width, budget)
        put(self, "#header", line)

    def _show_output(self) -> None:
        """The command's output, or what happened in the run: where that was asked for, and where
        the command had a terminal of its own."""
        lines, notes = (
            self._output.lines,
            self.bench is not None and (self.noting or not self._output.kept),
        )
        if self.bench is not None and notes:
            lines = notes_text(self.bench, self.bench.trace()).splitlines()
        if self._sought and self.has_class("-output"):
            lines = [line for line in lines if self._sought.lower() in line.lower()]
        put(self, "#text", Text("\n".join(lines)))
        scroll = self.query_one("#output", VerticalScroll)
        if notes is scroll.is_anchored:  # output is read from its end, notes from their beginning
            scroll.anchor(not notes)
            if notes:
                scroll.scroll_home(animate=False)

    def charts_drawn(self) -> None:
        """Show the charts that have come back from the drawing process."""
        panels = {f"chart-{p.number}": p for p in self.query(Panel)}
        self._drawing.collect(panels, self.app.screen.query(RowsView))

    # Keys

    def action_chart(self, number: int) -> None:
        panel = self.query_one(f"#chart-{number}", Panel)
        if self._current == number and panel.has_focus:
            self.action_view()
            return
        self._current = number
        self._arrange()
        self.call_after_refresh(panel.focus)

    @property
    def _panel(self) -> Panel:
        return self.query_one(f"#chart-{self._current}", Panel)

    def action_view(self) -> None:
        if self.bench is None:
            return self.notice(missing(self.child))
        available = self._drawing.available(self.bench)
        if len([view for view in self._panel.views if view in available]) < 2:
            return self.notice(f"chart {self._current} has only this view")
        self._panel.turn(available)
        self.frame()

    def action_scale(self) -> None:
        if self._panel.toggle_log():
            self.frame()
        else:
            self.notice(f"{self._panel.title}: this view has no axis to change")

    def action_zoom(self) -> None:
        self.toggle_class("-zoomed")
        self._panel.focus()
        self._arrange()

    def action_explain(self) -> None:
        trace = None if self.bench is None else self.bench.trace()
        if self.bench is None or trace is None:
            return self.notice(missing(self.child))
        if not (found := self.bench.verdicts()):
            return self.notice("nothing to explain: no caveat has been found")
        look = Look(0, 0, self.app.current_theme.dark, False, self.options.charset)
        cases = tuple(Case(verdict, trace, self.bench.config) for verdict in found)
        self.app.push_screen(Explain(cases, self.tools.charts, look))

    def action_search(self) -> None:
        self._ask(LINES if self.has_class("-output") else LAYERS)

    def action_type(self) -> None:
        if self.child is not None and self.child.over() is None:
            self._ask(TYPE)
        else:
            self.notice("no command goes on here that could be typed to")

    def _ask(self, what: str) -> None:
        line = self.query_one("#search", Input)
        line.placeholder, line.value = what, ""
        self.add_class("-search")
        line.focus()

    @on(Input.Changed, "#search")
    def _typed(self, event: Input.Changed) -> None:
        if event.input.placeholder == TYPE:
            return
        self._sought = event.value
        for panel in self.query(Panel):
            panel.drawn = None
        self._show_output()
        self.frame()

    @on(Input.Submitted, "#search")
    def _found(self, event: Input.Submitted) -> None:
        if event.input.placeholder == TYPE and self.child is not None:
            self.child.send(event.value + "\n")
            self.action_back()
        self.query_one(f"#chart-{self._current}", Panel).focus()

    def action_back(self) -> None:
        if self.has_class("-zoomed"):
            return self.action_zoom()
        search = self.query_one("#search", Input)
        search.value = ""
        self.remove_class("-search", "-output", "-tree")
        self.query_one(f"#chart-{self._current}", Panel).focus()

    def action_worst(self) -> None:
        self.worst = not self.worst
        for panel in self.query(Panel):
            panel.drawn = None
        self.frame()

    def action_tree(self) -> None:
        self.toggle_class("-tree")
        self.query_one("#left" if self.has_class("-tree") else f"#chart-{self._current}").focus()
        self.call_after_refresh(self.frame)

    def action_runs(self) -> None:
        show_list(self)

    def action_help(self) -> None:
        here = "here, watching a command", [*told(WATCH_KEYS), READ]
        self.app.push_screen(Help(here, *numbers_and_marks()))

    def notice(self, sentence: str) -> None:
        """Show a sentence on the message line, until the next key."""
        self.said = sentence
        self.frame()

    def forget(self) -> None:
        """A message about the last key ends with the next one."""
        said, self.said = self.said, ""
        if self.bench is not None:
            said, self.bench.notice = said or self.bench.notice, ""
        if said:
            self.call_later(self.frame)

    def action_picture(self) -> None:
        taping.save_picture(self)

    def action_record(self) -> None:
        command = None if self._reader is None else self._reader.manifest.command
        title = "caveats-tui watch" if command is None else " ".join(command.argv)
        taping.record_or_stop(self, title)

    def action_output(self) -> None:
        self.toggle_class("-output")
        self.query_one("#output").focus()
        self._show_output()

    def action_notes(self) -> None:
        self.noting = not self.noting
        self._show_output()

    def action_pause(self) -> None:
        self.paused = not self.paused
        self.frame()

    def action_look_back(self, records: int) -> None:
        if self.bench is not None:
            self.bench.look_back(records)
            self.frame()

    @on(Panel.Pointed)
    def _pointed(self, event: Panel.Pointed) -> None:
        """A click on a chart sets the time cursor."""
        if self.bench is not None:
            self.bench.look_at(event.step)
            self.frame()

    def action_model(self) -> None:
        """Show the next model of the command."""
        if len(parts(self.folder)) < 2:
            return self.notice("this command trains one model")
        old, self.bench = self.bench, None
        self._part += 1
        if old is not None:
            old.end()
        for panel in self.query(Panel):
            panel.drawn = None
        self.frame()

    def action_copy(self) -> None:
        if self.bench is not None:
            self.notice(copy(self.app, self._panel, self.bench.trace()))

    def _trained(self) -> bool:
        """Whether every training has ended: the command ends now, unless it does something else
        after."""
        try:
            states = [Manifest.read(part).standing.state for part in parts(self.folder)]
        except ConfigError:
            return False  # being written
        return bool(states) and not any(state in LIVE for state in states)

    def action_leave(self) -> None:
        """Quit; ask first whether the command is to stop, if it goes on."""
        if self.over:
            self.dismiss(None)
            return
        child = self.child
        if child is None or child.over() is not None:
            self.app.exit()
            return
        self._ending = self._ending or time.monotonic() + ENDING
        if self._trained() and time.monotonic() < self._ending:
            self.set_timer(SOON, self.action_leave)
            return
        self._ending = 0.0

        def answered(key: str | None) -> None:
            if key == "y":
                child.stop()
            elif key == "b":
                child.leave()
            if key is not None:
                self.app.exit()

        answers = {
            "y": "stop it and quit",
            "b": "leave it running: caveats-tui open shows it again",
        }
        self.app.push_screen(Ask("The command goes on. Stop it?", answers), answered)
