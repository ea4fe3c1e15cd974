"""What the command line asks for, as values that are passed on whole. It loads nothing slow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from caveats.config import RunConfig

if TYPE_CHECKING:
    from caveats.runs.reader import Reader
    from caveats_tui.charts.spec import Charset

__all__ = [
    "IDLE_LIMIT",
    "CharsetOption",
    "ConfigOptions",
    "LabOptions",
    "RecordingOptions",
    "ScreenOptions",
]

IDLE_LIMIT = 3.0  # seconds that a pause of a person's session lasts at most, unless they say

CharsetOption: TypeAlias = Literal["auto", "braille", "block", "ascii"]


@dataclass(frozen=True, slots=True)
class ConfigOptions:
    """What describes a config: a TOML ``file``, ``assignments`` KEY=VALUE, a ``device``."""

    file: str | None = None
    assignments: tuple[str, ...] = ()
    device: str | None = None


@dataclass(frozen=True, slots=True)
class ScreenOptions:
    """How the lab is drawn: at most ``fps`` frames a second; ``theme`` a name, None for the usual
    one; without ``mouse`` it is left to the terminal."""

    fps: float = 10.0
    charset: CharsetOption = "auto"
    mouse: bool = True
    theme: str | None = None


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """``path`` to record from the first frame on, None for nothing until the person does;
    ``version`` of asciicast, 2 or 3; pauses are cut to ``idle_limit`` seconds; pressed keys are
    shown in a corner where ``show_keys``."""

    path: str | None = None
    version: int = 3
    idle_limit: float = IDLE_LIMIT
    show_keys: bool = False


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What the lab opens with. ``every`` is steps between two records, None for automatic. Runs are
    kept in ``place``, None for nowhere. With a ``reader`` the lab begins by following its run, or
    by replaying it at ``replay`` times its speed (0, all of it in half a minute)."""

    config: RunConfig
    every: int | None = None
    screen: ScreenOptions = field(default_factory=ScreenOptions)
    recording: RecordingOptions = field(default_factory=RecordingOptions)
    place: Path | None = None
    reader: Reader | None = None
    replay: float | None = None

    @property
    def charset(self) -> Charset:
        """What charts are drawn with; braille until someone has looked at the terminal."""
        return "braille" if self.screen.charset == "auto" else self.screen.charset

    @property
    def plain(self) -> bool:
        """Whether to keep to ASCII."""
        return self.charset == "ascii"
