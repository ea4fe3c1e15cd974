"""The folders of kept runs: names, lists, labels, the removal of old runs, the trash.

It reads manifests, but no records.
"""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import platformdirs
import tomli_w

from caveats.config import RunConfig
from caveats.errors import ConfigError, nearest, visible
from caveats.models.section import NetworkConfig
from caveats.runs.files import read_whole, replace_file
from caveats.runs.manifest import MANIFEST, Manifest
from caveats.status import LIVE

__all__ = [
    "KEPT", "Entry", "Label", "default_place", "delete", "find", "label", "list_runs", "new_folder",
    "prune", "undelete",
]  # fmt: skip

KEPT = 50  # unnamed, unstarred runs of the lab
LABEL = "label.toml"
TRASH = ".trash"
IN_TRASH = 20
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Label:
    """What a user notes about a run: a name, and a star if it matters."""

    name: str = ""
    starred: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder of the list. ``manifest`` is None if it cannot be read, and ``problem`` says why in
    one sentence."""

    folder: Path
    manifest: Manifest | None
    label: Label
    problem: str = ""


def default_place() -> Path:
    """The folder of runs for which no folder was named."""
    return platformdirs.user_data_path("caveats-tui", appauthor=False) / "runs"


def new_folder(place: Path, config: RunConfig) -> Path:
    """Make an empty folder in ``place``. Its name holds data, activation, the initialiser unless it
    is the default one, optimizer, learning rate and time: "digits-relu-sgd-0.1-1123-204500".

    Raises:
        ConfigError: if it cannot be made.
    """
    file = config.data.file
    data = Path(file).stem if file is not None else config.data.name or "data"
    activation = config.network.activation
    words = [data, activation if isinstance(activation, str) else "mixed"]
    if config.network.inits or config.network.init != NetworkConfig().init:
        words.append("mixed" if config.network.inits else config.network.init.name)
    words.append(config.optimizer.name)
    start = "-".join(re.sub(r"[^a-z0-9_]+", "", word.lower())[:24] or "x" for word in words)
    start = f"{start}-{config.optimizer.lr:g}-{datetime.now():%m%d-%H%M%S}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            folder = place / (start if number == 1 else f"{start}-{number}")
            try:
                folder.mkdir()  # fails if another process was faster, so no two runs share a name
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise ConfigError(f"{visible(place)} cannot be written: {error.strerror}") from None
    raise AssertionError  # count never ends


def find(word: str) -> Path:
    """The folder of a run. ``word`` is a path to it, or its name among the kept runs.

    Raises:
        ConfigError: if it is neither.
    """
    path = Path(word)
    if path.exists() or len(path.parts) != 1:
        return path
    kept = default_place() / word
    if kept.is_dir():
        return kept
    names = [folder.name for folder in folders(default_place())]
    end = f": {nearest(word, names[-20:])}" if names else ""
    raise ConfigError(f"{visible(word)} is neither a folder nor a kept run{end}")


def list_runs(place: Path) -> list[Entry]:
    """The runs in ``place``, the newest first, unreadable ones at the end. Takes about 3 ms a run.

    Raises:
        ConfigError: if ``place`` itself cannot be read; a place that does not exist has no runs.
    """
    entries = [entry(folder) for folder in folders(place)]
    old = datetime.min.replace(tzinfo=UTC)
    return sorted(
        entries, key=lambda e: (e.manifest.created if e.manifest else old, e.folder), reverse=True
    )


def folders(place: Path) -> Iterator[Path]:
    """Folders in ``place`` with a manifest, without links and hidden folders."""
    try:
        with os.scandir(place) as found:
            for item in found:
                if item.name.startswith(".") or not item.is_dir(follow_symlinks=False):
                    continue
                folder = place / item.name
                if (folder / MANIFEST).is_file():
                    yield folder
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{visible(place)} cannot be read: {error.strerror}") from None


def entry(folder: Path) -> Entry:
    try:
        return Entry(folder, Manifest.read(folder), read_label(folder))
    except ConfigError as error:
        return Entry(folder, None, Label(), str(error))


def read_label(folder: Path) -> Label:
    """The label of a run; an unreadable label counts as none."""
    try:
        tree = tomllib.loads(read_whole(folder / LABEL, 2**16).decode())
    except (FileNotFoundError, ConfigError, ValueError, RecursionError):
        return Label()
    name, starred = tree.get("name"), tree.get("starred")
    return Label(visible(name)[:LONGEST_NAME] if isinstance(name, str) else "", starred is True)


def label(folder: Path, *, name: str | None = None, starred: bool | None = None) -> Label:
    """Name or star a run; None leaves a value as it is. `prune` never drops a named or starred run.

    Raises:
        ConfigError: if it cannot be written.
    """
    old = read_label(folder)
    new = Label(
        old.name if name is None else visible(name.strip())[:LONGEST_NAME],
        old.starred if starred is None else starred,
    )
    try:
        text = tomli_w.dumps({"name": new.name, "starred": new.starred})
        replace_file(folder / LABEL, text.encode())
    except OSError as error:
        raise ConfigError(f"{visible(folder)} cannot be written: {error.strerror}") from None
    return new


def prune(place: Path, keep: int = KEPT) -> None:
    """Of the lab's runs that are over and have neither name nor star, drop all but the newest
    ``keep``. A folder that cannot be removed stays."""
    try:
        found = list_runs(place)
    except ConfigError:
        return
    runs = [e for e in found if e.manifest is not None and e.manifest.kind == "lab"]
    unnamed = [e for e in runs if e.label == Label()]
    for old in unnamed[keep:]:
        assert old.manifest is not None
        if old.manifest.standing.state not in LIVE or silent(old.manifest):
            remove(old.folder)


def silent(manifest: Manifest) -> bool:
    """Whether a run whose state says that it is running has given no sign of life for a day."""
    return abs((datetime.now(UTC) - manifest.standing.time).total_seconds()) > 24 * 3600


def delete(folder: Path) -> Path:
    """Move a run to the trash next to it; returns its new path, for `undelete`. The trash holds the
    last 20 runs.

    Raises:
        ConfigError: if the folder is not a run or cannot be moved.
    """
    if not (folder / MANIFEST).is_file():
        raise ConfigError(f"{visible(folder)} is no run: it has no {MANIFEST}")
    trash = folder.parent / TRASH
    try:
        trash.mkdir(exist_ok=True)
        moved = free_name(trash / folder.name)
        folder.rename(moved)
        os.utime(moved)
        lying = sorted(trash.iterdir(), key=lambda path: path.lstat().st_mtime, reverse=True)
    except OSError as error:
        raise ConfigError(f"{visible(folder)} cannot be moved: {error.strerror}") from None
    for old in lying[IN_TRASH:]:
        remove(old)
    return moved


def undelete(moved: Path) -> Path:
    """Move a run from the trash back; returns its folder. Raises ConfigError if that fails."""
    try:
        folder = free_name(moved.parent.parent / moved.name)
        moved.rename(folder)
    except OSError as error:
        raise ConfigError(f"{visible(moved)} cannot be moved back: {error.strerror}") from None
    return folder


def free_name(path: Path) -> Path:
    """The path itself, or the first of "run-2", "run-3" and so on that does not exist."""
    for number in count(1):
        free = path if number == 1 else path.with_name(f"{path.name}-{number}")
        if not os.path.lexists(free):
            return free
    raise AssertionError  # count never ends


def remove(folder: Path) -> None:
    # It removes links, never what they point to.
    shutil.rmtree(folder, ignore_errors=True)
