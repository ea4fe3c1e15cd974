"""The lab: setup, four charts, message and footer on one screen, driven by the table of keys.

It decides what is shown where and what each key does. The run is behind a
`caveats_tui.bench.protocol.Bench`, which the lab reads at its own pace.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Click, DescendantFocus, MouseScrollDown, MouseScrollUp, Resize
from textual.screen import ModalScreen
from textual.widgets import Static

from caveats_tui.bench.following import Following
from caveats_tui.charts.pace import Pace
from caveats_tui.charts.widget import RowsView
from caveats_tui.keys import bindings
from caveats_tui.options import FPS, LabOptions
from caveats_tui.screens.lab import (
    changing,
    command_palette,
    curing,
    kept_runs,
    maps,
    pointing,
    seeding,
    setups,
    taping,
    telling,
)
from caveats_tui.screens.lab.bars import Footer, Header
from caveats_tui.screens.lab.clipboard import copy
from caveats_tui.screens.lab.drawing import Drawing
from caveats_tui.screens.lab.notifying import Notifier
from caveats_tui.screens.lab.panel import Panel
from caveats_tui.screens.lab.setup import SetupList
from caveats_tui.screens.lab.story import Story
from caveats_tui.screens.windows import Leavable
from caveats_tui.terminal.facts import WIDE, too_small
from caveats_tui.text.settings import describe

if TYPE_CHECKING:
    from caveats.runs.reader import Reader
    from caveats_tui.bench.protocol import Bench
    from caveats_tui.screens.lab.tools import Tools

__all__ = ["LabScreen"]

TICK_SHARE = 0.1  # of the time between two frames: how often the lab checks whether a frame is due


class LabScreen(Leavable[None]):
    """Shows ``bench``, and passes on what the user wants. A screen that lies over another,
    ``under`` it, shows a kept run; leaving it goes back to the one under it. While ``held()``,
    frames are drawn only by `look`."""

    DEFAULT_CSS = """
    LabScreen { layers: base over; }
    LabScreen #body { height: 1fr; }
    LabScreen #left { width: 30; }
    LabScreen #theory { height: auto; padding: 0 1; color: $text-muted; }
    LabScreen #charts { width: 1fr; layout: grid; grid-size: 2 2; }
    LabScreen #notes { height: 6; max-height: 25%; display: none;
        border-top: solid $border-blurred; }
    LabScreen #message { height: auto; min-height: 1; max-height: 3; background: $surface; }
    LabScreen #story { height: auto; display: none; color: $text-muted; }
    LabScreen #message.-critical { color: $error; }
    LabScreen #message.-warning { color: $warning; }
    LabScreen #too-small { layer: over; display: none; width: 100%; height: 100%;
        content-align: center middle; text-align: center; background: $background; }
    LabScreen.-single #charts { grid-size: 1 1; }
    LabScreen.-single Panel { display: none; }
    LabScreen.-single Panel.-current { display: block; }
    LabScreen.-no-setup #left, LabScreen.-zoomed #left { display: none; }
    LabScreen.-notes #notes { display: block; }
    LabScreen.-tiny #body, LabScreen.-tiny #header, LabScreen.-tiny #footer,
    LabScreen.-tiny #message, LabScreen.-tiny #notes { display: none; }
    LabScreen.-tiny #story { visibility: hidden; }
    LabScreen.-tiny #too-small { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]

    def __init__(
        self, bench: Bench, tools: Tools, options: LabOptions, under: LabScreen | None = None
    ) -> None:
        super().__init__()
        self.bench, self.tools, self.options, self.under = bench, tools, options, under
        self.recorder = tools.recorder
        self.deleted: list[Path] = under.deleted if under else []  # runs that undo takes back
        self.held: Callable[[], bool] = lambda: False
        self._covered = False
        self._pace = Pace(options.screen.fps or FPS, bench.frames)
        self._written = 0.0  # seconds that writing had taken when the last frame began
        self._drawing = Drawing(tools.charts, options.charset)
        self.story = Story()
        kept = options.preferences
        self.notifier = Notifier(lambda: kept.values.notify)
        self.set_class(not kept.values.setup_pane, "-no-setup")
        self.set_class(kept.values.notes_pane, "-notes")
        bench.notice = bench.notice or kept.problem
        self.sweep = options.sweep  # whose atlas m opens again
        self.looked_at = math.inf  # the step that was shown before the last click on a chart
        self._current = 1  # the chart that is shown if there is room for only one

    # Building and resizing

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield SetupList()
                yield Static("", id="theory", markup=False)
            with Horizontal(id="charts"):
                for number in (1, 2, 3, 4):
                    yield Panel(number)
        yield Static("", id="notes", markup=False)
        yield Static("", id="story", markup=False)
        yield Static("", id="message", markup=False)
        yield Footer()
        yield Static("", id="too-small", markup=False)

    def opened(self) -> None:
        self.query_one(SetupList).show(self.bench.config)
        (self._panel if self.has_class("-no-setup") else self.query_one(SetupList)).focus()
        self.frame()
        # After the first paint, because the session's thread imports torch.
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.frame()  # the first one had no sizes, and a held lab draws none from here on
        self.bench.begin()
        self.set_interval(TICK_SHARE / self.bench.frames, self._tick)
        if self.sweep is not None:
            maps.show_atlas(self)

    def on_unmount(self) -> None:
        self.bench.end()

    def on_resize(self, event: Resize) -> None:
        width, height = event.size
        sentence = too_small(width, height)
        self.set_class(sentence is not None, "-tiny")
        self.query_one("#too-small", Static).update(sentence or "")
        self._arrange()

    @property
    def _single(self) -> bool:
        small = self.size.width < WIDE[0] or self.size.height < WIDE[1]
        return small or self.has_class("-zoomed")

    def _arrange(self) -> None:
        self.set_class(self._single, "-single")
        for panel in self.query(Panel):
            panel.set_class(panel.number == self._current, "-current")
        self.call_after_refresh(self.frame)

    def over(self, reader: Reader) -> LabScreen:
        """A screen to put over this one, with the run of ``reader``."""
        options = replace(self.options, config=reader.config, reader=reader, replay=None)
        tools = replace(self.tools, recorder=self.recorder)
        return LabScreen(Following(reader), tools, options, under=self)

    # Frames

    def _tick(self) -> None:
        if next(s for s in self.app.screen_stack[::-1] if not isinstance(s, ModalScreen)) != self:
            if not self._covered:
                self.bench.leave_race()
            self._covered = True
            return
        if self._covered:  # another screen has used the same keys for its charts
            self._covered = False
            for panel in self.query(Panel):
                panel.drawn = None
        if self._pace.wait(busy=self.bench.running and not self.bench.limit) <= 0:
            self.frame()

    def frame(self) -> None:
        """Show the present state."""
        if self.children and not self.held():  # Textual calls what waits at the end of the app too
            self.look()

    def look(self) -> None:
        """Read the run and request what has changed; write nothing else."""
        start = time.perf_counter()
        if self.tools.output is not None:
            written = self.tools.output.seconds
            self._pace.spend(write=written - self._written)
            self._written = written
        self._pace.begin()
        bench = self.bench
        bench.heed()
        trace = bench.trace()
        panels = [panel for panel in self.query(Panel) if panel.display and panel.size.width]
        self._drawing.frame(panels, bench, trace, self.app.current_theme.dark)
        telling.say(self, trace)
        taping.follow(self)
        self.notifier.heed(bench, self.app)
        self._pace.spend(app=time.perf_counter() - start)

    def charts_drawn(self) -> None:
        """Show the charts that have come back from the drawing process."""
        start = time.perf_counter()
        panels = {f"chart-{p.number}": p for p in self.query(Panel)}
        spent = self._drawing.collect(panels, self.app.screen.query(RowsView))
        self._pace.spend(app=time.perf_counter() - start, child=spent)

    def chart_trouble(self, key: str, sentence: str) -> None:
        self.bench.notes.append(f"{key}: {sentence}")

    def do(self, act: Callable[[], object]) -> None:
        """Call ``action``, and show the result."""
        act()
        self.frame()

    def notice(self, sentence: str) -> None:
        """Show a sentence on the message line."""
        self.bench.notice = sentence
        self.frame()

    # Changing the setup

    def action_pick(self, key: str) -> None:
        changing.pick(self, key)

    def action_nudge(self, direction: int) -> None:
        changing.nudge(self, direction)

    @on(SetupList.EditRequested)
    def _edit(self, event: SetupList.EditRequested) -> None:
        changing.edit(self, event.line)

    def action_edit(self) -> None:
        changing.edit_current(self)

    def action_digit(self, digit: int) -> None:
        changing.type_digit(self, digit)

    def action_save_setup(self) -> None:
        setups.save(self)

    def action_open_setup(self) -> None:
        setups.choose(self)

    def action_copy_setup(self) -> None:
        setups.copy_command(self)

    def action_undo(self) -> None:
        self.do(self.bench.undo)

    # Running and curing

    def action_play(self) -> None:
        self.do(self.bench.play_or_pause)

    def action_step(self) -> None:
        self.do(self.bench.step)

    def action_restart(self) -> None:
        self.do(self.bench.restart)

    def action_fix(self) -> None:
        curing.fix(self)

    def action_remedies(self) -> None:
        curing.list_remedies(self)

    def action_experiments(self) -> None:
        setups.choose_experiment(self)

    def action_explain(self) -> None:
        """Explain the verdicts (enter, unless the setup list has taken the key)."""
        curing.explain(self)

    # Looking

    @property
    def _panel(self) -> Panel:
        """The focused chart, or the one that had the focus last."""
        return self.query_one(f"#chart-{self._current}", Panel)

    def action_ghost(self) -> None:
        self.do(self.bench.toggle_ghost)

    def action_seeds(self) -> None:
        seeding.ask(self)

    @property
    def place(self) -> str:
        """Where the user is, as the table of footers names it."""
        if self.bench.replays:
            return "replay"
        if self.bench.watching:
            return "kept run"
        if not self.query_one(SetupList).has_focus:
            return "chart"
        return "number" if changing.on_number(self) else "setup"

    def action_chart(self, number: int) -> None:
        if changing.on_number(self):
            changing.type_digit(self, number)
        elif self.query_one(f"#chart-{number}", Panel).has_focus:
            self.action_view()
        else:
            self.go_to(number)

    def go_to(self, number: int) -> None:
        panel = self.query_one(f"#chart-{number}", Panel)
        self._current = number
        shown = panel.region.area > 0  # it cannot take the focus before it is shown
        self._arrange()
        panel.focus() if shown else self.call_after_refresh(panel.focus)

    @on(DescendantFocus)
    def _focused(self, event: DescendantFocus) -> None:
        self._moved()
        if isinstance(event.widget, Panel) and event.widget.number != self._current:
            self._current = event.widget.number
            self._arrange()

    @on(SetupList.OptionHighlighted)
    def _moved(self) -> None:
        if self.query(SetupList):  # else the screen is being taken away
            for footer in self.query(Footer):
                footer.show(self.place, over=self.under is not None)

    def action_view(self) -> None:
        panel, available = self._panel, self._drawing.available(self.bench)
        if len([view for view in panel.views if view in available]) < 2:
            self.notice(f"chart {panel.number} has only this view")
            return
        panel.turn(available)
        self.frame()

    def action_focus_next_part(self) -> None:
        focused = self.focused
        at = focused.number if isinstance(focused, Panel) else 0
        if at == 4 and self.query_one("#left").display:
            self.query_one(SetupList).focus()
        else:
            self.go_to(at % 4 + 1)

    def action_zoom(self) -> None:
        self.toggle_class("-zoomed")
        self._panel.focus()
        self._arrange()

    def action_back_out(self) -> None:
        if self.has_class("-zoomed"):
            self.action_zoom()
        elif self.under is not None:
            self.action_leave()
        elif self.query_one(SetupList).has_focus or self.has_class("-no-setup"):
            self.notice("nothing to leave here: q leaves the program")
        else:
            self.query_one(SetupList).focus()

    @on(Panel.Pointed)
    def _pointed(self, event: Panel.Pointed) -> None:
        pointing.look(self, event)

    @on(Click)
    def _clicked(self, event: Click) -> None:
        pointing.zoom(self, event)

    @on(MouseScrollUp)
    @on(MouseScrollDown)
    def _scrolled(self, event: MouseScrollUp | MouseScrollDown) -> None:
        pointing.scroll(self, event)

    def action_scale(self) -> None:
        if self._panel.toggle_log():
            self.frame()
        else:
            self.notice(f"{self._panel.title}: this view has no axis to change")

    def action_setup_pane(self) -> None:
        self.toggle_class("-no-setup")
        (self._panel if self.has_class("-no-setup") else self.query_one(SetupList)).focus()
        self.prefer(setup_pane=not self.has_class("-no-setup"))
        self._arrange()

    def action_notes_pane(self) -> None:
        self.toggle_class("-notes")
        self.prefer(notes_pane=self.has_class("-notes"))
        self._arrange()

    def prefer(self, **values: Any) -> None:
        """Remember what the user chose for the next sessions."""
        if problem := self.options.preferences.change(**values):
            self.notice(problem)

    def action_copy(self) -> None:
        self.notice(copy(self.app, self._panel, self.bench.trace()))

    def action_atlas(self) -> None:
        maps.show_atlas(self)

    # Kept runs

    def action_runs(self) -> None:
        kept_runs.show_list(self)

    def action_resume(self) -> None:
        kept_runs.resume_shown(self)

    def action_look_back(self, records: int) -> None:
        self.do(lambda: self.bench.look_back(records))

    def action_hasten(self, times: float) -> None:
        self.do(lambda: self.bench.hasten(times))

    # The program

    def action_leave(self) -> None:
        kept_runs.leave(self)

    def action_picture(self) -> None:
        taping.save_picture(self)

    def action_record(self) -> None:
        taping.record_or_stop(self, describe(self.bench.config, self.bench.outputs))

    def action_palette(self) -> None:
        command_palette.show(self)

    def action_suspend(self) -> None:
        self.app.action_suspend_process()

    def action_help(self) -> None:
        telling.show_help(self)
