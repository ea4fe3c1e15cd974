"""The line on top of the screen of a watched command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from caveats.runs.reader import Reader

if TYPE_CHECKING:
    from caveats_tui.bench.protocol import Bench

__all__ = ["header_line"]

WORDS = {
    "loading": "starting", "paused": "paused", "running": "running", "finished": "finished",
    "diverged": "diverged", "failed": "failed", "stopped": "stopped",
}  # fmt: skip


def header_line(
    bench: Bench | None, reader: Reader | None, exit_code: int | None, paused: bool, width: int
) -> Text:
    """The command, then device, step, speed, what watching costs, and how things stand. ``bench``
    and ``reader`` are None before the first step; ``exit_code`` is None while the command runs."""
    left = " caveats watch"
    right = ["waiting"]
    if bench is not None and reader is not None:
        command, status = reader.manifest.command, bench.status
        if command is not None:
            left += "  " + " ".join(command.argv)
        right = [status.device, f"step {status.step:,}"]
        if status.speed:
            right.append(f"{status.speed:,.0f}/s")
        snapshot = reader.history.snapshot()
        if len(snapshot) and (cost := float(snapshot.scalar("overhead")[-1])) >= 0:
            right.append(f"cost {cost:.1%}")
        right.append((bench.mode or ("", WORDS[status.state]))[1])
    if exit_code is not None:
        right.append(f"exit code {exit_code}")
    if paused:
        right.append("drawing paused")
    said = "  ".join(right) + " "
    room = max(0, width - len(said) - 1)
    left = left if len(left) <= room else left[: room - 1] + "…"
    return Text(f"{left:<{room}} {said}", no_wrap=True)
