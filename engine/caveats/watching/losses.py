"""Notes the losses on which a training calls backward, and gives each step of an optimizer its own.

The gradient of a step is that of the sum of all losses since the step before, so that sum is the
loss of the step. No device waits: the numbers are read when a step is sampled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Losses", "StepLosses"]

KEPT = 4096  # losses on a device that wait for a sampled step


class Losses:
    """``count`` is how many backward passes have begun; ``scale`` the factor by which a GradScaler
    has multiplied the newest loss."""

    def __init__(self) -> None:
        self.count = 0
        self.running = 0
        self.scale: Tensor | float = 1.0
        self._pending: list[Tensor] = []
        self._newest: Tensor | None = None
        self._scaled: dict[int, tuple[Tensor, Tensor, Any]] = {}

    def scaled(self, result: Any, origin: Any, factor: Any) -> None:
        """A GradScaler made ``result`` of ``origin``."""
        if isinstance(result, Tensor) and isinstance(origin, Tensor):
            self._scaled = {id(result): (result, origin.detach(), factor)}

    def begin(self, roots: Any) -> None:
        self.count += 1
        tensors = roots if isinstance(roots, Sequence) else [roots]
        scaled, self._scaled = self._scaled, {}
        for root in tensors:
            if isinstance(root, Tensor) and root.numel() == 1:
                result, origin, factor = scaled.get(id(root), (None, root.detach(), 1.0))
                self.scale = factor if result is root else 1.0
                self._pending.append(origin.reshape(()))
        del self._pending[:-KEPT]

    def take(self, only_last: bool) -> Tensor | None:
        """The loss of the step that an optimizer makes now; for a second optimizer that steps after
        the same backward pass, the same loss. An optimizer that evaluates several losses in one
        step is at the ``only_last``. None where no loss was seen."""
        if self._pending:
            used = self._pending[-1:] if only_last else self._pending
            self._newest = (
                used[0] if len(used) == 1 else torch.stack([u.double() for u in used]).sum()
            )
            self._pending = []
        return self._newest

    def factor(self) -> float:
        """The present factor of the loss scaler, 1 without one."""
        scale = float(self.scale)
        return scale if math.isfinite(scale) and scale > 0 else 1.0


class StepLosses:
    """The losses of the steps of one model that were not read yet."""

    def __init__(self) -> None:
        self._waiting: list[Tensor] = []

    def add(self, loss: Tensor | None) -> float | None:
        """Keep a loss; on the CPU it is returned at once."""
        if loss is None:
            return None
        self._waiting.append(loss)
        if len(self._waiting) > KEPT:  # a long pause between two samples: keep their mean
            self._waiting = [torch.stack([w.double() for w in self._waiting]).mean()]
        return float(loss) if loss.device.type == "cpu" else None

    def read(self) -> list[float]:
        """All that were added since, and none are left. Waits for the device."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        values: list[float] = torch.stack([w.double() for w in waiting]).cpu().tolist()
        return values
