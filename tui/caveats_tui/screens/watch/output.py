"""The output of a watched command, as text: read from its file, without escape sequences."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["Output", "plain_lines"]

LAST = 256 * 2**10  # bytes of a long output that are shown
_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|\x1b"
)


def plain_lines(text: str) -> list[str]:
    """The lines that a terminal would show: of what a carriage return overwrites (a progress bar),
    the newest; no escapes or other control characters."""
    found = []
    for line in _ESCAPE.sub("", text).replace("\r\n", "\n").split("\n"):
        shown = line.rstrip("\r").rpartition("\r")[2].expandtabs(8)
        found.append("".join(c for c in shown if c.isprintable()))
    return found[:-1] if found and not found[-1] else found


class Output:
    """``lines`` of the file; `look` says whether there are new ones. It is not ``kept`` if the
    command had a terminal of its own (--no-screen)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.kept = False
        self._size = -1

    def look(self) -> bool:
        try:
            size = self.path.stat().st_size
            if size == self._size:
                return False
            with self.path.open("rb") as file:
                file.seek(max(0, size - LAST))
                data = file.read(LAST)
        except OSError:
            return False
        self.kept, self._size = True, size
        lines = plain_lines(data.decode("utf-8", "replace"))
        self.lines = lines[1:] if size > LAST else lines
        return True
