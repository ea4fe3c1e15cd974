"""The app: connects the bench, the lab's screen, the drawing process and the themes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.screen import Screen

from caveats.runs.setups import RECENT
from caveats.runs.shelf import default_place
from caveats_tui.bench.following import Following
from caveats_tui.bench.race import race_process
from caveats_tui.bench.replaying import Replay
from caveats_tui.bench.seeds import seeds_process
from caveats_tui.bench.step_trials import trial_process
from caveats_tui.bench.training import Training
from caveats_tui.charts.process import ChartProcess
from caveats_tui.options import LabOptions
from caveats_tui.recording.caption import show_key
from caveats_tui.recording.recorder import Recorder
from caveats_tui.screens.atlas.screen import AtlasScreen
from caveats_tui.screens.lab.screen import LabScreen
from caveats_tui.screens.lab.tools import Tools
from caveats_tui.screens.windows import ending, hand_over
from caveats_tui.terminal.driver import driver_class
from caveats_tui.terminal.guard import guarded_streams
from caveats_tui.text.settings import describe
from caveats_tui.themes import THEMES

if TYPE_CHECKING:
    from caveats_tui.bench.protocol import Bench
    from caveats_tui.terminal.output import Output

__all__ = ["CaveatsApp", "run_lab"]


REST = 0.3  # seconds at most that training rests while a window is opened or closed


def opened_bench(options: LabOptions) -> Bench:
    """A bench that trains; or, with a ``reader`` in ``options``, one that follows or replays its
    run."""
    reader = options.reader
    if reader is None:
        racing = race_process if options.races else None
        trying = trial_process if options.races else None
        return Training(
            options.config, options.every, options.place,
            racing=racing, trying=trying, seeding=seeds_process, seeds=options.seeds,
        )  # fmt: skip
    if options.replay is None:
        return Following(reader)
    return Following(reader, Replay(reader, options.replay or None))


class CaveatsApp(App[None]):
    """The caller starts ``charts`` before `run`, and stops it after. ``bench`` is shown, by default
    the one that ``options`` ask for; ``output`` tells how long the terminal takes to accept a
    frame; ``recorder`` records the terminal; ``loaded`` is called once torch is there."""

    TITLE = "caveats"
    ENABLE_COMMAND_PALETTE = False  # the lab has its own

    def __init__(
        self,
        options: LabOptions,
        *,
        bench: Bench | None = None,
        output: Output | None = None,
        recorder: Recorder | None = None,
        loaded: Callable[[], object] = lambda: None,
        **textual: Any,
    ) -> None:
        super().__init__(**textual)
        for own in THEMES:
            self.register_theme(own)
        self.theme = options.screen.theme or THEMES[0].name
        self.charts = ChartProcess(on_ready=self._charts_ready, on_trouble=self._chart_trouble)
        tools = Tools(self.charts, output, recorder)
        self.lab = LabScreen(bench or opened_bench(options), tools, options)
        self.recorder = recorder
        self._loaded = loaded
        self._mounted = False

    def get_default_screen(self) -> Screen[Any]:
        return self.lab

    async def action_quit(self) -> None:
        """Textual's ctrl-q, which is handled before any screen's keys: ask here too."""
        self.lab.action_leave()

    def action_help_quit(self) -> None:
        """Textual's ctrl-c: ask here too."""
        self.lab.action_leave()

    @property
    def front(self) -> LabScreen:
        """The lab that is on top: a screen with a kept run may lie over the first lab."""
        labs = (screen for screen in self.screen_stack[::-1] if isinstance(screen, LabScreen))
        return next(labs, self.lab)

    @property
    def atlas(self) -> AtlasScreen | None:
        """The map that is on top, None while something else is."""
        return self.screen if isinstance(self.screen, AtlasScreen) else None

    async def on_event(self, event: events.Event) -> None:
        recorder = self.recorder
        if (
            recorder is not None
            and recorder.recording
            and isinstance(event, events.Key)
            and not event.is_forwarded  # a forwarded key has been counted already
        ):
            recorder.key(event.key)
            if recorder.options.show_keys:
                await show_key(self, event.key)
        if isinstance(event, (events.Key, events.MouseDown)) and not event.is_forwarded:
            self._forget_notice()
        await super().on_event(event)

    def action_picture(self) -> None:
        """ctrl+s on a screen over the lab."""
        self.front.action_picture()
        self.notify(self.front.bench.notice, markup=False)

    def action_record(self) -> None:
        """ctrl+r on a screen over the lab."""
        self.front.action_record()
        self.notify(self.front.bench.notice, markup=False)

    def _forget_notice(self) -> None:
        """A message about the last key ends with the next one."""
        front = self.front
        if front.bench.notice and self.screen_stack[-1:] == [front]:
            front.bench.notice = ""
            front.call_later(self._frame, front)

    def _frame(self, lab: LabScreen) -> None:
        if lab.children and not ending(self):  # else its parts have been taken away
            lab.frame()

    # Opening a window takes some 100 ms of a processor, and two to five times that beside a network
    # that is trained in the same process. So training rests until the window is drawn.

    def push_screen(self, screen: Any, *more: Any, **named: Any) -> Any:
        self._rest(REST)
        pushed = super().push_screen(screen, *more, **named)
        if isinstance(screen, Screen):
            screen.call_after_refresh(self._rest, 0.0)
        return pushed

    def pop_screen(self) -> AwaitComplete:
        self._rest(REST)
        popped = super().pop_screen()
        self.screen.call_after_refresh(self._rest, 0.0)
        return popped

    def _rest(self, seconds: float) -> None:
        bench = self.lab.bench
        if isinstance(bench, Training) and bench.session is not None and bench.running:
            bench.session.rest(seconds)

    def on_mount(self) -> None:
        self._mounted = True
        self._loading = self.set_interval(0.2, self._heed_loading)

    def _heed_loading(self) -> None:
        if self.lab.bench.status.state != "loading":
            self._loading.stop()
            self._loaded()

    # Called on the drawing process's thread.

    def _charts_ready(self) -> None:
        if self._mounted:
            hand_over(self, self.lab, lambda app: app.front.charts_drawn(), self)

    def _chart_trouble(self, key: str, sentence: str) -> None:
        if self._mounted:
            hand_over(self, self.lab, lambda app: app.front.chart_trouble(key, sentence), self)


