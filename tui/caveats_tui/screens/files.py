"""The windows in which a file of one's own is found (data or a setup), and the column in data that
is the target.

What is in a folder or a file is read on a thread: a folder may be far away, a file large.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.content import Content
from textual.widgets import Input, Static

from caveats.errors import ConfigError, visible
from caveats.runs.setups import read_setup
from caveats_tui.screens.dialogs import Filtered, Row
from caveats_tui.screens.windows import hand_over

__all__ = ["DATA", "SETUP", "ColumnPicker", "Columns", "FilePicker", "Found", "Kind", "listing"]

READ = 20_000  # names of a folder
ROOM = 60  # characters of a folder's path in the title

Columns = Mapping[str, tuple[str, ...]]  # of a table, each with the cells of its first rows


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds, by name; ``problem`` says why that is not, or not wholly, known."""

    folder: Path
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the kind that was looked for, and what was read of it."""

    path: Path
    content: Any


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: how it is called, its ``suffixes``, and what reads one, which raises
    ConfigError where that is not possible."""

    name: str
    said: str
    suffixes: Callable[[], tuple[str, ...]]
    read: Callable[[Path], Any]


def data_suffixes() -> tuple[str, ...]:
    from caveats.data.files import SUFFIXES

    return SUFFIXES


def data_columns(path: Path) -> Columns:
    from caveats.data.files import columns_of

    return columns_of(path)


# The content of data is its columns, none for an npz; that of a setup is a `RunConfig`.
DATA = Kind("file", "csv, npz", data_suffixes, data_columns)
SETUP = Kind("setup", "TOML file", lambda: (".toml",), read_setup)


def listing(folder: Path, kind: Kind = DATA) -> Listing:
    """The files of a kind, and the folders, in ``folder``."""
    suffixes = kind.suffixes()
    files, folders, read = [], [], 0
    try:
        with os.scandir(folder) as items:
            for item in islice(items, READ):
                read += 1
                if is_folder(item):
                    folders.append(item.name)
                elif item.name.lower().endswith(suffixes):
                    files.append(item.name)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = visible(getattr(error, "strerror", None) or error)
        return Listing(folder, problem=f"{visible(folder)} cannot be read: {reason}")
    cut = f"only {READ:,} names of this folder were read: type the path of a file"
    return Listing(folder, in_order(files), in_order(folders), cut if read == READ else "")


def in_order(names: list[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=str.lower))


def is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:
        return False


def looked_at(path: Path, kind: Kind) -> Listing | Found:
    """What is at ``path``.

    Raises:
        ConfigError: where it is neither a folder nor a file of the kind.
    """
    if os.path.isdir(path):
        return listing(path, kind)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{visible(path)}: its name is not UTF-8: rename it") from None
    return Found(path, kind.read(path))


