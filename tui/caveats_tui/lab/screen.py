"""The lab: setup, four charts, message and footer on one screen, driven by the table of keys.

It owns what the person has set up and what is shown where. Training belongs to
`caveats.session`, which it only sends commands to and reads at its own pace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.events import DescendantFocus, Resize
from textual.screen import Screen
from textual.widgets import Static

from caveats.config import RunConfig, parse_assignment
from caveats.errors import ConfigError
from caveats.session import Session
from caveats.settings import SETTINGS
from caveats_tui.charts.pace import Pace
from caveats_tui.charts.spec import Charset
from caveats_tui.keys import KEYS, bindings
from caveats_tui.lab.bars import Footer, Header, describe
from caveats_tui.lab.dialogs import Ask, Edit, Picker
from caveats_tui.lab.drawing import Drawing
from caveats_tui.lab.figures import Trace
from caveats_tui.lab.help import Help
from caveats_tui.lab.panel import Panel
from caveats_tui.lab.setup import Line, SetupList, nudged, shown

if TYPE_CHECKING:
    from caveats_tui.charts.process import ChartProcess

__all__ = ["LabScreen"]

WIDE = (104, 26)  # from this size on all four charts are shown
LEAST = (60, 16)
TICK = 0.05  # seconds between looks at whether a frame is due; a look costs some 20 µs


class LabScreen(Screen[None]):
    """``session`` trains; ``charts`` draws; ``fps`` is the most frames a second."""

    DEFAULT_CSS = """
    LabScreen { layers: base over; }
    LabScreen #body { height: 1fr; }
    LabScreen #setup { width: 30; }
    LabScreen #charts { width: 1fr; layout: grid; grid-size: 2 2; }
    LabScreen #notes { height: 6; border-top: solid $border-blurred; display: none; }
    LabScreen #message { height: 1; background: $surface; }
    LabScreen #too-small { layer: over; display: none; width: 100%; height: 100%;
        content-align: center middle; text-align: center; background: $background; }
    LabScreen.-single #charts { grid-size: 1 1; }
    LabScreen.-single Panel { display: none; }
    LabScreen.-single Panel.-current { display: block; }
    LabScreen.-no-setup #setup { display: none; }
    LabScreen.-notes #notes { display: block; }
    LabScreen.-tiny #body, LabScreen.-tiny #header, LabScreen.-tiny #footer,
    LabScreen.-tiny #message, LabScreen.-tiny #notes { display: none; }
    LabScreen.-tiny #too-small { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]

    def __init__(
        self, config: RunConfig, charts: ChartProcess, *, every: int | None, fps: float,
        charset: Charset,
    ) -> None:  # fmt: skip
        super().__init__()
        self.config = config
        self.session: Session | None = None
        self._every = every
        self._charset: Charset = charset
        self._charts = charts
        self._pace = Pace(fps)
        self._drawing = Drawing(charts, charset)
        self._past: list[RunConfig] = []  # for undo
        self._ghost: tuple[str, Trace] | None = None
        self._pinned = False
        self._zoomed = False
        self._current = 1  # the chart shown where there is room for one
        self._notice = ""
        self._notes: list[str] = []

    # Building and resizing

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal(id="body"):
            yield SetupList()
            with Horizontal(id="charts"):
                for number in (1, 2, 3, 4):
                    yield Panel(number)
        yield Static("", id="notes", markup=False)
        yield Static("", id="message", markup=False)
        yield Footer()
        yield Static("", id="too-small", markup=False)

    def on_mount(self) -> None:
        self.query_one(SetupList).show(self.config)
        self.query_one(SetupList).focus()
        self._frame()
        # torch is imported by the session's thread: after the first paint, not before.
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.session = Session(self.config, self._every)
        self.set_interval(TICK, self._tick)

    def on_unmount(self) -> None:
        if self.session is not None:
            self.session.stop()

    def on_resize(self, event: Resize) -> None:
        width, height = event.size
        tiny = width < LEAST[0] or height < LEAST[1]
        self.set_class(tiny, "-tiny")
        self.query_one("#too-small", Static).update(
            f"caveats-tui needs {LEAST[0]}×{LEAST[1]} cells; this terminal has {width}×{height}."
        )
        self._arrange()

    @property
    def _single(self) -> bool:
        return self._zoomed or self.size.width < WIDE[0] or self.size.height < WIDE[1]

    def _arrange(self) -> None:
        self.set_class(self._single, "-single")
        for panel in self.query(Panel):
            panel.set_class(panel.number == self._current, "-current")
        self.call_after_refresh(self._frame)

    # Frames

    def _tick(self) -> None:
        busy = self.session is not None and self.session.status.state == "running"
        if self._pace.wait(busy=busy) <= 0:
            self._frame()

    def _frame(self) -> None:
        """Look at the session and ask for whatever has changed; write nothing else."""
        start = time.perf_counter()
        self._pace.begin()
        session = self.session
        run = session.run if session is not None else None
        trace = (
            None
            if run is None
            else Trace(run.history.snapshot(), run.history.layers, run.config.training.steps)
        )
        ghost = self._ghost[1] if self._ghost else None
        panels = [panel for panel in self.query(Panel) if panel.display and panel.size.width]
        self._drawing.frame(panels, trace, ghost, session, self.app.current_theme.dark)
        self._say(trace)
        self._pace.spend(app=time.perf_counter() - start)

    def _say(self, trace: Trace | None) -> None:
        """Header, setup title, message and notes."""
        if self.session is None:
            return
        status, run = self.session.status, self.session.run
        plain = self._charset == "ascii"
        outputs = None if run is None else run.dataset.outputs
        newest = trace is not None and len(trace.snapshot)
        step = int(trace.snapshot.steps[-1]) if newest and trace is not None else 0
        self.query_one(Header).show(self.config, status, outputs, step, plain)
        setup = self.query_one(SetupList)
        subtitle = f"ghost: {self._ghost[0]}" if self._ghost else ""
        if setup.border_subtitle != subtitle:
            setup.border_subtitle = subtitle
        events = (
            [] if trace is None else [f"step {e.step:,}: {e.text}" for e in trace.snapshot.events]
        )
        self._put(
            "#notes", "\n".join(reversed([*self._notes, *events])) or "nothing has happened yet"
        )
        self._put("#message", self._message(status.state, status.problem))

    def _message(self, state: str, problem: str) -> Text:
        if self._notice:
            return Text(f" ! {self._notice}", style="bold", no_wrap=True, overflow="ellipsis")
        if problem:
            return Text(f" ✖ {problem}", style="bold", no_wrap=True, overflow="ellipsis")
        hint = {
            "loading": "loading torch; everything can be set up meanwhile",
            "paused": "space trains · a i o choose · ? shows all keys",
            "finished": "the run is finished: r begins again, a change of the setup does too",
        }.get(state, "")
        return Text(f" {hint}", style="dim", no_wrap=True, overflow="ellipsis")

    def _put(self, selector: str, content: str | Text) -> None:
        widget = self.query_one(selector, Static)
        if getattr(widget, "said", None) != content:  # Static repaints even where nothing changed
            widget.said = content  # type: ignore[attr-defined]
            widget.update(content)

    def charts_drawn(self) -> None:
        """Charts have come back from the drawing process."""
        start = time.perf_counter()
        spent = self._drawing.collect({f"chart-{p.number}": p for p in self.query(Panel)})
        self._pace.spend(app=time.perf_counter() - start, child=spent)

    def chart_trouble(self, key: str, sentence: str) -> None:
        self._note(f"{key}: {sentence}")

    # Changing the setup

    def apply(self, changes: dict[str, Any]) -> bool:
        """Change the setup; False, with a sentence in the message line, where that is not valid."""
        try:
            config = self.config.changed(changes, "setup")
        except ConfigError as error:
            self._notice = str(error)
            self._frame()
            return False
        self._take(config)
        return True

    def _take(self, config: RunConfig, undoing: bool = False) -> None:
        self._notice = ""
        if config == self.config:
            return
        if not undoing:
            self._past.append(self.config)
        if self.config.restarts(config):
            self._leave_ghost()
        self.config = config
        self.query_one(SetupList).show(config)
        if self.session is not None:
            self.session.change(config)
        self._frame()

    def _leave_ghost(self, pin: bool = False) -> None:
        """Keep the present run's curves behind the next one, unless one is pinned already."""
        if self.session is None or self.session.run is None or (self._pinned and not pin):
            return
        run = self.session.run
        snapshot = run.history.snapshot()
        if pin or (len(snapshot) and snapshot.steps[-1] > 0):
            label = f"run {self.session.status.run_number}, {describe(run.config, None)}"
            self._ghost = label, Trace(snapshot, run.history.layers, run.config.training.steps)

    def action_pick(self, key: str) -> None:
        table = SETTINGS[key].table
        assert table is not None
        value = self.config.flat().get(key)
        if isinstance(value, dict):
            value = value["name"]

        def took(name: str | None) -> None:
            if name is not None:
                self.apply({key: name})

        self.app.push_screen(Picker(table, value if isinstance(value, str) else None), took)

    def action_nudge(self, direction: int) -> None:
        setup = self.query_one(SetupList)
        line = setup.current
        if not setup.has_focus or line is None:
            return
        value = nudged(line, direction)
        if value != line.value:
            self.apply({line.key: value})

    def action_edit(self) -> None:
        line = self.query_one(SetupList).current
        if line is not None:
            self._edit(line)

    @on(SetupList.Edit)
    def _on_edit(self, event: SetupList.Edit) -> None:
        self._edit(event.line)

    def _edit(self, line: Line) -> None:
        if line.table is not None:
            self.action_pick(line.key)
            return
        if isinstance(line.value, bool):
            self.apply({line.key: not line.value})
            return

        def check(text: str) -> None:
            self.config.changed(dict([parse_assignment(f"{line.key}={text}")]), "setup")

        def took(text: str | None) -> None:
            if text is not None:
                self.apply(dict([parse_assignment(f"{line.key}={text}")]))

        value = shown(line.value)
        if isinstance(line.value, (tuple, list)) and line.key != "network.widths":
            value = f"[{value}]"
        title = line.label.removeprefix("· ")
        self.app.push_screen(Edit(title, line.sentence, value, check), took)

    def action_undo(self) -> None:
        if not self._past:
            self._notice = "nothing to undo"
            self._frame()
            return
        self._take(self._past.pop(), undoing=True)

    # Running

    def _commanded(self, command: Callable[[Session], None]) -> None:
        self._notice = ""
        if self.session is not None:
            command(self.session)

    def action_play(self) -> None:
        if self.session is None:
            return
        state = self.session.status.state
        if state in ("finished", "diverged"):
            self._notice = "the run is over: r begins again from step 0"
            self._frame()
        elif state == "running":
            self._commanded(Session.pause)
        else:
            self._commanded(Session.play)

    def action_step(self) -> None:
        self._commanded(Session.single_step)

    def action_restart(self) -> None:
        self._leave_ghost()
        playing = self.session is not None and self.session.status.state == "running"
        self._commanded(lambda session: session.restart(self.config, play=playing))

    # Looking

    def action_ghost(self) -> None:
        if self._ghost is not None:
            self._ghost, self._pinned = None, False
        else:
            self._leave_ghost(pin=True)
            self._pinned = self._ghost is not None
            if self._pinned:
                self._note("this run's curves stay as the ghost; g lets them go")
        self._frame()

    def action_chart(self, number: int) -> None:
        panel = self.query_one(f"#chart-{number}", Panel)
        if panel.has_focus and len(panel.views) > 1:
            self.action_view()
            return
        self._current = number
        self._arrange()
        self.call_after_refresh(panel.focus)

    @on(DescendantFocus)
    def _focused(self, event: DescendantFocus) -> None:
        if isinstance(event.widget, Panel) and event.widget.number != self._current:
            self._current = event.widget.number
            self._arrange()

    def action_view(self) -> None:
        panel = self.query_one("#chart-4", Panel)
        panel.turn(self._drawing.available(self.session))
        if self._single and self._current != 4:
            self.action_chart(4)
        self._frame()

    def action_focus_next_part(self) -> None:
        setup = self.query_one(SetupList)
        focused = self.focused
        at = focused.number if isinstance(focused, Panel) else 0
        if at == 4 and setup.display:
            setup.focus()
        else:
            self.action_chart(at % 4 + 1)

    def action_zoom(self) -> None:
        self._zoomed = not self._zoomed
        self._arrange()

    def action_scale(self) -> None:
        self.query_one(f"#chart-{self._current}", Panel).toggle_log()
        self._frame()

    def action_setup_pane(self) -> None:
        self.toggle_class("-no-setup")
        if self.has_class("-no-setup"):
            self.query_one(f"#chart-{self._current}", Panel).focus()
        else:
            self.query_one(SetupList).focus()
        self._arrange()

    def action_notes_pane(self) -> None:
        self.toggle_class("-notes")
        self._arrange()

    def _note(self, text: str) -> None:
        self._notes.append(text)

    # The program

    def action_palette(self) -> None:
        self.app.action_command_palette()

    def action_picture(self) -> None:
        path = self.app.save_screenshot(path=".")
        self._notice = f"saved {path}"
        self._frame()

    def action_help(self) -> None:
        self.app.push_screen(Help())

    def action_leave(self) -> None:
        if self.session is None or self.session.status.state != "running":
            self.app.exit()
            return

        def answered(key: str | None) -> None:
            if key == "y":
                self.app.exit()

        self.app.push_screen(
            Ask("A run is going. Stop it and quit?", {"y": "stop and quit"}), answered
        )

    def commands(self) -> Iterable[SystemCommand]:
        """The table of keys as commands of the palette."""
        for key in KEYS:
            if key.palette:
                yield SystemCommand(
                    f"{key.label} ({key.shown})", key.sentence, self._runner(key.action)
                )

    def _runner(self, action: str) -> Callable[[], Any]:
        async def run() -> None:
            await self.run_action(action)

        return run