def run_lab(options: LabOptions) -> int:
    """Open the lab in the present terminal, which `caveats_tui.terminal.facts.check` must have
    accepted, and return the exit code when the user has left it. Its runs are kept in the default
    place. Remedies race, unless the terminal is recorded from the first frame on.

    Raises:
        ConfigError: where the file to record to cannot be written.
    """
    options = replace(
        options,
        place=default_place(),
        recent=default_place().parent / RECENT,
        races=options.recording.path is None,
    )
    encoding = "ascii" if options.plain else "utf-8"
    with guarded_streams(encoding) as guard:
        recorder = Recorder(guard.output, options.recording)
        if options.recording.path is not None:
            recorder.start(options.recording.path, describe(options.config, None))
        # The garbage collector would look at the 340,000 objects of torch again and again, .2 s
        # each time, in which no key is answered and no step is made.
        app = CaveatsApp(
            options, output=guard.output, recorder=recorder, loaded=gc.freeze,
            driver_class=driver_class(guard),
        )  # fmt: skip
        # Before the app runs: Textual replaces stderr, which breaks starting processes later.
        app.charts.start()
        try:
            app.run(mouse=options.screen.mouse)
        finally:
            app.charts.stop()
            recorded = recorder.stop()
    if recorded and not guard.output.lost:
        print(recorded, file=sys.stderr)
    return app.return_code or 0
