"""The tools of the lab's screens, made by the app and shared by all of them."""

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
    """``charts`` draws, ``output`` writes to the terminal, ``recorder`` records it; the last two
    are None without a terminal."""

    charts: ChartProcess
    output: Output | None = None
    recorder: Recorder | None = None
