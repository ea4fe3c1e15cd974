"""The line on top of the screen of a watched command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from caveats.runs.reader import Reader

if TYPE_CHECKING:
    from caveats_tui.bench.protocol import Bench

__all__ = ["header_line"]

WORDS = {
    "loading": "starting", "paused": "paused", "running": "running", "finished": "finished",
    "diverged": "diverged", "failed": "failed", "stopped": "stopped",
}  # fmt: skip


WIDE = 120  # columns from which there is room for the reason of a cost


def header_line(
    bench: Bench | None,
    reader: Reader | None,
    exit_code: int | None,
    paused: bool,
    width: int,
    budget: float | None = None,
) -> Text:
    """The command, then device, step, speed, what watching costs, and how things stand. ``bench``
    and ``reader`` are None before the first step; ``exit_code`` is None while the command runs,
    ``budget`` where it is not known."""
    left = " caveats watch"
    right = ["waiting"] if exit_code is None else []
    if bench is not None and reader is not None:
        command, status = reader.manifest.command, bench.status
        if command is not None:
            left += "  " + " ".join(command.argv)
        right = [status.device, f"step {status.step:,}"]
        if status.speed:
            right.append(f"{status.speed:,.0f}/s")
        snapshot = reader.history.snapshot()
        costs = snapshot.scalar("overhead") if len(snapshot) else np.array([])
        if cost := cost_text(snapshot.steps, costs, budget, width):
            right.append(cost)
        right.append((bench.mode or ("", WORDS[status.state]))[1])
    if exit_code is not None:
        right.append(f"exit code {exit_code}")
    if paused:
        right.append("drawing paused")
    said = "  ".join(right) + " "
    room = max(0, width - len(said) - 1)
    left = left if len(left) <= room else left[: room - 1] + "…"
    return Text(f"{left:<{room}} {said}", no_wrap=True)


def cost_text(
    steps: NDArray[np.int64], costs: NDArray[np.float64], budget: float | None, width: int
) -> str:
    """The share of the time that watching took, by its newest reading; above the ``budget``, with
    the reason: the first samples weigh less the longer a run goes on, short steps do not."""
    known = np.isfinite(costs)
    if not known.any():
        return ""
    at, found = steps[known], costs[known]
    cost = float(found[-1])
    if budget is None or round(cost, 3) <= budget:
        return f"cost {cost:.1%}"
    falls = cost < 0.9 * found[np.searchsorted(at, at[-1] / 2)] or len(found) == 1
    said = f"cost {cost:.1%}{' so far' if falls else ''}, budget {100 * budget:.3g}%"
    if width < WIDE:
        return said
    return f"{said}: {'the first samples cost most' if falls else 'the steps are very short'}"
