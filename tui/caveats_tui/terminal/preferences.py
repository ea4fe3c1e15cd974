"""What lasts between two sessions of the lab: theme, panes, frames a second, notifications.

They are kept in settings.toml in the folder that the system has for such files
(~/.config/caveats-tui, or $XDG_CONFIG_HOME).
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import platformdirs
import tomli_w

from caveats.errors import ConfigError, nearest, visible
from caveats.runs.files import remove

__all__ = ["MOST_FPS", "NOTIFICATIONS", "Preferences", "Values", "default_file"]

LARGEST = 2**16  # characters
MOST_FPS = 60.0  # frames a second: terminals show no more
NOTIFICATIONS = {
    "off": "Say nothing outside of the screen.",
    "bell": "Ring the terminal's bell when a long run ends or a caveat is found.",
    "osc9": "Send a notification of the desktop (OSC 9): iTerm2, kitty, WezTerm, Windows Terminal. "
    "tmux needs: set -g allow-passthrough on.",
}


@dataclass(frozen=True, slots=True)
class Values:
    """None stands for the program's own choice."""

    theme: str | None = None
    fps: float | None = None
    setup_pane: bool = True
    notes_pane: bool = False
    notify: str = "off"


def default_file() -> Path:
    return platformdirs.user_config_path("caveats-tui", appauthor=False) / "settings.toml"


class Preferences:
    """The values in ``file``; None keeps them in memory only. ``problem`` says what is wrong with
    the file, which is then never written, so that nothing in it is lost."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.values = Values()
        self.problem = ""
        self._tree: dict[str, Any] = {}  # keys of other versions are kept
        if file is not None:
            self._read(file)

    def _read(self, file: Path) -> None:
        try:
            with file.open(encoding="utf-8") as opened:
                text = opened.read(LARGEST)
            self._tree = tomllib.loads(text)
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:
            reason = visible(getattr(error, "strerror", None) or error)
            self.problem = f"{visible(file)} cannot be read: {reason}"
            return
        for key, value in self._tree.items():
            try:
                self.values = replace(self.values, **checked(key, value, visible(file)))
            except ConfigError as error:
                self.problem = self.problem or str(error)

    def change(self, **values: Any) -> str:
        """Take new values, and write them; returns why they could not be written, else ""."""
        self.values = replace(self.values, **values)
        if self.file is None or self.problem:
            return self.problem
        self._tree |= {key: value for key, value in values.items() if value is not None}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            put_in_place(self.file, tomli_w.dumps(self._tree))
        except OSError as error:
            return f"{visible(self.file)} cannot be written: {error.strerror}"
        return ""


def put_in_place(file: Path, text: str) -> None:
    """Replace a file as a whole, so that a reader never sees half of it."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as made:
            made.write(text)
        os.replace(name, file)
    except OSError:
        remove(Path(name))
        raise


def checked(key: str, value: Any, where: str) -> Mapping[str, Any]:
    """One key with its value as it is used. Raises ConfigError naming ``where``, key and value."""
    if key not in CHECKS:
        raise ConfigError(f"{where}: {visible(key)} is no setting: {nearest(key, CHECKS)}")
    valid, said = CHECKS[key]
    if not valid(value):
        raise ConfigError(f"{where}: {key} = {visible(repr(value))[:60]} should be {said}")
    return {key: float(value) if key == "fps" else value}


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_switch(value: object) -> bool:
    return isinstance(value, bool)


CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "theme": (lambda v: isinstance(v, str), "the name of a theme"),
    "fps": (
        lambda v: is_number(v) and 0 < v <= MOST_FPS,
        f"a number above 0 and at most {MOST_FPS:g}",
    ),
    "setup_pane": (is_switch, "true or false"),
    "notes_pane": (is_switch, "true or false"),
    "notify": (lambda v: v in list(NOTIFICATIONS), f"one of {', '.join(NOTIFICATIONS)}"),
}
assert set(CHECKS) == {field.name for field in fields(Values)}
