"""The screen of a watched command: charts and verdicts on top, its layers beside them, its own
output below. It follows the folder of the run, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import Resize
from textual.widgets import Input, Static

from caveats.errors import ConfigError
from caveats.runs.reader import Reader
from caveats.runs.shelf import default_place
from caveats.watching.folder import parts
from caveats_tui.bench.child import Child
from caveats_tui.bench.following import Following
from caveats_tui.charts.spec import Look
from caveats_tui.charts.widget import RowsView
from caveats_tui.options import LabOptions
from caveats_tui.screens.blocks import put
from caveats_tui.screens.dialogs import Ask
from caveats_tui.screens.explanation import Case, Explain
from caveats_tui.screens.lab.bars import message_lines, notes_text, severity
from caveats_tui.screens.lab.clipboard import copy
from caveats_tui.screens.lab.drawing import Drawing
from caveats_tui.screens.lab.panel import Panel
from caveats_tui.screens.lab.tools import Tools
from caveats_tui.screens.runs.screen import RunsScreen
from caveats_tui.screens.watch.help import WatchHelp
from caveats_tui.screens.watch.layers import chosen, held, layer_lines, narrowed
from caveats_tui.screens.watch.output import Output
from caveats_tui.screens.windows import Leavable
from caveats_tui.terminal.facts import WIDE, too_small
from caveats_tui.terminal.keeper import OUTPUT

if TYPE_CHECKING:
    from caveats_tui.bench.protocol import Bench

__all__ = ["WatchScreen"]

TICK = 0.5
TYPE = "a line for the command; enter sends it, escape does not"
WORDS = {
    "loading": "starting", "paused": "paused", "running": "running", "finished": "finished",
    "diverged": "diverged", "failed": "failed", "stopped": "stopped",
}  # fmt: skip
KEYS = (
    ("x", "explain"), ("/", "search"), ("t", "layers"), ("w", "worst first"), ("o", "output"),
    ("l", "runs"), ("?", "keys"), ("q", "quit"), ("1-4", "chart"), ("v", "view"), ("i", "type"),
    ("p", "pause"), (", .", "look back"), ("m", "next model"), ("n", "notes"), ("c", "copy"),
)  # fmt: skip
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
    WatchScreen #footer { height: 1; background: $panel; color: $text-muted; }
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
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n), f"chart({n})", f"chart {n}", show=False) for n in (1, 2, 3, 4)),
        Binding("v", "view", "next view of the chart"),
        Binding("y", "scale", "logarithmic or linear axis"),
        Binding("x,enter", "explain", "explain the verdicts"),
        Binding("slash", "search", "search layers or output"),
        Binding("t", "tree", "the layers alone, by module"),
        Binding("w", "worst", "worst layers first"),
        Binding("o", "output", "the output alone"),
        Binding("p", "pause", "pause drawing, not training"),
        Binding("l", "runs", "the kept runs: open, compare, name, delete"),
        Binding("comma", "look_back(-1)", "one record back"),
        Binding("full_stop", "look_back(1)", "one record on"),
        Binding("greater_than_sign", "look_back(1000000000)", "the newest record"),
        Binding("less_than_sign", "look_back(-1000000000)", "the first record"),
        Binding("m", "model", "next model"),
        Binding("c", "copy", "copy the chart as csv"),
        Binding("i", "type", "type a line to the command"),
        Binding("n", "notes", "what happened, in the output's place"),
        Binding("question_mark,f1", "help", "all keys"),
        Binding("escape", "back", "end a search"),
        Binding("q", "leave", "quit"),
    ]

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
        self._part = 0
        self._sought = ""
        self._reader: Reader | None = None
        self._output = Output(folder / OUTPUT)
        self._drawing = Drawing(tools.charts, options.charset)
        self._current = 1

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
        yield Input(placeholder="layers that hold; escape ends", id="search", compact=True)
        yield Static("", id="footer", markup=False)

    def opened(self) -> None:
        self.set_interval(TICK, self.frame)
        self.call_after_refresh(self.frame)
        self.query_one("#chart-1", Panel).focus()

    def on_unmount(self) -> None:
        if self.bench is not None:
            self.bench.end()

    def on_resize(self, event: Resize) -> None:
        width, height = event.size
        self.set_class(width < WIDE[0], "-narrow")
        small = width < WIDE[0] or height < WIDE[1] + 8
        self.set_class(small, "-single")
        self.set_class(height < WIDE[1] + 8, "-small")
        self._arrange()
        footer = "".join(f" {key} {label} " for key, label in KEYS)
        put(self, "#footer", too_small(width, height) or footer[:width])

    def _arrange(self) -> None:
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
            why = (
                self.child.why() if self.child is not None and self.child.over() is not None else ""
            )
            put(self, "#message", f" {why or 'waiting for the first step of an optimizer'}")
            return
        bench.heed()
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
        left = " caveats watch"
        right = ["waiting"]
        if self.bench is not None and self._reader is not None:
            manifest, status = self._reader.manifest, self.bench.status
            if manifest.command is not None:
                left += "  " + " ".join(manifest.command.argv)
            snapshot = self._reader.history.snapshot()
            right = [status.device, f"step {status.step:,}"]
            if status.speed:
                right.append(f"{status.speed:,.0f}/s")
            if len(snapshot) and (cost := float(snapshot.scalar("overhead")[-1])) >= 0:
                right.append(f"cost {cost:.1%}")
            right.append((self.bench.mode or ("", WORDS[status.state]))[1])
        if self.child is not None and (code := self.child.over()) is not None:
            right.append(f"exit code {code}")
        if self.paused:
            right.append("drawing paused")
        said = "  ".join(right) + " "
        room = max(0, self.size.width - len(said) - 1)
        left = left if len(left) <= room else left[: room - 1] + "…"
        put(self, "#header", Text(f"{left:<{room}} {said}", no_wrap=True))

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

    def action_view(self) -> None:
        if self.bench is not None:
            panel = self.query_one(f"#chart-{self._current}", Panel)
            panel.turn(self._drawing.available(self.bench))
            self.frame()

    def action_scale(self) -> None:
        self.query_one(f"#chart-{self._current}", Panel).toggle_log()
        self.frame()

    def action_explain(self) -> None:
        trace = None if self.bench is None else self.bench.trace()
        if self.bench is None or trace is None or not (found := self.bench.verdicts()):
            return
        look = Look(0, 0, self.app.current_theme.dark, False, self.options.charset)
        cases = tuple(Case(verdict, trace, self.bench.config) for verdict in found)
        self.app.push_screen(Explain(cases, self.tools.charts, look))

    def action_search(self) -> None:
        self._ask("layers that hold; escape ends")

    def action_type(self) -> None:
        if self.child is not None and self.child.over() is None:
            self._ask(TYPE)

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
        """Open the list of kept runs over this screen."""

        def took(chosen: Reader | Path | None) -> None:
            if isinstance(chosen, Path):
                self._say(f"a run is continued by: caveats-tui run --resume {chosen.name}")
            elif chosen is not None and chosen.manifest.config is not None:
                self._say(f"the lab shows this run: caveats-tui open {chosen.folder.name}")
            elif chosen is not None:
                self.app.push_screen(
                    WatchScreen(chosen.folder, self.tools, self.options, over=True)
                )

        place = self.options.place or default_place()
        charset = self.options.charset
        self.app.push_screen(RunsScreen(place, self.tools.charts, charset=charset), took)

    def action_help(self) -> None:
        self.app.push_screen(WatchHelp([b for b in self.BINDINGS if isinstance(b, Binding)]))

    def _say(self, sentence: str) -> None:
        if self.bench is not None:
            self.bench.notice = sentence
            self.frame()

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

    def action_model(self) -> None:
        """Show the next model of the command."""
        old, self.bench = self.bench, None
        self._part += 1
        if old is not None:
            old.end()
        for panel in self.query(Panel):
            panel.drawn = None
        self.frame()

    def action_copy(self) -> None:
        if self.bench is not None:
            panel = self.query_one(f"#chart-{self._current}", Panel)
            self.bench.notice = copy(self.app, panel, self.bench.trace())
            self.frame()

    def action_leave(self) -> None:
        if self.over:
            self.dismiss(None)
            return
        child = self.child
        if child is None or child.over() is not None:
            self.app.exit()
            return

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