class FilePicker(Filtered[Found | None]):
    """Finds a file of a kind, beginning in the folder ``here``. Files come first, so that enter
    takes one."""

    placeholder = "type to filter, or a path"
    hint = "↑ ↓ move · enter opens or takes · escape goes back"

    def __init__(self, here: Path, kind: Kind = DATA) -> None:
        super().__init__(f"choose: a {kind.name}")
        self._kind = kind
        self._here = here  # from which a typed path starts
        self._listing: Listing | None = None
        self._asked = 0  # how often something was read: only the newest answer is shown
        self._entered = False  # whether enter came before the first listing

    def opened(self) -> None:
        super().opened()
        self._go(self._here)

    # What is shown

    def _parts(self, typed: str) -> tuple[Path, str]:
        """The folder that the typed text is about, and the part of a name behind it."""
        head, _, tail = typed.strip().rpartition("/")
        if typed.strip().startswith("/") and not head:
            head = "/"
        return self._here / os.path.expanduser(head), tail

    def offered(self, typed: str) -> list[Row]:
        folder, part = self._parts(typed)
        seen = self._listing
        here = seen is not None and seen.folder == folder
        none = "" if seen is None or seen.files else f"no {self._kind.said} is in this folder"
        self._say(seen.problem or none if seen is not None and here else "")
        if seen is None or not here:
            self.nothing = "reading"
            if self._listing is not None:  # else the first listing is on its way
                self._read(folder, lambda path: listing(path, self._kind))
            return []
        fits_not = "nothing fits; ctrl+u clears the filter"
        self.nothing = fits_not if part else f"no {self._kind.said} or folder is here"
        hidden = part.startswith(".")
        files, folders = (
            [name for name in fitting(part, names) if hidden or not name.startswith(".")]
            for names in (seen.files, seen.folders)
        )
        rows = [
            Row(folder / name, Text(visible(name), no_wrap=True, overflow="ellipsis", style="bold"))
            for name in files
        ]
        if not typed.strip():
            rows.append(Row(folder / "..", Text("../  the folder above")))
        rows += [
            Row(folder / name, Text(f"{visible(name)}/", no_wrap=True, overflow="ellipsis"))
            for name in folders
        ]
        return rows

    # Reading

    def take(self, value: Any) -> None:
        self._go(Path(os.path.normpath(value)))

    def enter(self, row: Row | None) -> None:
        typed = self.query_one(Input).value.strip()
        if row is not None:
            self.take(row.value)
        elif self._listing is None:
            self._entered = True
        elif typed:
            self.take(self._here / os.path.expanduser(typed))

    def _go(self, path: Path) -> None:
        """Open a folder, or take a file."""
        self._say(f"reading {visible(path)}")
        self._read(path, lambda found: looked_at(found, self._kind))

    def _read(self, path: Path, look: Callable[[Path], Listing | Found]) -> None:
        self._asked += 1
        asked, app = self._asked, self.app

        def work() -> None:
            try:
                seen: Listing | Found | str = look(path)
            except ConfigError as error:
                seen = str(error)
            hand_over(app, self, lambda answer: self._answered(asked, path, answer), seen)

        threading.Thread(target=work, name="caveats-files", daemon=True).start()

    def _answered(self, asked: int, path: Path, seen: Listing | Found | str) -> None:
        if asked != self._asked or self.has_left:
            return
        if isinstance(seen, str):
            self._say(seen)
        elif isinstance(seen, Found):
            self.dismiss(seen)
        else:
            self._show(seen)

    def _show(self, seen: Listing) -> None:
        line = self.query_one(Input)
        # What was typed before the first folder was there stays.
        early = self._listing is None and line.value
        self._listing = seen
        if not early and self._parts(line.value)[0] != seen.folder:  # it was opened, not typed
            self._here = seen.folder
            line.value = ""
        self.query_one("Vertical").border_title = Content(
            f"choose: a {self._kind.name} in {end(seen.folder)}"
        )
        self._fill(line.value)
        if self._entered:
            self._entered = False
            self.enter(next(iter(self.offered(line.value)), None))

    def _say(self, sentence: str) -> None:
        said = self.query_one("#said", Static)
        said.update(sentence)
        said.display = bool(sentence)


def fitting(part: str, names: Iterable[str]) -> list[str]:
    """The names that begin with ``part``, then those that contain it."""
    wanted = part.lower()
    first = [name for name in names if name.lower().startswith(wanted)]
    taken = set(first)
    return first + [name for name in names if wanted in name.lower() and name not in taken]


def end(folder: Path) -> str:
    """The end of a path, which tells most."""
    text = visible(folder)
    return text if len(text) <= ROOM else f"…{text[-ROOM:]}"


class ColumnPicker(Filtered[str | None]):
    """Which of the columns of a table is the target; the last one, if ``current`` is none of
    them."""

    hint = "↑ ↓ move · enter takes · escape goes back"
    nothing = "no column fits; ctrl+u clears the filter"

    def __init__(self, columns: Columns, current: str | None) -> None:
        super().__init__("choose: the target column")
        self._columns, self._current = columns, current

    def offered(self, typed: str) -> list[Row]:
        return [Row(name, self._prompt(name)) for name in fitting(typed.strip(), self._columns)]

    def begin(self, typed: str, rows: list[Row]) -> int:
        if typed.strip():
            return 0
        names = [row.value for row in rows]
        return names.index(self._current) if self._current in names else len(names) - 1

    def _prompt(self, name: str) -> Text:
        text = Text("● " if name == self._current else "  ", no_wrap=True, overflow="ellipsis")
        text.append(visible(name), style="bold")
        cells = ", ".join(visible(cell)[:20] for cell in self._columns[name])
        return text.append(f"   {cells}, …" if cells else "", style="dim")
