"""What the command line asks for, as values that are passed on whole. Imports nothing slow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from caveats.config import RunConfig
from caveats_tui.terminal.preferences import Preferences

if TYPE_CHECKING:
    from caveats.runs.reader import Reader
    from caveats.sweeps import Sweep
    from caveats_tui.charts.spec import Charset

__all__ = [
    "FPS",
    "IDLE_LIMIT",
    "MOST_SEEDS",
    "CharsetOption",
    "ConfigOptions",
    "LabOptions",
    "RecordingOptions",
    "ScreenOptions",
]

FPS = 10.0  # frames a second of the lab by default
MOST_SEEDS = 64  # that train beside a run
IDLE_LIMIT = 3.0  # seconds to which pauses of a recorded session are cut by default

CharsetOption: TypeAlias = Literal["auto", "braille", "block", "ascii"]


@dataclass(frozen=True, slots=True)
class ConfigOptions:
    """What describes a config: a TOML ``file``, ``assignments`` KEY=VALUE, a ``device``."""

    file: str | None = None
    assignments: tuple[str, ...] = ()
    device: str | None = None


@dataclass(frozen=True, slots=True)
class ScreenOptions:
    """How the lab is drawn: at most ``fps`` frames a second; ``theme`` is a name, both None for the
    default; without ``mouse`` the terminal keeps the mouse."""

    fps: float | None = None
    charset: CharsetOption = "auto"
    mouse: bool = True
    theme: str | None = None


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """``path`` is the file to record to from the first frame on, None where nothing is recorded
    until the user asks; ``version`` of asciicast, 2 or 3; pauses are cut to ``idle_limit`` seconds;
    with ``show_keys``, pressed keys are shown in a corner."""

    path: str | None = None
    version: int = 3
    idle_limit: float = IDLE_LIMIT
    show_keys: bool = False


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What the lab opens with. ``every`` is the number of steps between two records, None for
    automatic. Runs are kept in ``place``, None for nowhere; the file ``recent`` lists the setups
    used lately. With a ``reader`` the lab begins by
    following its run, or by replaying it at ``replay`` times its speed (0: all of it in half a
    minute). With a ``sweep`` it begins with its atlas. New atlases are kept in ``maps``, None for
    beside the runs. With ``races`` the remedies of a failed run
    race while no run trains, and ``seeds`` seeds of each setup train beside its run; what the
    screen shows then depends on the machine's speed.
    ``preferences`` are what the user chose in earlier sessions."""

    config: RunConfig
    every: int | None = None
    screen: ScreenOptions = field(default_factory=ScreenOptions)
    recording: RecordingOptions = field(default_factory=RecordingOptions)
    place: Path | None = None
    recent: Path | None = None
    reader: Reader | None = None
    replay: float | None = None
    sweep: Sweep | None = None
    maps: Path | None = None
    races: bool = False
    seeds: int = 1
    preferences: Preferences = field(default_factory=Preferences, compare=False)

    @property
    def charset(self) -> Charset:
        """The characters that charts are drawn with; braille until the terminal has been
        examined."""
        return "braille" if self.screen.charset == "auto" else self.screen.charset

    @property
    def plain(self) -> bool:
        """Whether to keep to ASCII."""
        return self.charset == "ascii"
