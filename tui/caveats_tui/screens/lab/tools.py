"""What a screen of the lab works with, made by the app and shared by the screens over one
another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats_tui.charts.process import ChartProcess

if TYPE_CHECKING:
    from caveats_tui.recording.recorder import Recorder
    from caveats_tui.terminal.output import Output

__all__ = ["Tools"]


@dataclass(frozen=True, slots=True)
class Tools:
    """What a screen works with: ``charts`` draws, ``output`` is the way to the terminal,
    ``recorder`` records it; both None where there is no terminal."""

    charts: ChartProcess
    output: Output | None = None
    recorder: Recorder | None = None
