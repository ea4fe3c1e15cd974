"""The list of kept runs: filter, open, compare, star, name, delete, and undo a deletion.

`listing` makes the lines and `loader` reads the folders, both beside this file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option as ListItem

from caveats.errors import ConfigError, visible
from caveats.runs.manifest import Manifest
from caveats.runs.reader import Reader
from caveats.runs.shelf import Entry, delete, label, undelete
from caveats_tui.charts.spec import Charset
from caveats_tui.screens.blocks import put
from caveats_tui.screens.dialogs import Edit
from caveats_tui.screens.help import Help, lab_keys
from caveats_tui.screens.runs.compare import MOST_COMPARED, Compare, Compared
from caveats_tui.screens.runs.listing import fits, heading, line, setup
from caveats_tui.screens.runs.loader import Loader
from caveats_tui.screens.windows import EVERYWHERE, Browsed, Leavable, Line, hand_over
from caveats_tui.text.differences import told_apart
from caveats_tui.text.kept_runs import alive, name, standing
from caveats_tui.text.times import age, now

if TYPE_CHECKING:
    from caveats_tui.charts.process import ChartProcess

__all__ = ["RunsScreen"]

T = TypeVar("T")

TICK = 0.25  # seconds between two readings of the loader's entries
# The keys in the order of the footer: each with its word there, its action, what help says of it.
KEYS = (
    ("enter", "open", "open", "Look at the run on a screen of its own."),
    ("?", "help", "help", "Show these keys."),
    ("q", "leave", "leave", "Go back to the lab, as escape does; that clears a filter first."),
    ("/", "filter", "filter", "Show only the runs that hold what is typed in any of their words."),
    (
        "space",
        "mark",
        "mark",
        f"Mark the run, to be compared with others: at most {MOST_COMPARED}.",
    ),
    ("c", "compare", "compare", "Compare the marked runs: their losses, and what differs."),
    ("R", "resume", "resume", "Continue the run in the lab, if no process trains it."),
    ("*", "star", "star", "Star the run: it is never deleted to make room."),
    ("n", "name", "name", "Name the run: it is never deleted to make room."),
    ("d", "delete", "delete", "Move the run to the trash."),
    ("u", "undo", "undo", "Take the run that was deleted last out of the trash."),
    ("j k", "move", "move(1)", "Go down and up, as the arrows do."),
)


def footer(width: int) -> Text:
    """Each key with its word, as many as fit; a click on either finds the action in the style of
    the cell."""
    text = Text(no_wrap=True, overflow="crop")
    for key, word, action, _ in KEYS:
        if len(text) + len(key) + len(word) + 2 > width:
            break
        meta = Style(meta={"action": action})
        text.append(f" {key}", style=Style(bold=True) + meta)
        text.append(f" {word}", style=meta)
    return text


class RunsScreen(Leavable[Reader | Path | None]):
    """Returns a reader if the user wants to look at a run, a folder if they want to resume one."""

    DEFAULT_CSS = """
    RunsScreen #head { height: 1; background: $panel; }
    RunsScreen Input { height: 1; background: $surface; }
    RunsScreen #columns { height: 1; color: $text-muted; }
    RunsScreen OptionList, RunsScreen OptionList:focus { border: none; height: 1fr; padding: 0;
        scrollbar-size-vertical: 1;
        background: $background; }
    RunsScreen #said { height: 1; background: $surface; }
    RunsScreen #keys { height: 1; background: $panel; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave"),
        Binding("q", "leave", "leave"),
        Binding("slash", "filter", "filter"),
        Binding("space", "mark", "mark"),
        Binding("c", "compare", "compare"),
        Binding("asterisk", "star", "star"),
        Binding("n", "name", "name"),
        Binding("d,delete", "delete", "delete"),
        Binding("u", "undo", "undo"),
        Binding("R", "resume", "resume"),
        Binding("question_mark,f1", "help", "help"),
        *EVERYWHERE,
        Binding("down", "move(1)", "down", priority=True),
        Binding("up", "move(-1)", "up", priority=True),
    ]

    AUTO_FOCUS = "Browsed"  # else what is typed at once would go into the line of the filter

    def __init__(
        self,
        place: Path,
        charts: ChartProcess,
        *,
        charset: Charset,
        deleted: list[Path] | None = None,
    ) -> None:
        """``deleted`` lists where the runs deleted earlier lie in the trash, the last one last.
        Runs deleted here are added; undo takes them back."""
        super().__init__()
        self.loader = Loader(place)
        self._charts, self._charset, self._plain = charts, charset, charset == "ascii"
        self._entries: tuple[Entry, ...] = ()
        self._shown: list[Entry] = []
        self._marked: list[Path] = []
        self._deleted = [] if deleted is None else deleted
        self._said = ""
        self._busy = False
        self._lines: dict[Path, tuple[tuple[object, ...], Text]] = {}
        self._apart: dict[Path, str] = {}  # what sets each run apart from the others

    def compose(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        yield Line(placeholder="/ and a few letters show only the runs that fit")
        yield Static("", id="columns", markup=False)
        yield Browsed(markup=False)
        yield Static("", id="said", markup=False)
        yield Static(footer(self.app.size.width), id="keys", markup=False)

    def opened(self) -> None:
        self._program = self.app  # threads cannot ask for it
        self.query_one(Browsed).focus()
        self.loader.start()
        self.set_interval(TICK, self._tick)

    def on_unmount(self) -> None:
        self.loader.stop()

    def on_resize(self, event: Resize) -> None:
        self.query_one("#columns", Static).update(heading(self._width))
        self.query_one("#keys", Static).update(footer(event.size.width))
        self._fill()

    # Showing

    def _tick(self) -> None:
        self._fill()  # ages grow, and a process may fall silent, although no folder has changed
        self._tell()

    def _fill(self) -> None:
        """Show the matching runs; the same run stays highlighted."""
        at = self._current
        if self._entries is not self.loader.entries:
            self._entries = self.loader.entries
            configs = [e.manifest.config if e.manifest else None for e in self._entries]
            folders = [e.folder for e in self._entries]
            self._apart = dict(zip(folders, told_apart(configs), strict=True))
        typed, moment = self.query_one(Input).value, now()
        self._shown = [entry for entry in self._entries if fits(entry, typed, moment)]
        view = self.query_one(Browsed)
        prompts = [self._line(entry, moment) for entry in self._shown]
        if view.option_count == len(prompts) and prompts:
            for place, prompt in enumerate(prompts):
                if view.get_option_at_index(place).prompt is not prompt:
                    view.replace_option_prompt_at_index(place, prompt)
        else:
            view.clear_options()
            view.add_options([ListItem(prompt) for prompt in prompts])
        folders = [entry.folder for entry in self._shown]
        if at is not None and at.folder in folders:
            view.highlighted = folders.index(at.folder)
        elif folders:
            view.highlighted = min(view.highlighted or 0, len(folders) - 1)

    def _line(self, entry: Entry, moment: datetime) -> Text:
        """The line of a run, made again only if it has changed: making one takes 0.3 ms."""
        width, marked = self._width, entry.folder in self._marked
        apart = self._apart.get(entry.folder, "")
        said: tuple[object, ...] = entry, width, marked, apart
        if entry.manifest is not None:
            span = age((moment - entry.manifest.created).total_seconds())
            said = *said, standing(entry.manifest, moment), span
        before = self._lines.get(entry.folder)
        if before is not None and before[0] == said:
            return before[1]
        text = line(entry, width, apart=apart, marked=marked, plain=self._plain, now=moment)
        self._lines[entry.folder] = said, text
        return text

    @property
    def _width(self) -> int:
        """The width of a line: that of the list without padding and scrollbar."""
        return max(40, self.size.width - 4)

    def _tell(self) -> None:
        done, total = self.loader.progress
        many = f"{len(self._shown):,} of {len(self._entries):,} runs"
        if not self.loader.complete:
            many = f"reading {done:,} of {total:,} runs"
        said = f" kept runs  {many} in "
        place, room = visible(self.loader.place), max(8, self.size.width - len(said))
        if len(place) > room:
            place = f"…{place[1 - room :]}"  # its end tells most
        head = Text(f"{said}{place}", no_wrap=True)
        head.stylize("bold", 1, 10)
        said = self._said or self.loader.problem
        if not said and self.loader.complete and not self._entries:
            said = "no run has been kept yet: a run is kept from its first step"
        if not said and len(self._marked) > 1:
            said = f"{len(self._marked)} runs are marked: c compares them"
        here = self._current
        if not said and here is not None and here.manifest is not None:
            said = f"{here.folder.name}  {setup(here.manifest)}"  # the line may have cut both
        put(self, "#head", head)
        put(self, "#said", Text(f" {said}", no_wrap=True, overflow="ellipsis"))

    def _say(self, sentence: str) -> None:
        self._said = sentence
        self._tell()

    @property
    def _current(self) -> Entry | None:
        at = self.query_one(Browsed).highlighted
        return None if at is None or at >= len(self._shown) else self._shown[at]

    # Moving and filtering

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self._tell()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._said = ""
        self._fill()
        self._tell()

    @on(Input.Submitted)
    def _filtered(self) -> None:
        self.query_one(Browsed).focus()

    def action_filter(self) -> None:
        self.query_one(Input).focus()

    def action_move(self, direction: int) -> None:
        view = self.query_one(Browsed)
        if self._shown:
            at = 0 if view.highlighted is None else view.highlighted + direction
            view.highlighted = max(0, min(len(self._shown) - 1, at))

    def action_leave(self) -> None:
        """Escape clears the filter first."""
        field = self.query_one(Input)
        if field.has_focus or field.value:
            field.value = ""
            self.query_one(Browsed).focus()
        else:
            self.dismiss(None)

    async def on_click(self, event: Click) -> None:
        """A click on a key of the footer does what the key does."""
        action = event.style.meta.get("action")
        if action is not None:
            await self.run_action(action)

    def action_help(self) -> None:
        rows = [(key, sentence, word) for key, word, _, sentence in KEYS]
        self.app.push_screen(Help(("here, in the list of kept runs", rows), *lab_keys()))

    # Doing

    def _chosen(self) -> Entry | None:
        """The highlighted run; where there is none, or one is being read, None and a sentence."""
        if self._busy:
            self._say("a run is being read: try again in a moment")
            return None
        if self._current is None:
            self._say("there is no run here")
        return self._current

    @on(OptionList.OptionSelected)
    def action_open(self) -> None:
        entry = self._chosen()
        if entry is not None:
            self._busy = True
            self._say(f"opening {name(entry)}")
            self._in_thread(lambda: self._read(entry.folder))

    def _read(self, folder: Path) -> None:
        """Read a run in a thread, because a long one takes a second."""
        try:
            reader = Reader(folder)
        except ConfigError as error:
            self._back(self._failed, str(error))
        else:
            self._back(self._looked_at, reader)

    def _in_thread(self, work: Callable[[], None]) -> None:
        """Not one of Textual's workers: leaving the program would wait until it is done."""
        threading.Thread(target=work, name="caveats-opening", daemon=True).start()

    def _back(self, show: Callable[[T], object], seen: T) -> None:
        hand_over(self._program, self, show, seen)

    def _looked_at(self, reader: Reader) -> None:
        self._failed("")
        self.dismiss(reader)

    def _failed(self, sentence: str) -> None:
        self._busy = False
        self._say(sentence)

    def action_resume(self) -> None:
        entry = self._chosen()
        if entry is None:
            return
        if entry.manifest is None:
            self._say("this run cannot be read, so it cannot be continued")
        elif alive(entry.manifest, now()):
            self._say(f"{name(entry)} is being trained: enter looks at it, R once it has stopped")
        else:
            self.dismiss(entry.folder)

    def action_mark(self) -> None:
        entry = self._chosen()
        if entry is None:
            return
        if entry.manifest is None:
            self._say("this run cannot be read, so it cannot be compared")
            return
        if entry.folder in self._marked:
            self._marked.remove(entry.folder)
        elif len(self._marked) < MOST_COMPARED:
            self._marked.append(entry.folder)
        else:
            self._say(
                f"{MOST_COMPARED} runs are marked: more curves in one chart could not be told apart"
            )
            return
        self._said = ""
        self._fill()
        self.action_move(1)
        self._tell()

    def action_compare(self) -> None:
        chosen = [entry for entry in self._entries if entry.folder in self._marked]
        if len(chosen) < 2:
            self._say("mark two runs or more with space, then c compares them")
        elif not self._busy:
            self._busy = True
            self._say("reading the records")
            several = [(name(entry), entry.folder) for entry in chosen]
            self._in_thread(lambda: self._compare(several))

    def _compare(self, chosen: list[tuple[str, Path]]) -> None:
        runs: list[Compared] = []
        try:
            for called, folder in chosen:
                reader = Reader(folder)
                manifest: Manifest = reader.manifest
                runs.append(Compared(called, manifest, reader.history.snapshot()))
        except ConfigError as error:
            self._back(self._failed, str(error))
        else:
            self._back(self._show_compared, runs)

    def _show_compared(self, runs: list[Compared]) -> None:
        self._failed("")
        self.app.push_screen(Compare(runs, self._charts, self._charset))

    def action_star(self) -> None:
        entry = self._chosen()
        if entry is not None:
            self._label(entry, starred=not entry.label.starred)

    def action_name(self) -> None:
        entry = self._chosen()
        if entry is None:
            return

        def took(text: str | None) -> None:
            if text is not None:
                self._label(entry, text=text)

        sentence = "A run with a name is never deleted to make room; empty removes the name."
        self.app.push_screen(Edit("name", sentence, entry.label.name, lambda text: None), took)

    def _label(self, entry: Entry, text: str | None = None, starred: bool | None = None) -> None:
        try:
            label(entry.folder, name=text, starred=starred)
        except ConfigError as error:
            self._say(str(error))
        self.loader.look()

    def action_delete(self) -> None:
        entry = self._chosen()
        if entry is None:
            return
        if entry.manifest is not None and alive(entry.manifest, now()):
            self._say(f"{name(entry)} is being trained: stop it first")
            return
        try:
            self._deleted.append(delete(entry.folder))
        except ConfigError as error:
            self._say(str(error))
            return
        if entry.folder in self._marked:
            self._marked.remove(entry.folder)
        self._say(f"{name(entry)} is in the trash: u takes it back")
        self.loader.look()

    def action_undo(self) -> None:
        if not self._deleted:
            self._say("nothing to take back")
            return
        try:
            self._say(f"{visible(undelete(self._deleted.pop()).name)} is back")
        except ConfigError as error:
            self._say(str(error))
        self.loader.look()
