"""Reads the runs of a folder in a thread, again and again, and each run only if it has changed.

Screens read `entries` at their own pace.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

from caveats.errors import ConfigError
from caveats.runs.manifest import MANIFEST
from caveats.runs.shelf import LABEL, Entry, entry, folders

__all__ = ["Loader"]

PAUSE = 1.0  # seconds between two readings; one of 500 unchanged runs takes some 10 ms

Stamp = tuple[tuple[int, int, int] | None, ...]


class Loader:
    """``entries`` is replaced as a whole, the newest run first; ``progress`` is (read, to read)
    during a reading; ``problem`` says why the folder itself cannot be read."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.entries: tuple[Entry, ...] = ()
        self.progress: tuple[int, int] = (0, 0)
        self.complete = False
        self.problem = ""
        self._known: dict[Path, tuple[Stamp, Entry]] = {}
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="caveats-listing", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def look(self) -> None:
        """Read again at once."""
        self._wake.set()

    def stop(self) -> None:
        """End after the run that is being read; do not wait for that."""
        self._stopped = True
        self._wake.set()

    # Everything below runs in the thread.

    def _work(self) -> None:
        while not self._stopped:
            self._wake.clear()
            self.read()
            self._wake.wait(PAUSE)

    def read(self) -> None:
        """Read every folder once, the newest first. Runs are shown as soon as they are read."""
        try:
            found = sorted(folders(self.place), key=changed, reverse=True)
            self.problem = ""
        except ConfigError as error:
            found, self.problem = [], str(error)
        gone = self._known.keys() - set(found)
        for folder in gone:
            del self._known[folder]
        news = bool(gone)
        for done, folder in enumerate(found):
            if self._stopped:
                return
            self.progress = done, len(found)
            stamp = stamped(folder)
            if self._known.get(folder, (None,))[0] != stamp:
                self._known[folder] = stamp, entry(folder)
                news = True
            if not self.complete and done % 50 == 49:
                self._show()
        if news:
            self._show()
        self.progress = len(found), len(found)
        self.complete = True

    def _show(self) -> None:
        old = datetime.min.replace(tzinfo=UTC)
        self.entries = tuple(
            sorted(
                (one for _, one in self._known.values()),
                key=lambda e: (e.manifest.created if e.manifest else old, e.folder),
                reverse=True,
            )
        )


def changed(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # it was deleted meanwhile
        return 0.0


def stamped(folder: Path) -> Stamp:
    """A value that changes when the run's manifest or label is replaced."""
    stamps: list[tuple[int, int, int] | None] = []
    for part in (MANIFEST, LABEL):
        try:
            found = (folder / part).lstat()
            stamps.append((found.st_ino, found.st_size, found.st_mtime_ns))
        except OSError:
            stamps.append(None)
    return tuple(stamps)
