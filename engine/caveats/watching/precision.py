"""Finds steps that the number type swallows: those that a loss scaler skips, and those too small to
change a weight of sixteen bits. Each finding is reported once, as an event.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

from caveats.history import Event

__all__ = ["PRECISION", "Precision"]

PRECISION = "precision"  # the kind of these events
WARM = 100  # steps in which a loss scaler looks for its factor
SKIPPED = 0.05  # share of the steps after that
FEWEST = 3  # steps that were skipped
SMALLEST = 1.0  # factor of a loss scaler
ROUNDED = 0.5  # share of the weights
READINGS = 3  # in a row


class Precision:
    """The findings about one training."""

    def __init__(self) -> None:
        self._shares: deque[float] = deque(maxlen=READINGS)
        self._scale = math.nan
        self._skipped = 0
        self._said: set[str] = set()

    def rounded(self, step: int, share: float) -> Iterator[Event]:
        """Take in the share of weights that a sampled step left as they were; NaN is not known."""
        if not math.isfinite(share):
            return
        self._shares.append(share)
        if len(self._shares) == READINGS and min(self._shares) > ROUNDED:
            text = (
                f"{share:.0%} of the weights of sixteen bits did not move in a step, though they "
                "had a gradient: the step is smaller than half the distance to the next number"
            )
            yield from self._say(step, "rounded", text, {"share": share})

    def scaled(self, step: int, scaler: Any) -> Iterator[Event]:
        """Look at a ``GradScaler``. Its factor falls each time it skips a step. Waits for the
        device."""
        if not scaler.is_enabled():
            return
        now = float(scaler.get_scale())
        before, self._scale = self._scale, now
        backoff = float(scaler.get_backoff_factor())
        if step > WARM and before > now > 0 and 0 < backoff < 1:
            self._skipped += max(1, round(math.log(now / before) / math.log(backoff)))
        share = self._skipped / max(1, step - WARM + self._skipped)
        if self._skipped >= FEWEST and share > SKIPPED:
            text = (
                f"the loss scaler skipped {self._skipped} steps since step {WARM}, {share:.0%} of "
                "them: gradients are too large for float16"
            )
            yield from self._say(step, "skipped", text, {"share": share})
        if step > WARM and now < SMALLEST:
            text = (
                f"the factor of the loss scaler has fallen to {now:.2g}: below 1 it makes small "
                "gradients smaller still"
            )
            yield from self._say(step, "scale", text, {"scale": now})

    def _say(
        self, step: int, finding: str, text: str, numbers: dict[str, float]
    ) -> Iterator[Event]:
        if finding not in self._said:
            self._said.add(finding)
            yield Event(step, PRECISION, text, {"finding": finding, **numbers})
